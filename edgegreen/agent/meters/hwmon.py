"""Any power sensor the kernel shows in hwmon: INA219, INA226 or INA260 on I²C, power supplies on PMBus.

Where such a sensor sits nobody can read from the board: its scope is the rails it names, unless the user
says more. Not here: the INA3221 (`ina3221.py`), and USB-C ports, whose numbers are negotiated, not measured.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any, NamedTuple

from .base import RAIL_SUM, About, Direct, Meter, Product
from .tree import Attribute, Run, Unreadable, found, number, text

KIND = "hwmon"
NOT_MEASURED = ("ucsi_source_psy", "tcpm_source_psy")
ELSEWHERE = ("ina3221",)


class Chip(NamedTuple):
    """A power monitor as Linux sets it up: one step of its power, and its averaging.

    A step is `step_uw`, or `step_uw_ohm` over the shunt; `averaging_s` holds where the driver has no
    `update_interval`.
    """

    step_uw: float | None
    step_uw_ohm: float | None
    averaging_s: float | None


# drivers/hwmon/ina2xx.c: power_lsb = power_lsb_factor · 1e9 / shunt_div / shunt in µΩ. The INA219 is set to
# one 12-bit conversion of each input (0x399F: 532 µs twice), the INA226 to 16, and tells. ina238.c: 16
# conversions of 1052 µs, each of voltage, shunt and temperature in turn (0xfb6a). ltc4151.c has no power: in1
# is the voltage that feeds the shunt whose current is curr1.
CHIPS = {
    "ina219": Chip(None, 20 * 1e9 / 100 / 1e6, 0.0011),
    "ina220": Chip(None, 20 * 1e9 / 100 / 1e6, 0.0011),
    "ina226": Chip(None, 25 * 1e9 / 400 / 1e6, 0.035),
    "ina230": Chip(None, 25 * 1e9 / 400 / 1e6, 0.035),
    "ina231": Chip(None, 25 * 1e9 / 400 / 1e6, 0.035),
    "ina260": Chip(10_000, None, None),
    "ina237": Chip(None, None, 0.0505),
    "ina238": Chip(None, None, 0.0505),
    "ltc4151": Chip(None, None, None),
}
UNKNOWN = Chip(None, None, None)


class Sensor(NamedTuple):
    """A meter, and the chip it is one of."""

    folder: str
    chip: str
    meter: Meter


def find(root: str, run: Run) -> list[Meter]:  # noqa: ARG001
    """Every sensor. The main one is the only known monitor (CHIPS), if there is just one."""
    return [sensor.meter for sensor in _found(root)]


def find_monitors(root: str, run: Run) -> list[Meter]:  # noqa: ARG001
    """The sensors of known monitors alone. Raises Unreadable where there are only others."""
    found_ = _found(root)
    monitors = [sensor.meter for sensor in found_ if sensor.chip in CHIPS]
    if found_ and not monitors:
        others = ", ".join(sensor.meter.about.rail for sensor in found_)
        told = "hwmon has {}: no power monitor that is known, and not taken unasked".format(others)
        raise Unreadable(told, "if that is the board's power, ask for it with `meter: hwmon`")
    return monitors


def _found(root: str) -> list[Sensor]:
    found_ = [sensor for sensor in sensors(root) if not sensor.chip.startswith(NOT_MEASURED + ELSEWHERE)]
    monitors = [sensor for sensor in found_ if sensor.chip in CHIPS]
    if len(monitors) == 1:
        _change(monitors[0], main=True)
    rails = [sensor.meter.about.rail for sensor in found_]
    for sensor in found_:
        rail = sensor.meter.about.rail
        if rails.count(rail) > 1:
            _change(sensor, rail="{}@{}".format(rail.partition("@")[0], place(sensor.folder)))
    return found_


def sensors(root: str, kind: str = KIND) -> list[Sensor]:
    """The power sensors of every chip: its own power figures, or else a known one's voltage times current.

    Of other chips (a mainboard's, say) a voltage and a current of one number need not be of one rail.
    """
    all_: list[Sensor] = []
    for folder in found(root, "sys/class/hwmon/hwmon*"):
        name = text(os.path.join(folder, "name")) or ""
        powers = _channels(folder, "power")
        pairs = {
            channel
            for channel in _channels(folder, "in") & _channels(folder, "curr")
            if name in CHIPS and _alike(folder, channel)
        }
        meters = (_meter(kind, folder, name, channel, bool(powers)) for channel in sorted(powers or pairs))
        all_.extend(Sensor(folder, name, meter) for meter in meters)
    return all_


def place(folder: str) -> str:
    """Where a chip is, such as "1-0040" for I²C bus 1, address 0x40; numbers of hwmon may change."""
    device = os.path.join(folder, "device")
    return os.path.basename(os.path.realpath(device) if os.path.exists(device) else folder)


def _meter(kind: str, folder: str, name: str, channel: int, has_power: bool) -> Meter:
    known = CHIPS.get(name, UNKNOWN)
    interval_ms = number(os.path.join(folder, "update_interval"))
    averaging_s = known.averaging_s if interval_ms is None else interval_ms / 1000
    label = text(_path(folder, "power" if has_power else "in", channel, "label"))
    about = About(
        kind=kind,
        rail=label or text(os.path.join(folder, "label")) or "{}@{}".format(name, place(folder)),
        scope=RAIL_SUM,
        source="{} through hwmon, {}".format(name.upper() if name in CHIPS else name, folder),
        misses="whatever does not run through its shunt",
        averaging_s=averaging_s,
        update_s=averaging_s,
        resolution_w=_step_w(known, number(os.path.join(folder, "shunt_resistor"))),
    )
    if has_power:
        return Direct(about, Attribute(_path(folder, "power", channel)), 1e-6)
    voltage, current = Attribute(_path(folder, "in", channel)), Attribute(_path(folder, "curr", channel))
    return Product(about, voltage, current, 1e-6)


def _path(folder: str, what: str, channel: int, suffix: str = "input") -> str:
    return os.path.join(folder, "{}{}_{}".format(what, channel, suffix))


def _channels(folder: str, what: str) -> set[int]:
    pattern = re.compile(r".*/" + what + r"(\d+)_input$")
    matches = (pattern.match(path) for path in found(folder, what + "*_input"))
    return {int(match.group(1)) for match in matches if match}


def _alike(folder: str, channel: int) -> bool:
    """Whether a voltage and a current that share a number are of one rail: they are not named apart."""
    return len({text(_path(folder, what, channel, "label")) for what in ("in", "curr")} - {None}) < 2


def _change(sensor: Sensor, **changes: Any) -> None:
    sensor.meter.about = replace(sensor.meter.about, **changes)


def _step_w(chip: Chip, shunt_uohm: float | None) -> float | None:
    if chip.step_uw is not None:
        return chip.step_uw * 1e-6
    if chip.step_uw_ohm is None or not shunt_uohm:
        return None
    return chip.step_uw_ohm / shunt_uohm
