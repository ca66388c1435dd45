"""How values read: units, digits, signs. Pure; used by every report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from typing import Any

from edgegreen.config.limitkeys import Limits
from edgegreen.judging import edgetpu
from edgegreen.judging.choice import Choice
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Execution, Measurement, RuntimeUsed, Tuning

ABSENT = "–"
# Metrics that are shares; they read as per cent and change by points.
SHARES = ("top1", "top5", "auc")
FLOATS = ("f32", "f16", "bf16")
NAMED = 3  # rows that are named one by one in a sentence
Setting = tuple[str, int, Tuning | None]
"""Runtime, threads, and what was set on the board: what may tell the trials of a variant apart."""
LOPSIDED = 0.2  # an interval's middle this share of half its width away from the value


def number(value: float | None) -> str:
    """Three significant digits (all of them from 1000 on); in exponent form below a millionth only."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    rounded = f"{value:.2e}"  # first, so that 9.996 is 10.0 and not 10.00
    if abs(value) < 1e-6:
        return _minus(rounded)
    decimals = 2 - int(rounded.partition("e")[2])
    return _minus(f"{float(rounded):.{decimals}f}" if decimals > 0 else f"{value:.0f}")


def _fixed(value: float, decimals: int) -> str:
    """So many decimals, thousands set apart; what rounds to zero has no sign."""
    return _minus(f"{round(value, decimals) + 0.0:,.{decimals}f}")


def _minus(text: str) -> str:
    """With a minus that is one."""
    return f"−{text[1:]}" if text.startswith("-") else text


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


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`: to be read at a glance."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def on_tpu(item: Measurement) -> str:
    """`264/267, 0 B streamed`: operators on the Edge TPU of all."""
    found = item.artifact.compilation
    return (found and edgetpu.short(found)) or ABSENT


def runtime(used: RuntimeUsed, executed: Execution | None = None) -> str:
    """`litert 2.3.0` or `litert 2.3.0 + XNNPACK`; a build's own suffix is left out.

    A precision of floats stands there only where nothing is known of what ran, or something ran in it.
    """
    version, more = used.version.split("-")[0], used.delegate
    device, _, floats = (more or "").rpartition(" ")
    if floats in FLOATS and executed and executed.compute and floats not in executed.compute:
        more = device
    return f"{used.name} {version}" + (f" + {more}" if more else "")


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
    return plus_minus(item.energy.per_inference_mj, (high - low) / 2)


def plus_minus(value: float, half: float) -> str:
    """`4.21 ± 0.13`: half an interval has two digits, and the value as many decimals."""
    if not half > 0:
        return number(value)
    decimals = max(0, 1 - int(f"{half:.1e}".partition("e")[2]))
    return f"{_fixed(value, decimals)} ± {_fixed(half, decimals)}"


def estimate(value: float, low: float, high: float) -> str:
    """A value with its interval: `4.21 ± 0.13`, or its ends where they are not about as far away."""
    half = (high - low) / 2
    if not math.isfinite(half):
        return f"{number(value)} (≥ {number(low)})"
    if abs((low + high) / 2 - value) > LOPSIDED * half:
        return "{} ({}…{})".format(*map(_of_three, (value, low, high)))
    return plus_minus(value, half)


def _of_three(value: float) -> str:
    """Three digits, also above 1000: more than these are worth."""
    rounded = float(f"{value:.2e}")
    return _fixed(rounded, 0) if abs(rounded) >= 1000 else number(value)


def scope(item: Measurement) -> str:
    """What the meter sees and what it does not, in words; the row has a power."""
    about = (item.conditions.get("meter") or {}).get("about") or {}
    seen = f"the meter sees the {item.power.scope}" if item.power else "no meter"
    return f"{seen}; not in it: {about['misses']}" if about.get("misses") else seen


def governor(tuning: Tuning | None) -> str:
    """The one that was set."""
    return tuning.governor if tuning and tuning.governor else ABSENT


def power_mode(tuning: Tuning | None) -> str:
    """The one that was set, as the recipe names it."""
    return ABSENT if tuning is None or tuning.power_mode is None else str(tuning.power_mode)


def choice(found: Choice, budgets: Limits, among: Sequence[Row]) -> str:
    """`least energy within the latency budget: int8, powersave: 3.10 ± 0.11 mJ (p95 8.20 ms)`, and so on."""
    given = set(budgets.given)
    latency = {"latency_p50_ms_max", "latency_p95_ms_max", "latency_p99_ms_max"}
    within = (
        " within the latency budget" if given and given <= latency else " within the budgets" if given else ""
    )
    start = f"least energy{within}:"
    if found.best is None:
        counts = (
            (found.invalid, "not to be trusted"),
            (found.over, "over a budget"),
            (found.unmetered, "without energy"),
        )
        told = ", ".join(f"{n} {'is' if n == 1 else 'are'} {what}" for n, what in counts if n)
        return f"{start} no row qualifies ({told})"
    best = found.best.measurement
    asked = given & latency
    percentile = asked.pop().split("_")[1] if len(asked) == 1 else "p95"
    value_ms: float = getattr(best.latency_ms, percentile)
    text = f"{start} {trial(best, among)}: {energy(best)} mJ ({percentile} {number(value_ms)} ms)"
    if not found.alike:
        return text
    alike = [f"{trial(row.measurement, among)} ({energy(row.measurement)} mJ)" for row in found.alike]
    more = f"; and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
    return f"{text}. Not to be told apart from it: {'; '.join(alike[:NAMED])}{more}"


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
    return ", ".join([item.variant, *setting(_setting(item), map(_setting, _twins(item, among)))])


def _setting(item: Measurement) -> Setting:
    return item.runtime.name, item.threads, item.tuning


def setting(mine: Setting, twins: Iterable[Setting]) -> list[str]:
    """Runtime, threads and setting of the board, those in which it differs from a twin: `4 threads`."""
    told = (mine[0], threads(mine[1]), str(mine[2] or ""))
    differing = (len(set(values)) > 1 for values in zip(*twins, strict=True))
    return [text for text, differs in zip(told, differing, strict=True) if differs and text]


def threads(count: int) -> str:
    """`1 thread`, `4 threads`."""
    return f"{count} thread" + "s" * (count > 1)


def trials(items: Sequence[Measurement], among: Sequence[Row]) -> str:
    """Names of several rows of a target; a variant whose rows are all of them is named once."""
    names = []
    for item in items:
        twins = [row.measurement for row in among if row.measurement.variant == item.variant]
        names.append(item.variant if all(twin in items for twin in twins) else trial(item, among))
    names = list(dict.fromkeys(names))
    return ("; " if any("," in name for name in names) else ", ").join(names)


def differ(item: Measurement, among: Sequence[Row], what: Callable[[Measurement], object]) -> bool:
    """Whether rows of this variant on this target differ in `what`."""
    return len({what(twin) for twin in _twins(item, among)}) > 1


def _twins(item: Measurement, among: Sequence[Row]) -> Iterator[Measurement]:
    """The rows of this variant on this target."""
    rows = (row.measurement for row in among)
    return (one for one in rows if (one.variant, one.target) == (item.variant, item.target))


def some(names: Sequence[str], at_most: int = 8) -> str:
    """`a, b, c and 7 more`."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more} more" if more > 0 else "")
