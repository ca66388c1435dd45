"""What comes of comparing two runs: types, and what they say of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from edgegreen.judging import pairing
from edgegreen.judging.accuracies import AccuracySeen
from edgegreen.judging.changes import Change
from edgegreen.judging.pairing import Difference
from edgegreen.measurement import Measurement, Record, Tuning

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
    """Which run; `more` are the ids of those that are pooled with it, `model` is its source's sha256."""

    run_id: str
    recipe: str
    started_at: datetime
    edgegreen: str
    more: tuple[str, ...] = ()
    model: str | None = None


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
    def notes(self) -> tuple[str, ...]:
        """What the runs are made from that differs, in words; nothing of models that are not told."""
        before, after = self.before, self.after
        said = []
        if before.recipe != after.recipe:
            said.append(f"two recipes: {before.recipe} before, {after.recipe} now")
        if before.model and after.model and before.model != after.model:
            said.append(f"two source models: sha256 {before.model[:12]} before, {after.model[:12]} now")
        return tuple(said)

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
