"""One trial on a board whose agent runs: measured, judged, and measured again where that may help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgegreen.artifact import Artifact
from edgegreen.client import Agent, Board, Job
from edgegreen.client.readings import OnProgress
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.deployment import Deployment
from edgegreen.history.series import Series
from edgegreen.measurement import Measurement
from edgegreen.measuring import metering, results
from edgegreen.measuring.evaluation import Evaluation
from edgegreen.measuring.results import Result
from edgegreen.measuring.tuning import Tuner
from edgegreen.plan import Trial


@dataclass(frozen=True)
class Station:
    """A board with its agent running and everything in place."""

    agent: Agent
    tuner: Tuner
    board: Board
    placed: Deployment


@dataclass(frozen=True)
class Attempt:
    """A trial and what measuring it takes. `note` passes on a line for the user."""

    trial: Trial
    artifact: Artifact
    job: Job
    evaluation: Evaluation
    benchmark: Benchmark
    progress: OnProgress
    note: Callable[[str], None]


def measure(at: Station, attempt: Attempt, keep: Callable[[Measurement, Series], None]) -> None:
    """Measure, again while the reading cannot be trusted and the recipe allows; `keep` gets the best.

    It gets it too when a repetition fails, before that error is raised: DeviceError, UnreachableError; or
    InputError, when the metric cannot be computed.
    What lies in the outputs or the runtime is no matter of chance and not repeated; nor is the accuracy pass.
    """
    made = [_once(at, attempt, attempt.job)]
    again = replace(attempt.job, evaluate=False, profile=False)
    try:
        for number in range(attempt.benchmark.retry_invalid):
            passing = made[-1].passing
            if not passing:
                break
            attempt.note(f"{attempt.trial.variant_name}: {passing[0]}; measuring again ({number + 1})")
            made.append(_once(at, attempt, again))
    finally:
        keep(*_best(made))
    if attempt.evaluation.error:  # the metric's fault; what the board measured is kept above
        raise attempt.evaluation.error


def _once(at: Station, attempt: Attempt, job: Job) -> Result:
    with metering.recording(attempt.trial.target, at.agent.clock) as recorded:
        raw = at.agent.measure(job, attempt.progress, attempt.evaluation.update)
        record = recorded(raw.observed)
    return results.measurement(
        attempt.trial,
        attempt.artifact,
        at.board,
        raw,
        attempt.evaluation,
        record=record,
        cool_to_c=attempt.benchmark.cool_to_c,
    )


def _best(made: list[Result]) -> tuple[Measurement, Series]:
    """The one with the fewest reasons against it, with a word on all if there were several."""
    best = min(made, key=lambda one: len(one.measurement.reasons))
    item = best.measurement
    if len(made) > 1:
        attempts = [_told(one.measurement, kept=one is best) for one in made]
        item = item.model_copy(update={"conditions": {**item.conditions, "attempts": attempts}})
    return item, best.series


def _told(one: Measurement, *, kept: bool) -> dict[str, Any]:
    energy_mj = one.energy.per_inference_mj if one.energy else None
    return {"p50_ms": one.latency_ms.p50, "energy_mj": energy_mj, "reasons": one.reasons, "kept": kept}
