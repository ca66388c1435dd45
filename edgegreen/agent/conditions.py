"""Under what conditions a board works: clocks, heat, throttling, load, memory, supply. Read, never judged.

`snapshot` is taken before and after a trial; what comes and goes meanwhile is followed by `watcher.Watcher`.
Every value is plain JSON; what a board does not tell is None, or an empty dict where names are the keys.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any, Callable, Iterable, Mapping

from . import cpu, system
from .meters.tree import Run, Unreadable, at, found, number, run, slash, text
from .meters.vcgencmd import Firmware

# Raspberry Pi documentation, `vcgencmd get_throttled`: these bits now, the same 16 higher since boot.
THROTTLED_BITS = {0: "undervoltage", 1: "frequency_capped", 2: "throttled", 3: "soft_temperature_limit"}
OCCURRED_SHIFT = 16
THROTTLED = re.compile(r"(?:throttled=)?(?:0x)?([0-9a-f]{1,8})$", re.IGNORECASE)
POWER_MODE = re.compile(r"^NV Power Mode:[ \t]*(\S.*?)[ \t]*$(?:\s+(\d+)\s*$)?", re.MULTILINE)
BUSY_S = 0.5
TOP = 3


def snapshot(
    root: str = "/",
    run_: Run = run,
    *,
    busy_s: float = BUSY_S,
    ours: Iterable[int] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The board's conditions now; takes `busy_s`, in which it looks who is at work.

    | field | meaning |
    |---|---|
    | `t_ns` | when, on the monotonic clock |
    | `governor` | {policy: name}; policies are named as in /sys/devices/system/cpu/cpufreq |
    | `frequency_mhz`, `frequency_min_mhz`, `frequency_max_mhz` | {policy: MHz}: now, and the limits set |
    | `temperature_c` | {zone: °C}; None for a zone that has none now (a Jetson's sleeping GPU) |
    | `apex_temperature_c` | {device: °C} of Edge TPUs on PCIe |
    | `apex_trip_c` | {device: °C} at which the first of its trip points lowers the clock |
    | `throttled` | a Raspberry Pi's {"source", "bits", "now": [names], "occurred": [names]} |
    | `undervoltage_alarm` | whether a Raspberry Pi saw undervoltage within the last 2 s |
    | `power_mode` | {"name", "id"} of a Jetson's nvpmodel |
    | `overcurrent_events` | {"oc1": count since boot …} of a Jetson: 1 undervoltage, 2 mean, 3 peak current |
    | `throttle_alerts` | {cooling device: state}; above 0 while a Jetson throttles that part |
    | `load_average` | runnable processes, mean over a minute |
    | `cpu_busy`, `cpu_foreign` | share of all cores at work, and at work for others than `ours` (0 … 1) |
    | `cpu_top` | the busiest of the others: [{"name", "cores"}], three at most |
    | `memory_available_bytes`, `swap_used_bytes` | as /proc/meminfo has them |
    | `mains` | whether it runs on mains |
    | `battery` | {"status", "capacity_percent"} of the first battery |
    | `fan` | {"rpm", "pwm"}: turns a minute, and 0 … 255; either may be None |
    | `notes` | what is there and may not be read, and what would help |
    """
    clocks, notes = policies(root), []
    memory = system.meminfo(slash(root))
    try:
        throttled_ = throttled(root, run_)
    except Unreadable as error:
        throttled_ = None
        notes.append(str(error))
    return {
        "t_ns": time.monotonic_ns(),
        "governor": {name: text(path + "/scaling_governor") for name, path in clocks.items()},
        "frequency_mhz": _mhz(clocks, "scaling_cur_freq"),
        "frequency_min_mhz": _mhz(clocks, "scaling_min_freq"),
        "frequency_max_mhz": _mhz(clocks, "scaling_max_freq"),
        "temperature_c": {name: _scaled(number(path), 1e-3) for name, path in zones(root).items()},
        "apex_temperature_c": {name: _scaled(number(path), 1e-3) for name, path in apexes(root).items()},
        "apex_trip_c": apex_trips(root),
        "throttled": throttled_,
        "undervoltage_alarm": flag(alarm(root)),
        "power_mode": power_mode(run_),
        "overcurrent_events": overcurrent_events(root),
        "throttle_alerts": {name: _whole(number(path)) for name, path in alerts(root).items()},
        "load_average": _load_average(root),
        **_load(root, busy_s, {*ours, *cpu.ourselves()}, sleep),
        "memory_available_bytes": memory.get("MemAvailable"),
        "swap_used_bytes": memory["SwapTotal"] - memory["SwapFree"] if "SwapFree" in memory else None,
        "mains": _mains(root),
        "battery": _battery(root),
        "fan": _fan(root),
        "notes": notes,
    }


def throttled(root: str = "/", run_: Run = run) -> dict[str, Any] | None:
    """What a Raspberry Pi's firmware says: `bits`, and their names `now` and `occurred`; None elsewhere.

    `occurred` is since boot from source "vcgencmd"; from "sysfs", where the kernel clears it at each of its
    own looks, within the last 2 s. Raises Unreadable with a hint when the user may not ask.
    """
    firmware = Firmware(root, run_)
    try:
        source, bits = throttled_bits(root, firmware)
    except Unreadable as error:
        if error.hint:
            raise
        return None
    finally:
        firmware.close()
    now = [name for place, name in THROTTLED_BITS.items() if bits >> place & 1]
    occurred = [name for place, name in THROTTLED_BITS.items() if bits >> place + OCCURRED_SHIFT & 1]
    return {"source": source, "bits": bits, "now": now, "occurred": occurred}


def throttled_bits(root: str, firmware: Firmware) -> tuple[str, int]:
    """Where the bits come from, and the bits. Raises Unreadable."""
    try:
        return "vcgencmd", parse_throttled(firmware.ask("get_throttled"))
    except Unreadable:
        content = text(at(root, "sys/devices/platform/soc/soc:firmware/get_throttled"))
        if content is None:
            raise
        return "sysfs", parse_throttled(content)


def parse_throttled(content: str) -> int:
    """The bits in "throttled=0x50005" (vcgencmd) or "50005" (sysfs). Raises Unreadable."""
    match = THROTTLED.match(content.strip())
    if match is None:
        raise Unreadable("get_throttled: {!r}".format(content[:80]))
    return int(match.group(1), 16)


def power_mode(run_: Run = run) -> dict[str, Any] | None:
    """A Jetson's power mode; None elsewhere."""
    try:
        return parse_power_mode(run_(["nvpmodel", "-q"]).text)
    except Unreadable:
        return None


def parse_power_mode(printed: str) -> dict[str, Any]:
    """Name and number in what `nvpmodel -q` prints. Raises Unreadable."""
    match = POWER_MODE.search(printed)
    if match is None:
        raise Unreadable("nvpmodel -q: {!r}".format(printed[:80]))
    return {"name": match.group(1), "id": int(match.group(2)) if match.group(2) else None}


def overcurrent_events(root: str = "/") -> dict[str, int | None] | None:
    """How often a Jetson's over-current protection stepped in since boot; None elsewhere."""
    for folder in _chips(root, "soctherm_oc"):
        names = ("oc1", "oc2", "oc3")
        counts = {name: _whole(number("{}/{}_event_cnt".format(folder, name))) for name in names}
        return {name: count for name, count in counts.items() if count is not None}
    return None


def policies(root: str) -> dict[str, str]:
    """Where each frequency policy is; `policy0` … as in cpufreq."""
    return {os.path.basename(path): path for path in found(root, "sys/devices/system/cpu/cpufreq/policy*")}


def _mhz(clocks: Mapping[str, str], what: str) -> dict[str, float | None]:
    return {name: _scaled(number("{}/{}".format(path, what)), 1e-3) for name, path in clocks.items()}


def zones(root: str) -> dict[str, str]:
    """Where each thermal zone's temperature is; zones of one type are told apart by their number."""
    paths: dict[str, str] = {}
    for path in found(root, "sys/class/thermal/thermal_zone*"):
        name = text(path + "/type") or "thermal"
        paths[name if name not in paths else name + "#" + path.rpartition("thermal_zone")[2]] = path + "/temp"
    return paths


def hottest_c(root: str) -> float | None:
    """The highest temperature of all zones; None where none is told."""
    known = [value for value in map(number, zones(root).values()) if value is not None]
    return max(known) * 1e-3 if known else None


def apexes(root: str) -> dict[str, str]:
    """Where the temperature of each Edge TPU on PCIe is."""
    return {os.path.basename(path): path + "/temp" for path in found(root, "sys/class/apex/apex_*")}


def apex_trips(root: str) -> dict[str, float | None]:
    """The lowest trip point of each Edge TPU on PCIe, by the names of `apexes`; None where none is told."""
    trips = {}
    for name in apexes(root):
        told = map(number, found(root, "sys/class/apex/{}/trip_point*_temp".format(name)))
        known = [value for value in told if value is not None and value > 0]
        trips[name] = min(known) * 1e-3 if known else None
    return trips


def alerts(root: str) -> dict[str, str]:
    """Where the state of each part that a Jetson may throttle is."""
    devices = (
        (text(path + "/type") or "", path) for path in found(root, "sys/class/thermal/cooling_device*")
    )
    return {name: path + "/cur_state" for name, path in devices if name.endswith("-throttle-alert")}


def alarm(root: str) -> str | None:
    """Where a Raspberry Pi's undervoltage alarm is, if anywhere."""
    return next((folder + "/in0_lcrit_alarm" for folder in _chips(root, "rpi_volt")), None)


def _chips(root: str, name: str) -> list[str]:
    return [folder for folder in found(root, "sys/class/hwmon/hwmon*") if text(folder + "/name") == name]


def _load_average(root: str) -> float | None:
    words = (text(at(root, "proc/loadavg")) or "").split()
    try:
        return float(words[0]) if words else None
    except ValueError:
        return None


def _load(root: str, seconds: float, ours: set[int], sleep: Callable[[float], None]) -> dict[str, Any]:
    before = cpu.look(root)
    sleep(seconds)
    return cpu.shares(before, cpu.look(root), ours, TOP)


def _supplies(root: str) -> list[tuple[str, str]]:
    """Type and folder of the board's own power supplies."""
    paths = found(root, "sys/class/power_supply/*")
    return [(text(path + "/type") or "", path) for path in paths if text(path + "/scope") != "Device"]


def _mains(root: str) -> bool | None:
    online = [flag(path + "/online") for kind, path in _supplies(root) if kind in ("Mains", "USB")]
    known = [state for state in online if state is not None]
    return any(known) if known else None


def _battery(root: str) -> dict[str, Any] | None:
    for kind, path in _supplies(root):
        if kind == "Battery":
            return {"status": text(path + "/status"), "capacity_percent": number(path + "/capacity")}
    return None


def _fan(root: str) -> dict[str, float | None] | None:
    chips = "sys/class/hwmon/hwmon*/"
    turns = found(root, chips + "fan1_input") + found(root, chips + "rpm")
    pwms = found(root, chips + "pwm1")
    if not turns and not pwms:
        return None
    return {"rpm": number(turns[0]) if turns else None, "pwm": number(pwms[0]) if pwms else None}


def flag(path: str | None) -> bool | None:
    """Whether the number in a file is other than 0; None when there is none."""
    value = number(path) if path else None
    return None if value is None else value != 0


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
