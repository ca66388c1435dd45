"""Which channels of a model hang together, so that removing one filter removes all that depends on it.

Every channel of every tensor carries a mark. A convolution or dense layer gives its outputs new marks;
other layers pass them on as they move channels about (a concatenation puts them side by side, a flattening
repeats them for each position); an addition makes the marks of its two sides one. What has one mark in the
end goes or stays together (the dependency groups of Fang et al. 2023, arXiv:2301.12900, found by going
forward once). Marks that reach a layer not known here, or the model's outputs, are fixed, with the reason.
Channels are last; a model with channels first is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress import graph

Marks = NDArray[np.int64]
"""One mark for each channel of a tensor."""
OUTPUT, INPUT = "it is the model's output", "it is the model's input"


class NotUnderstood(Exception):
    """What an operation does to channels is not known; the text says why, after the operation's name."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's marks, and its shape with the batch first."""

    marks: Marks
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Use:
    """What an operation takes and gives: marks of its (first) input's channels and of its output's."""

    operation: Any
    taken: Marks
    given: Marks


@dataclass
class Channels:
    """The marks of a model. `owners[m]` is the layer that made mark m, None for the model's inputs."""

    uses: dict[int, Use] = field(default_factory=dict)
    owners: list[str | None] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)
    _reasons: dict[int, str] = field(default_factory=dict)

    def new(self, count: int, owner: str | None) -> Marks:
        """Marks for the outputs of a layer."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        self.owners += [owner] * count
        return np.arange(first, first + count)

    def root(self, mark: int) -> int:
        """The mark that stands for all that are one with this."""
        while self._parents[mark] != mark:
            self._parents[mark] = mark = self._parents[self._parents[mark]]
        return mark

    def roots(self, marks: Marks) -> Marks:
        """`root` of each."""
        return np.array([self.root(int(mark)) for mark in marks], np.int64)

    def join(self, some: Marks, others: Marks) -> None:
        """Make one of them, channel by channel."""
        for one, other in zip(some, others, strict=True):
            first, second = sorted((self.root(int(one)), self.root(int(other))))
            self._parents[second] = first
            if second in self._reasons:
                self._reasons.setdefault(first, self._reasons.pop(second))

    def fix(self, marks: Marks, reason: str) -> None:
        """These are never removed. The first reason is kept, but for being the model's output."""
        for mark in {self.root(int(one)) for one in marks}:
            self._reasons[mark] = reason if reason == OUTPUT else self._reasons.get(mark, reason)

    def reason(self, mark: int) -> str | None:
        """Why this mark is never removed, None if it may be."""
        return self._reasons.get(self.root(mark))


def read(model: Any) -> Channels:
    """Mark the model's channels."""
    import keras

    channels = Channels()

    def apply(operation: Any, args: Any, kwargs: Any, node: Any) -> list[Tensor]:
        flat = keras.tree.flatten((args, kwargs))
        taken = [one for one in flat if isinstance(one, Tensor)]
        shapes = [tuple(one.shape) for one in node.outputs]
        try:
            if any(getattr(one, "ndim", 0) for one in flat):
                raise NotUnderstood("has a constant beside its inputs")
            given = _given(channels, operation, taken, shapes)
        except NotUnderstood as reason:
            why = f"`{operation.name}` {reason}"
            for one in taken:
                channels.fix(one.marks, why)
            given = [channels.new(_count(shape), None) for shape in shapes]
            for marks in given:
                channels.fix(marks, why)
        else:
            _note_use(channels, operation, taken, given[0])
        return [Tensor(marks, shape) for marks, shape in zip(given, shapes, strict=True)]

    inputs = [Tensor(channels.new(_count(one.shape), None), tuple(one.shape)) for one in model.inputs]
    for one in inputs:
        channels.fix(one.marks, INPUT)
    for output in graph.run(model, inputs, apply):
        channels.fix(output.marks, OUTPUT)
    return channels


def _count(shape: Sequence[int | None]) -> int:
    """How many channels; one where that is dynamic."""
    return (shape[-1] if shape else None) or 1


def _given(
    channels: Channels, operation: Any, taken: Sequence[Tensor], shapes: Sequence[tuple[int | None, ...]]
) -> list[Marks]:
    """The marks of the outputs. Raises NotUnderstood."""
    kind = graph.kind_of(operation)
    if kind not in RULES:
        raise NotUnderstood(f"is a {kind}, which may look at all channels at once")
    if getattr(operation, "data_format", None) == "channels_first":
        raise NotUnderstood("has its channels first")
    if len(shapes) != 1 or not taken:
        raise NotUnderstood(f"is a {kind} with {len(taken)} inputs and {len(shapes)} outputs")
    return [RULES[kind](channels, operation, taken, shapes[0])]


def _note_use(channels: Channels, operation: Any, taken: Sequence[Tensor], given: Marks) -> None:
    """Note what a layer takes and gives; used again, its weights tie the two uses together."""
    earlier = channels.uses.setdefault(id(operation), Use(operation, taken[0].marks, given))
    if earlier.taken is not taken[0].marks and len(taken) == 1 and getattr(operation, "weights", None):
        channels.join(earlier.taken, taken[0].marks)


def _filters(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:  # noqa: ARG001
    """A layer with filters of its own: convolution, dense."""
    if getattr(layer, "groups", 1) != 1:
        raise NotUnderstood("is a convolution in groups")
    if id(layer) in channels.uses:
        return channels.uses[id(layer)].given
    marks = channels.new(shape[-1], layer.name)
    if getattr(getattr(layer, "activation", None), "__name__", "") in ("softmax", "log_softmax"):
        channels.fix(marks, f"`{layer.name}` has a softmax over its channels")
    return marks


def _depthwise(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:  # noqa: ARG001
    return np.repeat(taken[0].marks, layer.depth_multiplier)


def _same(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:  # noqa: ARG001
    """Each channel for itself, in its place."""
    if len(taken) != 1 or taken[0].shape[-1] != shape[-1]:
        raise NotUnderstood("takes several inputs")
    if np.ndim(getattr(layer, "scale", 0)) or np.ndim(getattr(layer, "offset", 0)):
        raise NotUnderstood("has constants for each channel")
    if getattr(getattr(layer, "activation", None), "__name__", "") in ("softmax", "log_softmax"):
        raise NotUnderstood("has a softmax over its channels")
    if getattr(layer, "axis", -1) not in (-1, len(taken[0].shape) - 1, [-1], [len(taken[0].shape) - 1]):
        raise NotUnderstood(f"works along axis {layer.axis}")
    return taken[0].marks


def _merge(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:
    """Element by element: the sides' channels hang together."""
    if len({len(one.shape) for one in taken}) != 1:
        raise NotUnderstood("takes inputs of different ranks")
    whole = next(one for one in taken if one.shape[-1] == shape[-1])
    for one in taken:
        if one.shape[-1] == shape[-1]:
            channels.join(whole.marks, one.marks)
        else:
            channels.fix(one.marks, f"`{layer.name}` spreads it over several channels")
    return whole.marks


def _concatenate(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:
    if layer.axis in (-1, len(shape) - 1):
        return np.concatenate([one.marks for one in taken])
    return _merge(channels, layer, taken, shape)


def _reshape(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:  # noqa: ARG001
    """Flatten and Reshape, where each of the new channels is one of the old at one place."""
    before = taken[0].shape[1:]
    if None in before or None in shape[1:]:
        raise NotUnderstood("has a dynamic shape")
    whole = np.broadcast_to(taken[0].marks, [size or 1 for size in before]).reshape(shape[1:])
    rows = whole.reshape(math.prod(shape[1:-1]), shape[-1])
    if not (rows == rows[0]).all():
        raise NotUnderstood("mixes channels with places")
    marks: Marks = rows[0].copy()
    return marks


def _permute(channels: Channels, layer: Any, taken: Sequence[Tensor], shape: Any) -> Marks:  # noqa: ARG001
    if layer.dims[-1] != len(shape) - 1:
        raise NotUnderstood("moves channels to another axis")
    return taken[0].marks


Rule = Callable[[Channels, Any, Sequence[Tensor], Any], Marks]
FILTERS = (
    "Dense", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose",
    "SeparableConv1D", "SeparableConv2D",
)  # fmt: skip
PASSED_ON = (
    "Activation", "BatchNormalization", "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "Identity",
    "LeakyReLU", "PReLU", "ReLU", "Rescaling", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
    "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling2D", "UpSampling3D",
    "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    "Relu", "Relu6", "Elu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSilu", "Silu", "Tanh", "Gelu",
)  # fmt: skip
MERGES = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Average", "Maximum", "Minimum")
# By the name of Keras' class; layers, and operations of keras.ops.
RULES: dict[str, Rule] = {
    **dict.fromkeys(FILTERS, _filters),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(PASSED_ON, _same),
    **dict.fromkeys(MERGES, _merge),
    "Concatenate": _concatenate,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Permute": _permute,
}
