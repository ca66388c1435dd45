"""Nordic's Power Profiler Kit II as an ampere meter, by ppk2-api: mean current times the supply's voltage.

It is never the supply itself: starting and ending a run must not switch the board. Written against the
package's documentation and example; not tried on hardware. It measures up to 1 A.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.wire import one_line, printable
from edgegreen.config.meterkeys import Ppk2
from edgegreen.meters.told import Told

FIRST_S = 5.0
LOOK_S = 0.005  # 500 samples, 2 kB
END_S = 1.0


def open_meter(keys: Ppk2) -> Told:
    """The kit at hand, or the one at this port. Raises Unreadable."""
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        raise Unreadable("ppk2-api is not installed", "pip install 'edgegreen[ppk2]'") from None
    ports = [keys.port] if keys.port else [_port(device) for device in PPK2_API.list_devices()]
    if len(ports) != 1:
        there = ", ".join(ports) or "none"
        raise Unreadable(f"{len(ports)} Power Profiler Kits are at hand ({there})", "name one as `port`")
    try:
        return Kit(PPK2_API(ports[0], timeout=1, write_timeout=1, exclusive=True), keys, ports[0]).meter
    except Exception as error:  # pyserial's, and bare ones of the package
        raise Unreadable(
            f"the kit at {ports[0]} cannot be used: {one_line(printable(str(error)), 200)}"
        ) from None


class Kit:
    """A kit that measures, and the thread that listens to it."""

    def __init__(self, api: Any, keys: Ppk2, port: str) -> None:
        self._api, self._keys = api, keys
        about = About(
            kind="ppk2",
            rail=f"its current times {keys.supply_v:g} V",
            scope=keys.scope,
            source=f"Power Profiler Kit II at {port}",
            misses="how the voltage moves",
            main=True,
            averaging_s=keys.every_s,
            update_s=0.0,  # a reading comes when its mean is complete
        )
        self._over = threading.Event()
        self.meter = Told(about, self._stop, first_s=FIRST_S)
        if not api.get_modifiers():
            raise Unreadable("it does not tell its calibration")
        api.use_ampere_meter()
        api.set_source_voltage(round(keys.supply_v * 1000))  # its correction depends on it
        api.toggle_DUT_power("ON")  # closes the way to the board; it is never opened here
        api.start_measuring()
        self._thread = threading.Thread(target=self._listen, daemon=True, name="meter ppk2")
        self._thread.start()

    def _listen(self) -> None:
        """A mean every `every_s`, from samples that come 100 000 times a second."""
        due_ns = time.monotonic_ns() + int(self._keys.every_s * 1e9)
        total_ua, n = 0.0, 0
        try:
            while not self._over.wait(LOOK_S):
                if data := self._api.get_data():
                    samples_ua, _ = self._api.get_samples(data)
                    total_ua, n = total_ua + sum(samples_ua), n + len(samples_ua)
                now_ns = time.monotonic_ns()
                if now_ns >= due_ns and n:
                    self.meter.say(now_ns, total_ua / n * 1e-6 * self._keys.supply_v)
                    due_ns, total_ua, n = now_ns + int(self._keys.every_s * 1e9), 0.0, 0
            self._api.stop_measuring()
        except Exception as error:  # unplugged
            self.meter.end(f"the kit cannot be read: {one_line(printable(str(error)), 200)}")

    def _stop(self) -> None:
        self._over.set()
        self._thread.join(END_S)


def _port(device: Any) -> str:
    """Releases give a name; the repository's newer ones a pair of name and serial number."""
    return str(device if isinstance(device, str) else device[0])
