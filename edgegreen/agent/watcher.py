"""Follows a board during a run: what comes and goes between two snapshots of its conditions. Cheap.

A `Watcher` is asked about once a second; `summarize` says what a stretch of its answers had in common.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Mapping, Sequence

from . import conditions, cpu
from .meters.tree import Attribute, Run, Unreadable, run
from .meters.vcgencmd import Firmware


class Watcher:
    """Asked again and again what the board does now; cheap.

    `ours` are processes that, with their children, count as ours and not as foreign.
    """

    def __init__(self, root: str = "/", run_: Run = run, ours: Iterable[int] = ()) -> None:
        self._root, self._ours = root, set(ours)
        clocks = {name: path + "/scaling_cur_freq" for name, path in conditions.policies(root).items()}
        self._frequencies = _attributes(clocks)
        self._temperatures = _attributes({**conditions.zones(root), **conditions.apexes(root)})
        self._alerts = _attributes(conditions.alerts(root))
        self._alarm = conditions.alarm(root)
        self._firmware: Firmware | None = Firmware(root, run_)
        if self._bits() is None:
            self._firmware = None  # no Raspberry Pi: not to be asked again
        self._look = cpu.look(root, cpu.family(root, self._ours))

    def poll(self) -> dict[str, Any]:
        """What changes during a run: fields of conditions.snapshot, and `throttled_bits`, for `summarize`.

        `cpu_foreign` is the mean since the last poll. Raises nothing.
        """
        ours = cpu.family(self._root, self._ours)
        before, self._look = self._look, cpu.look(self._root, ours)
        return {
            "t_ns": time.monotonic_ns(),
            "frequency_mhz": _values(self._frequencies, 1e-3),
            "temperature_c": _values(self._temperatures, 1e-3),
            "throttled_bits": self._bits(),
            "undervoltage_alarm": conditions.flag(self._alarm),
            "throttle_alerts": _values(self._alerts, 1),
            "cpu_foreign": cpu.shares(before, self._look, ours)["cpu_foreign"],
        }

    def close(self) -> None:
        """Let go of open files."""
        for attribute in (*self._frequencies.values(), *self._temperatures.values(), *self._alerts.values()):
            attribute.close()
        if self._firmware:
            self._firmware.close()

    def _bits(self) -> int | None:
        if self._firmware is None:
            return None
        try:
            return conditions.throttled_bits(self._root, self._firmware)[1]
        except Unreadable:
            return None


def summarize(polls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `polls` (of one window) saw; None for what none of them saw. Pure.

    `frequency_mhz` {policy: {"min", "max", "mean"}}; `temperature_max_c` {zone: °C}; `throttled` {name of
    bit: polls in which it was set}; `undervoltage_polls`; `throttle_alerts` {device: polls above 0};
    `cpu_foreign` {"min", "max", "mean"}; `polls` how many there were.
    """
    bits = [poll["throttled_bits"] for poll in polls if poll["throttled_bits"] is not None]
    alarms = [poll["undervoltage_alarm"] for poll in polls if poll["undervoltage_alarm"] is not None]
    foreign = [poll["cpu_foreign"] for poll in polls if poll["cpu_foreign"] is not None]
    counted = {
        name: sum(bit >> place & 1 for bit in bits) for place, name in conditions.THROTTLED_BITS.items()
    }
    alerts = _columns(polls, "throttle_alerts")
    return {
        "polls": len(polls),
        "frequency_mhz": {name: _span(values) for name, values in _columns(polls, "frequency_mhz").items()},
        "temperature_max_c": {name: max(values) for name, values in _columns(polls, "temperature_c").items()},
        "throttled": counted if bits else None,
        "undervoltage_polls": sum(alarms) if alarms else None,
        "throttle_alerts": {name: sum(state > 0 for state in states) for name, states in alerts.items()},
        "cpu_foreign": _span(foreign) if foreign else None,
    }


def _attributes(paths: Mapping[str, str]) -> dict[str, Attribute]:
    return {name: Attribute(path, patience=False) for name, path in paths.items()}


def _values(attributes: Mapping[str, Attribute], factor: float) -> dict[str, float | None]:
    return {name: _value(attribute, factor) for name, attribute in attributes.items()}


def _value(attribute: Attribute, factor: float) -> float | None:
    try:
        return attribute.number() * factor
    except Unreadable:
        return None


def _columns(polls: Sequence[Mapping[str, Any]], what: str) -> dict[str, list[float]]:
    """The known values of every name in a field that holds {name: value}."""
    columns: dict[str, list[float]] = {}
    for poll in polls:
        for name, value in poll[what].items():
            if value is not None:
                columns.setdefault(name, []).append(value)
    return columns


def _span(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "max": max(values), "mean": sum(values) / len(values)}
