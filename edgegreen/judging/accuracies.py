"""How a trial's accuracy changed from run to run, and how sure that is: by the samples, where both tell them.

Two runs that were scored on the same samples are paired: what counts is on how many of these they part. Runs
that do not tell which they got right are taken for two independent draws, whose interval is wider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from edgegreen.errors import InputError
from edgegreen.history import hits
from edgegreen.history.hits import COUNTED, Hits
from edgegreen.history.series import SeriesOf
from edgegreen.judging import limits
from edgegreen.judging.pairing import Pair
from edgegreen.measurement import Accuracy, Measurement, Record
from edgegreen.statistics import shares
from edgegreen.statistics.shares import Gap, Share, Table

Word = Literal["better", "worse", "no difference seen", "not to be trusted"]
NO_INTERVAL = "no interval of its change, as the samples' own scores are not kept"
OTHER_SAMPLES = "the two were scored on different samples"
Note = Callable[[str], None]


class AccuracySeen(Record):
    """How sure a change of accuracy is: its 95 % interval and the least that would have been seen.

    Where it is `paired` over `samples`, `lost` of these were right before only, and `gained` now only.
    """

    ci95: tuple[float, float]
    detectable: float
    word: Word
    by: Literal["paired", "unpaired"]
    samples: int | None = None
    lost: int | None = None
    gained: int | None = None


def change(pair: Pair) -> tuple[str | None, float | None]:
    """The metric that both have, and how it changed."""
    both = _both(pair)
    return (both[1].metric, both[1].value - both[0].value) if both else (None, None)


def seen(pair: Pair, before: SeriesOf, after: SeriesOf, note: Note) -> AccuracySeen | None:
    """How sure that change is; None, and why, where nothing says how many samples it hangs on."""
    both = _both(pair)
    if both is None:
        return None
    then, now = both
    if now.metric not in COUNTED:
        if now.value != then.value:
            note(f"{now.metric} has {NO_INTERVAL}")
        return None
    kept = _kept(before, pair.before, then), _kept(after, pair.after, now)
    if found := hits.pair(*kept):
        return _paired(pair, Table.of(*found), now.metric, note)
    if now.value != then.value:
        note(f"{now.metric} unpaired: {_why(*kept)}")
    gap = shares.gap(Share(then.value, then.n), Share(now.value, now.n))
    return AccuracySeen(ci95=gap.ci95, detectable=gap.detectable, word=_word(pair, gap), by="unpaired")


def unsettled(pair: Pair, seen: AccuracySeen | None, limit: float | None) -> Iterator[str]:
    """That the samples do not settle whether the metric dropped by more than a limit, if so."""
    both = _both(pair)
    if both is None or seen is None or limit is None or seen.word == "not to be trusted":
        return
    if said := limits.unsettled(both[1].value - both[0].value, seen.ci95, limit, both[1].n):
        yield said


def _paired(pair: Pair, table: Table, metric: str, note: Note) -> AccuracySeen:
    gap = shares.paired_gap(table)
    if table.lost or table.gained:
        parted = f"{table.lost} right before only, {table.gained} now only"
        note(f"{metric} paired over {table.n} samples: {parted}")
    return AccuracySeen(
        ci95=gap.ci95,
        detectable=gap.detectable,
        word=_word(pair, gap),
        by="paired",
        samples=table.n,
        lost=table.lost,
        gained=table.gained,
    )


def _word(pair: Pair, gap: Gap) -> Word:
    if any(limits.LIMITED["accuracy_drop_max"].doubted(item) for item in (pair.before, pair.after)):
        return "not to be trusted"
    if not gap.differs:
        return "no difference seen"
    return "better" if gap.value > 0 else "worse"


def _both(pair: Pair) -> tuple[Accuracy, Accuracy] | None:
    """The accuracies before and now, where both are there and of one metric."""
    then, now = pair.before.accuracy, pair.after.accuracy
    return (then, now) if then and now and then.metric == now.metric else None


def _kept(series: SeriesOf, item: Measurement, score: Accuracy) -> Hits | None:
    """Which samples a measurement got right; None where that is not kept, or is that of another one."""
    try:
        kept = series(item)
    except InputError:
        return None
    found = kept.hits if kept else None
    return found if found and found.are_of(score.metric, score.value, score.n) else None


def _why(before: Hits | None, after: Hits | None) -> str:
    """Why two scores cannot be paired."""
    if before and after:
        return OTHER_SAMPLES
    of = "either run" if not (before or after) else "this run" if before else "the run before"
    return f"which samples were right is not kept of {of}"
