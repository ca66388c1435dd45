"""The recipe's `data:`: the files of samples, what raw ones go through, and what accuracy is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgegreen.agent.normalize import Normalize
from edgegreen.config.references import Beside, Download, beside_the_recipe
from edgegreen.config.yamlfile import Frozen, Matching

Loss = Literal["crossentropy", "mse"]
Metric = Literal["top1", "top5", "mse", "auc"]
Real = float | Annotated[tuple[float, ...], Field(min_length=1)]


class Hook(Frozen):
    """A metric of your own: a Python function on the host that is given the device's outputs."""

    python: Annotated[str, Matching(r"[^:]+\.py:[A-Za-z_]\w*", "`file.py:function`")]
    """`file.py:function`, relative to the recipe; called as `function(outputs, y) -> float`."""
    higher_is_better: bool = True

    @field_validator("python")
    @classmethod
    def _file_beside_the_recipe(cls, value: str, info: ValidationInfo) -> str:
        return str(beside_the_recipe(Path(value), info))


class Normalization(Frozen):
    """What the model was trained with: (raw − mean) / std, or (raw − mean) · scale."""

    mean: Real = 0.0
    """In the data's own units; one for all, or one for each channel."""
    std: Real | None = None
    scale: Real | None = None
    """Stands for `std`: 1 / std."""

    @model_validator(mode="after")
    def _one_scale(self) -> Self:
        if (self.std is None) == (self.scale is None):
            raise ValueError("give either `std` or `scale`")
        if 0 in _several(self.std if self.scale is None else self.scale):
            raise ValueError("0 leaves nothing of the data")
        if len({len(self.steps.mean), len(self.steps.scale)} - {1}) > 1:
            raise ValueError("`mean` and `std` or `scale` are for different numbers of channels")
        return self

    @property
    def steps(self) -> Normalize:
        """As the board and the host do it."""
        scale = tuple(1 / one for one in _several(self.std)) if self.scale is None else _several(self.scale)
        return Normalize(_several(self.mean), scale)


def _several(values: Real | None) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values or 0.0,)


class Data(Frozen):
    """npz files with `x` (samples, ...) and `y`; several inputs are `x0`, `x1`, ..."""

    calibration: Beside | Download | None = None
    """Representative inputs; integer variants are calibrated on these and nothing else."""
    evaluation: Beside | Download | None = None
    """What accuracy is measured on, on the device. Never used to build a variant."""
    training: Beside | Download | None = None
    """What passes train on, and precision is chosen on: `x` and `y`, apart from the evaluation data."""
    normalize: Normalization | None = None
    """What raw samples go through before the model takes them; left out: they are what it takes."""
    validation: Beside | Download | Annotated[float, Field(gt=0, lt=1)] | None = None
    """What a search chooses on; a share such as 0.2 is cut off `training`, and passes do not see it."""
    metric: Metric | Hook = "top1"
    loss: Loss | None = None
    """What passes train for; left out: what fits the metric."""

    @model_validator(mode="after")
    def _share_of_something(self) -> Self:
        if isinstance(self.validation, float) and self.training is None:
            raise ValueError("`validation` is a share of `training`, which is missing")
        return self
