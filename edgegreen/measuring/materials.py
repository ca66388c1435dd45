"""What every target's share of a run is given: things to measure, and somewhere to put what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from edgegreen.artifact import Artifact, File
from edgegreen.history.series import Series
from edgegreen.locked.lock import Lock
from edgegreen.measurement import Failure, Measurement
from edgegreen.measuring.engines import Fewer
from edgegreen.measuring.evaluation import Baseline, EvaluationSet
from edgegreen.metrics import Outputs
from edgegreen.plan import Trial


class Ledger(Protocol):
    """Where results and failures go, and word of what goes on. Safe to call from many threads."""

    run_id: str

    def result(self, measurement: Measurement, behind: Series) -> None:
        """Keep a measurement and the series behind it."""

    def failure(self, failure: Failure) -> None:
        """Keep a failure."""

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """Say what goes on; `done` is a share from 0 to 1."""

    def finish(self, who: str, doing: str) -> None:
        """Say that `who` is through."""

    def note(self, who: str, text: str) -> None:
        """Say something that stays to be read."""

    def outdated(self, measurement: Measurement) -> None:
        """Drop what an earlier run measured: the model has changed since."""


@dataclass(frozen=True)
class Materials:
    """What every target needs: built, or about to be.

    `expected` holds, by variant, the host's outputs of the same file on the first evaluation samples;
    `unchanged` names the variants that were built before. `earlier` are the results of the run that is taken
    up again; none in a new one. `lock` is what boards have to be as, if they have to be. `fewer` is the part
    of the evaluation set that engines are evaluated on.
    """

    agent: File
    evaluation: EvaluationSet | None
    artifacts: Mapping[str, Future[Artifact]]
    expected: Mapping[str, Future[Outputs | None]]
    unchanged: frozenset[str]
    baseline_accuracy: Future[Baseline | None]
    fewer: Fewer | None
    earlier: tuple[Measurement, ...] = ()
    lock: Lock | None = None

    def of_earlier(self, trial: Trial) -> Measurement | None:
        """What the earlier run measured in this trial."""
        key = (trial.target.name, trial.variant_name, trial.threads, trial.tuning)
        found = (one for one in self.earlier if (one.target, one.variant, one.threads, one.tuning) == key)
        return next((one for one in found if one.runtime.name in trial.runtimes), None)
