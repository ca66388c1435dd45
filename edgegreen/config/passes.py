"""Compression passes as a recipe names them: types and their defaults. What they do is in `compress/`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from edgegreen.config.references import Beside, Download
from edgegreen.config.yamlfile import Frozen, Matching

Share = Annotated[float, Field(ge=0, lt=1)]


class FineTuning(Frozen):
    """Training after, or within, a pass. It stops early on a part of the training data set aside."""

    epochs: Annotated[int, Field(ge=0, le=100_000)] = 10
    """At most; 0 leaves the weights as the pass made them."""
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    patience: Annotated[int, Field(ge=1, le=10_000)] = 3
    """Epochs without a better validation loss, after which the best weights are taken."""

    @property
    def trains(self) -> bool:
        """Whether it takes training data."""
        return self.epochs > 0


class Prune(FineTuning):
    """Unstructured pruning by magnitude: the smallest weights become zero, and stay it."""

    sparsity: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of zeros in each kernel at the end."""
    pattern: Annotated[str, Matching(r"[1-9]\d?:[1-9]\d?", "N:M, such as 2:4")] | None = None
    """At most N of M consecutive weights along the inputs are kept; stands for `sparsity`."""
    l1: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Penalty on the sum of magnitudes of all kernels while training."""

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if self.pattern:
            kept, of = map(int, self.pattern.split(":"))
            if kept >= of:
                raise ValueError(f"`pattern: {self.pattern}` keeps every weight")
            if "sparsity" in self.model_fields_set:
                raise ValueError("give either `sparsity` or `pattern`")
        return self


class PruneFilters(FineTuning):
    """Structured pruning: whole filters, and all that depends on them, are removed."""

    share: Share | Annotated[dict[str, Share], Field(min_length=1)] = 0.5
    """Share of the filters that go; one for all layers, or by name for those that are to lose any."""
    score: Literal["l1", "l2", "bn", "taylor"] = "l1"
    """What a filter is worth: its norm, the scale of its batch normalisation, or its effect on the loss."""
    steps: Annotated[int, Field(ge=1, le=100)] = 1
    """In how many rounds they are removed."""
    multiple_of: Annotated[int, Field(ge=1, le=256)] = 1
    """As many filters stay as this divides, where there are as many: kernels work on 8 or 16 at once."""
    step_epochs: Annotated[int, Field(ge=0, le=100_000)] = 1
    """Epochs of training between two rounds."""

    @property
    def trains(self) -> bool:
        """Whether it takes training data."""
        return self.epochs > 0 or self.score == "taylor" or (self.steps > 1 and self.step_epochs > 0)


class LowRank(FineTuning):
    """Dense layers and 1×1 convolutions become two thinner ones, where that takes fewer multiplications."""

    energy: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of the sum of squared singular values that is kept."""
    rank: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the full rank that is kept; stands for `energy`."""

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if self.model_fields_set >= {"energy", "rank"}:
            raise ValueError("give either `energy` or `rank`")
        return self


class Fold(Frozen):
    """Batch normalisation, and the normalisation of the input, become part of the layers next to them."""

    batch_norm: bool = True
    input: bool = True
    """The recipe's `data: {normalize}`, and such layers at the front: the model then takes raw values."""

    @property
    def trains(self) -> bool:
        """Whether it takes training data."""
        return False

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.batch_norm or self.input):
            raise ValueError("folds nothing")
        return self


class Cluster(FineTuning):
    """Weight sharing: few distinct values in each kernel, found by k-means."""

    clusters: Annotated[int, Field(ge=2, le=256)] = 16
    """Distinct values at most; zeros an earlier pass made are one of them."""


class Distill(FineTuning):
    """Knowledge distillation: learning from a teacher's answers as well as from the labels."""

    teacher: Beside | Download | None = None
    """A Keras file. Left out: the recipe's model, as it was before any pass."""
    student: Beside | Download | None = None
    """A Keras file. Left out: the model as the passes before have made it."""
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10
    temperature: Annotated[float, Field(gt=0, le=100)] = 4.0
    """Both softmaxes are taken of values divided by this: the higher, the more the lesser classes count."""
    alpha: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Share of the teacher in the loss; the labels have the rest."""


class Qat(FineTuning):
    """Quantisation-aware fine-tuning: training with the rounding of int8 in it."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 10


class Pass(Frozen):
    """One pass: its name, and its parameters below it."""

    prune: Prune | None = None
    prune_filters: PruneFilters | None = None
    fold: Fold | None = None
    low_rank: LowRank | None = None
    cluster: Cluster | None = None
    distill: Distill | None = None
    qat: Qat | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.parameters is None:
            raise ValueError(f"a pass is one of {', '.join(type(self).model_fields)}, with its parameters")
        return self

    @property
    def name(self) -> str:
        """Which one."""
        return next(iter(self.model_fields_set))

    @property
    def takes_raw(self) -> bool:
        """Whether the model it makes takes the recipe's samples as they are, not normalised."""
        return self.fold is not None and self.fold.input

    @property
    def parameters(self) -> Any:
        """Its parameters, of the type that has its name."""
        return getattr(self, self.name)

    @property
    def trains(self) -> bool:
        """Whether it takes training data."""
        return bool(self.parameters.trains)
