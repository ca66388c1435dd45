"""The recipe's `budgets:` and `regression:`: what a row must keep to; `judging/limits.py` says if it does."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_serializer

from edgegreen.config import shares
from edgegreen.config.yamlfile import Frozen, Positive

Number = Annotated[float, Field(ge=0)]
Percentage = Annotated[str, Field(pattern=r"^[0-9.]+ ?%$")]
Share = Annotated[
    Number,
    BeforeValidator(
        lambda value: shares.parse(value) if isinstance(value, str) else value,
        json_schema_input_type=Number | Percentage,
    ),
]
"""A number, or per cent as `5%`."""


class Limits(Frozen):
    """What a row must keep to; a miss makes the exit code 1."""

    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against the float model on the host, in the metric's own unit (0.01 = one point)."""
    latency_p50_ms_max: Positive | None = None
    latency_p95_ms_max: Positive | None = None
    latency_p99_ms_max: Positive | None = None
    first_inference_ms_max: Positive | None = None
    """Of the first call after loading, which nothing has warmed up."""
    size_bytes_max: Annotated[int, Field(gt=0)] | None = None
    peak_rss_bytes_max: Annotated[int, Field(gt=0)] | None = None
    energy_mj_max: Positive | None = None
    """Of one inference, above idle."""
    power_w_max: Positive | None = None
    """While the model runs, idle power with it."""
    valid: bool | None = None
    """`true`: every reading has to be one that can be trusted."""

    @property
    def given(self) -> dict[str, Any]:
        """Those that are set, by key. One on a reading that is absent, or not to be trusted, is not kept."""
        values = {key: getattr(self, key) for key in Limits.model_fields}
        return {key: limit for key, limit in values.items() if limit is not None and limit is not False}


class Budgets(Limits):
    """The limits of every target, and those that hold on single ones."""

    targets: dict[Annotated[str, Field(min_length=1)], Limits] = {}
    """By a target's name: the limits that hold there instead; a limit that is `null` there is lifted."""

    def on(self, target: str) -> Limits:
        """The limits that hold on a target; those of a board hold for its replay as well."""
        own = self.targets.get(target) or self.targets.get(target.removeprefix("replay:")) or Limits()
        given = {name: getattr(self, name) for name in Limits.model_fields}
        return Limits(**given | {name: getattr(own, name) for name in own.model_fields_set})

    @field_serializer("targets")
    def _as_given(self, targets: dict[str, Limits]) -> dict[str, dict[str, Any]]:
        """What was left out is not what was lifted."""
        return {name: own.model_dump(exclude_unset=True) for name, own in targets.items()}


class Regression(Frozen):
    """How much worse than in the run of `deploy --against` a trial may be; more makes the exit code 1."""

    slower_max: Share | None = None
    """Largest rise of p50, as a share: 5%, or 0.05."""
    energy_more_max: Share | None = None
    """Largest rise of the energy of an inference, as a share."""
    accuracy_drop_max: Annotated[float, Field(ge=0)] | None = None
    """Largest loss against that run, in the metric's own unit (0.01 = one point)."""
