"""What a search makes small besides the loss of accuracy, and how a measurement counts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgegreen.measurement import Measurement

ObjectiveName = Literal["energy", "latency", "size", "compressed"]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Objective:
    """A quantity of a measurement that is to be small. `interval` is its 95 % one, where it is uncertain."""

    name: ObjectiveName
    heading: str
    of: Callable[[Measurement], float | None]
    interval: Callable[[Measurement], Interval | None]
    of_speed: bool
    """Whether it depends on the board's speed, of which an emulated one says nothing."""


def _certain(_: Measurement) -> Interval | None:
    return None


OBJECTIVES: dict[ObjectiveName, Objective] = {
    "energy": Objective(
        "energy", "mJ/inference",
        lambda m: m.energy.per_inference_mj if m.energy else None,
        lambda m: m.energy.ci95_mj if m.energy else None,
        of_speed=True,
    ),
    "latency": Objective(
        "latency", "p50 ms", lambda m: m.latency_ms.p50, lambda m: m.latency_ms.ci95, of_speed=True
    ),
    "size": Objective("size", "Size", lambda m: m.artifact.size_bytes, _certain, of_speed=False),
    "compressed": Objective(
        "compressed", "Deflated", lambda m: m.artifact.compressed_bytes, _certain, of_speed=False
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Score:
    """How a measurement counts: the loss of accuracy in the metric's own unit, and the objective's value."""

    drop: float
    value: float
    interval: Interval | None = None


def score(item: Measurement, objective: Objective, *, higher_is_better: bool) -> Score | str:
    """How it counts; in words why it does not, where it does not."""
    # A busy board makes a size no less true; outputs that are wrong there do.
    doubts = item.reasons if objective.of_speed else item.conditions.get("outputs_doubted", item.reasons)
    if doubts:
        return f"not to be trusted: {doubts[0]}"
    if item.accuracy is None or item.accuracy.baseline is None:
        return "its accuracy was not measured"
    if objective.of_speed and item.emulated:
        return f"an emulated board has no {objective.name}"
    value = objective.of(item)
    if value is None:
        return item.energy_absent or f"its {objective.name} was not measured"
    loss = item.accuracy.baseline - item.accuracy.value
    return Score(loss if higher_is_better else -loss, value, objective.interval(item))
