"""How a trial's readings changed from run to run: latency and energy as ratios, in plain words.

A ratio is after over before. Readings that are not to be trusted are never called faster or slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.errors import InputError
from edgegreen.history.series import SeriesOf
from edgegreen.measurement import Measurement, Record
from edgegreen.statistics import ratio

Word = Literal["faster", "slower", "less", "more", "no difference seen", "not to be trusted"]
By = Literal["calls", "intervals", "starts"]
Starts = Sequence[Measurement]  # of one trial: one, or several that are pooled


class Change(Record):
    """How a reading changed: `ratio` is after over before, with its 95 % interval.

    `detectable` is the least relative change that would have been seen in 8 cases of 10. `by` is where the
    interval comes from: the single `calls`, the 95 % `intervals` of the two readings, or several `starts`.
    """

    ratio: float
    ci95: tuple[float, float]
    detectable: float
    word: Word
    by: By


def latency(
    then: Starts, now: Starts, before: SeriesOf, after: SeriesOf, note: Callable[[str], None]
) -> Change | None:
    """By the calls of both runs, or by the intervals of both medians; of several starts, by these."""
    if len(then) == len(now) == 1:
        calls = _calls(before, then[0]), _calls(after, now[0])
        if calls[0] is not None and calls[1] is not None:
            found = ratio.of_medians(calls[0], calls[1])
            return _change(found, (*then, *now), ("faster", "slower"), "calls")
        note("p50 by the intervals of both medians: the times of single calls are not kept, or too few")
    return _by_intervals(then, now, ("faster", "slower"), "p50", note)


def energy(then: Starts, now: Starts, note: Callable[[str], None]) -> Change | None:
    """By the intervals of both: they know of drifts, resolution and clocks, which no resample would show."""
    with_one = [[item for item in side if item.energy] for side in (then, now)]
    if not all(with_one):
        if any(with_one):
            absent = (now if with_one[0] else then)[0].energy_absent or "it was not measured"
            note(f"energy is that of {'the run before' if with_one[0] else 'this run'} only: {absent}")
        return None
    if sum(map(len, with_one)) < len(then) + len(now):
        note(f"energy is that of some starts only: {len(with_one[0])} before, {len(with_one[1])} now")
    return _by_intervals(with_one[0], with_one[1], ("less", "more"), "energy", note)


def _reading(item: Measurement, what: Literal["p50", "energy"]) -> ratio.Reading:
    if what == "p50":
        return ratio.Reading(item.latency_ms.p50, item.latency_ms.ci95)
    assert item.energy is not None
    return ratio.Reading(item.energy.per_inference_mj, item.energy.ci95_mj)


def _by_intervals(
    then: Starts,
    now: Starts,
    names: tuple[Word, Word],
    what: Literal["p50", "energy"],
    note: Callable[[str], None],
) -> Change | None:
    before, after = ([_reading(item, what) for item in side] for side in (then, now))
    try:
        if len(then) == len(now) == 1:
            return _change(ratio.of_intervals(*before, *after), (*then, *now), names, "intervals")
        return _change(ratio.of_starts(before, after), (*then, *now), names, "starts")
    except ValueError:
        note(f"{what} has no ratio: it cannot be told from nothing in one of the runs")
        return None


def _change(found: ratio.Ratio, items: Starts, names: tuple[Word, Word], by: By) -> Change:
    """With the word for it: of `names`, those for less and for more, only where the readings are valid."""
    word: Word = names[found.value > 1] if found.differs else "no difference seen"
    if any(item.verdict == "invalid" for item in items):
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


def per_cent(share: float, digits: int = 2) -> str:
    """`2.5 %`, `250 %`: so many digits count, and none is in exponent form."""
    return f"{float(f'{100 * share:.{digits}g}'):.12g} %"
