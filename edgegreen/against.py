"""One run against another: per trial how much faster and leaner, and how surely. Shows nothing.

Compared is the run after with the run before: a ratio of 0.9 is a tenth less than before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from edgegreen import changes, pairing
from edgegreen.changes import Change
from edgegreen.errors import InputError
from edgegreen.kept import Kept
from edgegreen.measurement import Measurement, Record, Run, Tuning
from edgegreen.pairing import Difference, Pair
from edgegreen.recipe import Regression

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
    doubts: tuple[str, ...]
    notes: tuple[str, ...]
    missed: tuple[str, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the readings of both runs are to be trusted."""
        return not self.doubts


class Side(Record):
    """Which run."""

    run_id: str
    recipe: str
    started_at: datetime
    edgegreen: str


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

    def to_json(self) -> str:
        """Indented."""
        return self.model_dump_json(indent=2, by_alias=True)


def compare(before: Kept, after: Kept, limits: Regression | None = None, *, force: bool = False) -> Against:
    """Every trial that both runs have. With `force` also those that differ in more than the model.

    Raises InputError when they have none in common.
    """
    found = pairing.pairs(before.run.results, after.run.results)
    if not found.pairs:
        raise InputError(
            f"runs {before.run.run_id} and {after.run.run_id} have no trial in common",
            hint=f"the first has {_variants(before.run)}; the second has {_variants(after.run)}",
        )
    return Against(
        before=_side(before.run),
        after=_side(after.run),
        trials=tuple(
            _compared(pair, before, after, limits or Regression(), force=force) for pair in found.pairs
        ),
        only_before=tuple(map(_absent, found.only_before)),
        only_after=tuple(map(_absent, found.only_after)),
    )


def _variants(run: Run) -> str:
    return ", ".join(dict.fromkeys(item.variant for item in run.results)) or "no results"


def _side(run: Run) -> Side:
    return Side(run_id=run.run_id, recipe=run.recipe, started_at=run.started_at, edgegreen=run.edgegreen)


def _absent(item: Measurement) -> Absent:
    return Absent(variant=item.variant, target=item.target, threads=item.threads)


def _compared(pair: Pair, before: Kept, after: Kept, limits: Regression, *, force: bool) -> Compared:
    differences = pair.differences
    notes: list[str] = []
    latency = energy = None
    if pair.before.emulated or pair.after.emulated:
        notes.append(EMULATED)
    elif force or not differences:
        latency = changes.latency(pair, before.series, after.series, notes.append)
        energy = changes.energy(pair, notes.append)
    item, (metric, accuracy_change) = pair.after, changes.accuracy(pair)
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
        doubts=tuple(_doubts(pair)),
        notes=tuple(notes),
    )
    if not made.compared:
        return made
    over = _over(made, limits, higher_is_better=after.run.higher_is_better)
    return made.model_copy(update={"missed": tuple(over), "notes": (*notes, *_unseen(made, limits))})


def _doubts(pair: Pair) -> list[str]:
    """Why readings of either run are not to be trusted."""
    return [
        f"{when}, {reason}"
        for when, item in (("before", pair.before), ("now", pair.after))
        if item.verdict != "valid"
        for reason in item.reasons or ("the reading was marked as not to be trusted",)
    ]


def _unseen(one: Compared, limits: Regression) -> Iterator[str]:
    """Where a rise beyond its limit would probably not have been seen."""
    for what, change, limit in _of_speed(one, limits):
        if limit is not None and change and change.word == "no difference seen" and change.detectable > limit:
            least, allowed = f"{100 * change.detectable:.2g} %", f"the limit is {100 * limit:.3g} %"
            yield f"{what}: less than {least} would hardly be seen, and {allowed}: measure longer"


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
