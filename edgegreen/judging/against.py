"""One run against another: per trial how much faster and leaner, and how surely. Shows nothing.

Compared is the run after with the run before: a ratio of 0.9 is a tenth less than before. Either may be
several runs of the same, whose trials are pooled as independent starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from edgegreen.config.limitkeys import Regression
from edgegreen.errors import InputError
from edgegreen.history import runs
from edgegreen.history.kept import Kept
from edgegreen.judging import accuracies, changes, pairing
from edgegreen.judging.accuracies import AccuracySeen
from edgegreen.judging.changes import Change, Starts
from edgegreen.judging.pairing import Difference, Pair
from edgegreen.measurement import Measurement, Record, Run, Tuning

EMULATED = "an emulated board has no speed and no energy to compare"


class Compared(Record):
    """A trial in both runs. A change is None where there is none to tell; the notes say why.

    `doubts` say why a reading of either is not to be trusted. `compared` is False where `differences` forbid
    it. `missed` are the limits on a regression that are not kept to.
    """

    variant: str
    target: str
    runtime: str
    threads: int
    tuning: Tuning | None
    differences: tuple[Difference, ...]
    compared: bool
    latency: Change | None
    energy: Change | None
    size_change_bytes: int
    metric: str | None
    accuracy_change: float | None
    accuracy_seen: AccuracySeen | None
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    missed: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the readings of both runs are to be trusted."""
        return not self.doubts

    @property
    def failed(self) -> tuple[str, ...]:
        """Why it fails a job: the limits that are not kept to, or what forbids to compare it. In words."""
        if self.compared:
            return self.missed
        return tuple(f"not compared, as they differ in {one}" for one in self.differences)

    def is_of(self, item: Measurement) -> bool:
        """Whether this is about a measurement of the run after."""
        mine = (self.variant, self.target, self.runtime, self.threads, self.tuning)
        return mine == (item.variant, item.target, item.runtime.name, item.threads, item.tuning)


class Side(Record):
    """Which run; `more` are the ids of those that are pooled with it."""

    run_id: str
    recipe: str
    started_at: datetime
    edgegreen: str
    more: tuple[str, ...] = ()


class Absent(Record):
    """A trial that is in one of the runs only."""

    variant: str
    target: str
    threads: int


class Against(Record):
    """Two runs compared: the JSON of `compare`, schema 1."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    before: Side
    after: Side
    trials: tuple[Compared, ...]
    only_before: tuple[Absent, ...]
    only_after: tuple[Absent, ...]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    @property
    def withheld(self) -> bool:
        """Whether trials were not compared for what they differ in."""
        return any(not one.compared for one in self.trials)

    @property
    def missed(self) -> bool:
        """Whether a limit on a regression is not kept to."""
        return any(one.missed for one in self.trials)

    @property
    def nothing_common(self) -> str | None:
        """What the runs differ in that have no trial in common, in words; None where they have one."""
        if self.trials:
            return None
        sides = (
            [(one.variant, one.target, one.threads) for one in side]
            for side in (self.only_before, self.only_after)
        )
        apart = "; ".join(map(str, pairing.unlike(*sides)))
        return f"no trial in common with run {self.before.run_id} ({apart or 'runtimes or settings differ'})"

    def failed_by(self, item: Measurement) -> tuple[str, ...]:
        """Why a measurement of the run after fails a job for what it was before, in words."""
        if self.nothing_common:
            return (self.nothing_common,)
        return next((one.failed for one in self.trials if one.is_of(item)), ())

    def to_json(self) -> str:
        """Indented."""
        return self.model_dump_json(indent=2, by_alias=True)


@dataclass(frozen=True)
class Source(Kept):
    """One side of a comparison: a run; `again` are earlier runs of the same, to be pooled with it."""

    again: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All of them."""
        return self.run, *self.again

    @classmethod
    def of(cls, refs: str, *, recipe: str | None = None, before: str | None = None) -> Source:
        """The run that `refs` means, as `runs.find` has it.

        Several have commas between them; the newest is the run, the others are `again`. Raises InputError.
        """
        kept = (runs.find(ref, recipe=recipe, before=before) for ref in _each(refs))
        *again, newest = sorted(kept, key=lambda one: one.run.started_at)
        remark = next((one.remark for one in (newest, *again) if one.remark), None)
        return cls(newest.run, newest.series, remark, again=tuple(one.run for one in reversed(again)))


def _each(refs: str) -> list[str]:
    """What stands between the commas; all of it where it is a file, whose name has some."""
    try:
        alone = Path(refs).is_file()
    except OSError:  # longer than a name may be
        alone = False
    return [refs] if alone else refs.split(",")


def compare(
    before: Source, after: Source, limits: Regression | None = None, *, force: bool = False
) -> Against:
    """Every trial that both runs have. With `force` also those that differ in more than the model.

    `limits` are those that the run after names where none are given. Runs that have no trial in common give
    one without trials. Raises InputError where both sides are one run, or one that is to be pooled is named
    twice.
    """
    check_apart(before, after)
    limits = after.run.regression if limits is None else limits
    then, now = (pairing.gathered([run.results for run in side.runs]) for side in (before, after))
    found = pairing.pairs([starts[0] for starts in then], [starts[0] for starts in now])
    before_of, after_of = ({id(starts[0]): starts for starts in side} for side in (then, now))
    each = [(before_of[id(pair.before)], after_of[id(pair.after)]) for pair in found.pairs]
    return Against(
        before=_side(before),
        after=_side(after),
        trials=tuple(_compared(first, second, before, after, limits, force=force) for first, second in each),
        only_before=tuple(map(_absent, found.only_before)),
        only_after=tuple(map(_absent, found.only_after)),
    )


def check_apart(before: Source, after: Source) -> None:
    """Raise InputError for a run that were compared, or pooled, with itself: it is no independent start."""
    named = [run.run_id for run in (*before.runs, *after.runs)]
    twice = sorted({one for one in named if named.count(one) > 1})
    if twice and (before.again or after.again):
        raise InputError(
            f"run {twice[0]} is named twice", hint="several runs of a side have to be different ones"
        )
    if twice:
        raise InputError(
            f"both are one run, {twice[0]}: there is nothing to compare it with",
            hint="`edgegreen runs` lists those that are kept",
        )


def _side(of: Source) -> Side:
    run = of.run
    return Side(
        run_id=run.run_id,
        recipe=run.recipe,
        started_at=run.started_at,
        edgegreen=run.edgegreen,
        more=tuple(one.run_id for one in of.again),
    )


def _absent(item: Measurement) -> Absent:
    return Absent(variant=item.variant, target=item.target, threads=item.threads)


def _compared(
    then: Starts, now: Starts, before: Source, after: Source, limits: Regression, *, force: bool
) -> Compared:
    pair = Pair(then[0], now[0])
    inner = dict.fromkeys((*pairing.apart(then, "before"), *pairing.apart(now, "now")))
    differences = (*pair.differences, *inner)
    notes: list[str] = []
    if before.again or after.again:
        notes.append(f"starts that are pooled: {len(then)} before, {len(now)} now")
    latency = energy = None
    if pair.before.emulated or pair.after.emulated:
        notes.append(EMULATED)
    elif force or not differences:
        latency = changes.latency(then, now, before.series, after.series, notes.append)
        energy = changes.energy(then, now, notes.append)
    item, (metric, accuracy_change) = pair.after, accuracies.change(pair)
    made = Compared(
        variant=item.variant,
        target=item.target,
        runtime=item.runtime.name,
        threads=item.threads,
        tuning=item.tuning,
        differences=differences,
        compared=force or not differences,
        latency=latency,
        energy=energy,
        size_change_bytes=item.artifact.size_bytes - pair.before.artifact.size_bytes,
        metric=metric,
        accuracy_change=accuracy_change,
        accuracy_seen=accuracies.seen(pair, before.series, after.series, notes.append),
        doubts=tuple(dict.fromkeys(_doubts(then, now))),
        notes=tuple(notes),
    )
    if not made.compared:
        return made
    over = _over(made, limits, higher_is_better=after.run.higher_is_better)
    return made.model_copy(update={"missed": tuple(over), "notes": (*notes, *_unseen(pair, made, limits))})


def _doubts(then: Starts, now: Starts) -> list[str]:
    """Why readings of either run are not to be trusted."""
    return [
        f"{when}, {reason}"
        for when, starts in (("before", then), ("now", now))
        for item in starts
        if item.verdict != "valid"
        for reason in item.reasons or ("the reading was marked as not to be trusted",)
    ]


def _unseen(pair: Pair, one: Compared, limits: Regression) -> Iterator[str]:
    """Where a rise beyond its limit would probably not have been seen, or a drop may be on either side."""
    for what, change, limit in _of_speed(one, limits):
        if limit is not None and change and change.word == "no difference seen" and change.detectable > limit:
            least, allowed = f"{100 * change.detectable:.2g} %", f"the limit is {100 * limit:.3g} %"
            more = "oftener" if change.by == "starts" else "longer"
            yield f"{what}: less than {least} would hardly be seen, and {allowed}: measure {more}"
    yield from accuracies.unsettled(pair, one.accuracy_seen, limits.accuracy_drop_max)


def _of_speed(one: Compared, limits: Regression) -> tuple[tuple[str, Change | None, float | None], ...]:
    return ("p50", one.latency, limits.slower_max), ("energy", one.energy, limits.energy_more_max)


def _over(one: Compared, limits: Regression, *, higher_is_better: bool) -> Iterator[str]:
    """The limits that are not kept to, in words.

    An absent reading keeps to none, nor does one that is not to be trusted. More than a limit counts where
    the change is one that is seen at all.
    """
    for what, change, limit in _of_speed(one, limits):
        if limit is None or EMULATED in one.notes:
            continue
        allowed = f"the limit is {100 * limit:+.3g} %"
        if change is None:
            yield f"{what} was not compared, and {allowed}"
        elif change.word == "not to be trusted":
            yield f"{what} is not to be trusted, and {allowed}"
        elif change.word in ("slower", "more") and change.ratio - 1 > limit:
            yield f"{what} {100 * (change.ratio - 1):+.3g} %, and {allowed}"
    if limits.accuracy_drop_max is None:
        return
    if one.accuracy_change is None:
        yield f"accuracy was not compared, and the limit of its drop is {limits.accuracy_drop_max:g}"
        return
    drop = -one.accuracy_change if higher_is_better else one.accuracy_change
    if drop > limits.accuracy_drop_max + 1e-9:
        yield f"accuracy dropped by {drop:.4g}, and the limit is {limits.accuracy_drop_max:g}"
