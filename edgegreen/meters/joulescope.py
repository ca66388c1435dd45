"""Joulescope JS220 and JS110: mean powers that the instrument tells, by its maker's pyjoulescope_driver.

Written against the driver's documentation and its `statistics` example; not tried on hardware.
"""

from __future__ import annotations

import time
from typing import Any

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.wire import one_line, printable
from edgegreen.config.meterkeys import Joulescope
from edgegreen.meters.told import Told

FIRST_S = 5.0
JS220_HZ = 1_000_000  # samples a second that its statistics are counted in
JS110_S = 0.5  # its own statistics come at this pace and no other


def open_meter(keys: Joulescope) -> Told:
    """The instrument at hand, or the one of this serial number. Raises Unreadable."""
    try:
        from pyjoulescope_driver import Driver
    except ImportError:
        raise Unreadable(
            "pyjoulescope_driver is not installed", "pip install 'edgegreen[joulescope]'"
        ) from None
    driver: Any = Driver()
    try:
        return _start(driver, keys)
    except Unreadable:
        driver.finalize()
        raise
    except Exception as error:  # RuntimeError, ValueError, TimeoutError: the driver documents none of them
        driver.finalize()
        raise Unreadable(f"the Joulescope cannot be used: {one_line(printable(str(error)), 200)}") from None


def _start(driver: Any, keys: Joulescope) -> Told:
    paths = [path for path in driver.device_paths() if "js220" in path or "js110" in path]
    fitting = [path for path in paths if keys.device is None or keys.device in path]
    if len(fitting) != 1:
        there = ", ".join(paths) or "none"
        wanted = f"`{keys.device}`" if keys.device else "one"
        raise Unreadable(f"{len(fitting)} Joulescopes are {wanted} (found: {there})", "name one as `device`")
    path = fitting[0]
    period_s = keys.every_s if "js220" in path else JS110_S
    about = About(
        kind="joulescope",
        rail="what runs through it",
        scope=keys.scope,
        source=f"Joulescope {path}",
        main=True,
        averaging_s=period_s,
        update_s=0.0,  # a reading comes when its mean is complete
    )
    meter = Told(about, driver.finalize, first_s=FIRST_S)

    def told(_topic: str, value: Any) -> None:
        meter.say(time.monotonic_ns(), float(value["signals"]["power"]["avg"]["value"]))

    driver.open(path)
    if "js220" in path:
        driver.publish(f"{path}/s/i/range/mode", "auto")
        driver.publish(f"{path}/s/stats/scnt", round(JS220_HZ * period_s))
        driver.publish(f"{path}/s/stats/ctrl", 1)
        driver.subscribe(f"{path}/s/stats/value", "pub", told)
    else:
        driver.publish(f"{path}/s/i/range/select", "auto")
        driver.subscribe(f"{path}/s/sstats/value", "pub", told)
    return meter
