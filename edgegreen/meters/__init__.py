"""Power meters that the host reads while a board runs. A new kind is one file and one line in METERS.

Each kind makes a meter from its keys; `recording` reads it during a trial and puts its record on the board's
clock. Meters on the board are in `agent/meters`; both sides give a `Record`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgegreen.meters import command, http, joulescope, ppk2, shelly, tasmota
from edgegreen.meters.base import Meter

METERS: dict[str, Callable[[Any], Meter]] = {
    "shelly": shelly.open_meter,
    "tasmota": tasmota.open_meter,
    "http": http.open_meter,
    "command": command.open_meter,
    "joulescope": joulescope.open_meter,
    "ppk2": ppk2.open_meter,
}
"""From a kind's keys (`meterkeys.KINDS`) to the meter. Each raises Unreadable when there is none."""
