"""One run against another: per trial how much faster and leaner, and how surely. Shows nothing.

Compared is the run after with the run before: a ratio of 0.9 is a tenth less than before. Either may be
several runs of the same, whose trials are pooled as independent starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgegreen.config.limitkeys import Regression
from edgegreen.errors import InputError
from edgegreen.history import runs
from edgegreen.history.kept import Kept
from edgegreen.judging import accuracies, changes, pairing, regressions
from edgegreen.judging.changes import Change, Starts
from edgegreen.judging.compared import EMULATED, Absent, Against, Compared, Side
from edgegreen.judging.pairing import Pair
from edgegreen.measurement import Measurement, Run

SAME_FILE = "the same file in both runs: this much is the start, not the model"


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
        model=run.origin.files.get("model") if run.origin else None,
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
    if pair.before.target != pair.after.target:
        notes.append(f"before on {pair.before.target}, now on {pair.after.target}: another target")
    latency = energy = None
    if pair.before.emulated or pair.after.emulated:
        notes.append(EMULATED)
    elif force or not differences:
        latency = changes.latency(then, now, before.series, after.series, notes.append)
        energy = changes.energy(then, now, notes.append)
        if not differences and _same_file(then, now) and any(map(_named, (latency, energy))):
            notes.append(SAME_FILE)
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
    return made.model_copy(
        update={
            "missed": tuple(
                regressions.over(pair, made, limits, higher_is_better=after.run.higher_is_better)
            ),
            "notes": (*notes, *regressions.unseen(pair, made, limits)),
        }
    )


def _same_file(then: Starts, now: Starts) -> bool:
    return len({item.artifact.sha256 for item in (*then, *now)}) == 1


def _named(change: Change | None) -> bool:
    """Whether a word says that it changed."""
    return change is not None and change.word in {"faster", "slower", "less", "more"}


def _doubts(then: Starts, now: Starts) -> list[str]:
    """Why readings of either run are not to be trusted."""
    return [
        f"{when}, {reason}"
        for when, starts in (("before", then), ("now", now))
        for item in starts
        if item.verdict != "valid"
        for reason in item.reasons or ("the reading was marked as not to be trusted",)
    ]
