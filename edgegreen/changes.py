"""How a trial's readings changed from run to run: latency and energy as ratios, in plain words.

A ratio is after over before. Readings that are not to be trusted are never called faster or slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.errors import InputError
from edgegreen.measurement import Measurement, Record
from edgegreen.pairing import Pair
from edgegreen.series import SeriesOf
from edgegreen.statistics import ratio

Word = Literal["faster", "slower", "less", "more", "no difference seen", "not to be trusted"]


class Change(Record):
    """How a reading changed: `ratio` is after over before, with its 95 % interval.

    `detectable` is the least relative change that would have been seen in 8 cases of 10. `by` is where the
    interval comes from: the single `calls`, or the 95 % `intervals` of the two readings.
    """

    ratio: float
    ci95: tuple[float, float]
    detectable: float
    word: Word
    by: Literal["calls", "intervals"]


def latency(pair: Pair, before: SeriesOf, after: SeriesOf, note: Callable[[str], None]) -> Change | None:
    """By the calls of both runs, or else by the intervals of both medians."""
    then, now = _calls(before, pair.before), _calls(after, pair.after)
    if then is not None and now is not None:
        return _change(ratio.of_medians(then, now), pair, ("faster", "slower"), "calls")
    readings = [ratio.Reading(m.latency_ms.p50, m.latency_ms.ci95) for m in (pair.before, pair.after)]
    note("p50 by the intervals of both medians: the times of single calls are not kept, or too few")
    return _by_intervals(readings, pair, ("faster", "slower"), "p50", note)


def energy(pair: Pair, note: Callable[[str], None]) -> Change | None:
    """By the intervals of both: they know of drifts, resolution and clocks, which no resample would show."""
    then, now = pair.before.energy, pair.after.energy
    if then is None or now is None:
        if then or now:
            absent = (pair.after if then else pair.before).energy_absent or "it was not measured"
            note(f"energy is that of {'the run before' if then else 'this run'} only: {absent}")
        return None
    readings = [ratio.Reading(one.per_inference_mj, one.ci95_mj) for one in (then, now)]
    return _by_intervals(readings, pair, ("less", "more"), "energy", note)


def _by_intervals(
    readings: list[ratio.Reading],
    pair: Pair,
    names: tuple[Word, Word],
    what: str,
    note: Callable[[str], None],
) -> Change | None:
    try:
        return _change(ratio.of_intervals(*readings), pair, names, "intervals")
    except ValueError:
        note(f"{what} has no ratio: it cannot be told from nothing in one of the runs")
        return None


def _change(
    found: ratio.Ratio, pair: Pair, names: tuple[Word, Word], by: Literal["calls", "intervals"]
) -> Change:
    """With the word for it: of `names`, those for less and for more, only where the readings are valid."""
    word: Word = names[found.value > 1] if found.differs else "no difference seen"
    if "invalid" in (pair.before.verdict, pair.after.verdict):
        word = "not to be trusted"
    return Change(ratio=found.value, ci95=found.ci95, detectable=found.detectable, word=word, by=by)


def _calls(series: SeriesOf, item: Measurement) -> NDArray[Any] | None:
    """The times of a measurement's calls; None where they are not kept, or are those of another one."""
    try:
        kept = series(item)
    except InputError:
        return None
    if kept is None or len(kept.invoke_ns) < ratio.FEWEST or not (kept.invoke_ns > 0).all():
        return None
    same = math.isclose(float(np.median(kept.invoke_ns)) / 1e6, item.latency_ms.p50, rel_tol=1e-9)
    return kept.invoke_ns if same else None


def accuracy(pair: Pair) -> tuple[str | None, float | None]:
    """The metric that both have, and how it changed; its uncertainty is not asked after."""
    then, now = pair.before.accuracy, pair.after.accuracy
    if then is None or now is None or then.metric != now.metric:
        return None, None
    return now.metric, now.value - then.value
