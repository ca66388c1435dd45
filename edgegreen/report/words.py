"""How values read: units, digits, signs. Pure; used by every report."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Sized
from datetime import datetime
from typing import Any

from edgegreen.comparison import Row
from edgegreen.measurement import Measurement, RuntimeUsed

ABSENT = "–"
# Metrics that are shares; they read as per cent and change by points.
SHARES = ("top1", "top5", "auc")


def number(value: float | None) -> str:
    """Three significant digits (all of them from 1000 on); in exponent form below a millionth only."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    rounded = f"{value:.2e}"  # first, so that 9.996 is 10.0 and not 10.00
    if abs(value) < 1e-6:
        return rounded
    decimals = 2 - int(rounded.partition("e")[2])
    return f"{float(rounded):.{decimals}f}" if decimals > 0 else f"{value:.0f}"


def metric(rows: Sequence[Row]) -> str:
    """The heading over accuracies: what they are, where it is not the share of right answers."""
    names = {row.measurement.accuracy.metric for row in rows if row.measurement.accuracy}
    name = names.pop() if len(names) == 1 else "top1"
    return {"top1": "Accuracy", "top5": "Top-5", "mse": "MSE", "auc": "AUC"}.get(name, name)


def count(things: Sized, name: str) -> str:
    """`1 trial`, `6 trials`."""
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def size(value_bytes: int | None) -> str:
    """Bytes in SI units: 53 kB, 1.20 MB."""
    if value_bytes is None:
        return ABSENT
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value_bytes >= 0.9995 * scale:  # 999,600 bytes round to 1.00 MB
            return f"{number(value_bytes / scale)} {unit}"
    return f"{value_bytes} B"


def runtime(used: RuntimeUsed) -> str:
    """`litert 2.3.0` or `litert 2.3.0 + XNNPACK`; a build's own suffix is left out."""
    version = used.version.split("-")[0]
    return f"{used.name} {version}" + (f" + {used.delegate}" if used.delegate else "")


def accuracy(row: Row) -> str:
    """`91.3 % (−0.4)` for shares, in points; plain numbers for everything else."""
    measured = row.measurement.accuracy
    if measured is None:
        return ABSENT
    share = measured.metric in SHARES
    shown = f"{100 * measured.value:.1f} %" if share else number(measured.value)
    if row.accuracy_change is None:
        return shown
    change = 100 * row.accuracy_change if share else row.accuracy_change
    digits = f"{abs(change):.1f}" if share else number(abs(change))
    sign = "±" if float(digits) == 0 else "+" if change > 0 else "−"
    return f"{shown} ({sign}{digits})"


def power(item: Measurement) -> str:
    """Watts while the model ran."""
    return number(item.power.active_w) if item.power else ABSENT


def energy(item: Measurement) -> str:
    """`4.21 ± 0.13`, millijoules above idle and half the 95 % interval, which has two digits."""
    if item.energy is None:
        return ABSENT
    low, high = item.energy.ci95_mj
    half = (high - low) / 2
    if not half > 0:
        return number(item.energy.per_inference_mj)
    decimals = max(0, 1 - int(f"{half:.1e}".partition("e")[2]))
    return f"{item.energy.per_inference_mj:.{decimals}f} ± {half:.{decimals}f}"


def is_metered(item: Measurement) -> bool:
    """Whether energy was to be measured."""
    return item.power is not None or bool(item.conditions.get("meter"))


def board(conditions: Mapping[str, Any]) -> str:
    """One line that says which machine it was."""
    found = conditions.get("board") or {}
    parts = [
        found.get("machine"),
        f"{found['cpu_count']} cores" if found.get("cpu_count") else None,
        f"Python {found['python']}" if found.get("python") else None,
        found.get("libc"),
    ]
    return " · ".join(str(part) for part in parts if part)


def replayed(item: Measurement) -> str | None:
    """What a row was played back from; None for what was measured."""
    made = item.conditions.get("replayed")
    if not made:
        return None
    when = datetime.fromisoformat(made["recorded_at"])
    return (
        f"replayed from a recording of {made['board']} of {when:%Y-%m-%d %H:%M} UTC; nothing was measured now"
    )


def trial(item: Measurement, among: Sequence[Row]) -> str:
    """The variant's name, with threads and runtime where the name alone does not tell rows apart."""
    parts = [item.variant]
    if differ(item, among, lambda m: m.runtime.name):
        parts.append(item.runtime.name)
    if differ(item, among, lambda m: m.threads):
        parts.append(f"{item.threads} thread" + "s" * (item.threads > 1))
    return ", ".join(parts)


def differ(item: Measurement, among: Sequence[Row], what: Callable[[Measurement], object]) -> bool:
    """Whether rows of this variant on this target differ in `what`."""
    twins = (row.measurement for row in among)
    mine = {what(twin) for twin in twins if (twin.variant, twin.target) == (item.variant, item.target)}
    return len(mine) > 1
