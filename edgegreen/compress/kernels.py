"""The weights of a Keras model that multiply inputs, and which of their axes are outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NAMES = ("kernel", "_kernel", "depthwise_kernel", "pointwise_kernel")


@dataclass(frozen=True)
class Kernel:
    """One of them. `outputs` are the axes, from the end, whose product is the number of output channels."""

    variable: Any
    outputs: tuple[int, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        """The other axes: those that are summed over for one output channel."""
        rank = len(self.variable.shape)
        return tuple(axis for axis in range(rank) if axis - rank not in self.outputs)


def kernels_of(model: Any) -> list[Kernel]:
    """Those of convolutions and dense layers, each once, in nested models, wrappers and cells as well.

    `model` may be a single layer as well.
    """
    found: dict[int, Kernel] = {}
    for layer in model._flatten_layers(include_self=True, recursive=True):
        for name in NAMES:
            variable = getattr(layer, name, None)
            if hasattr(variable, "assign"):
                found.setdefault(id(variable), Kernel(variable, _outputs(layer, name)))
    return list(found.values())


def kernels(model: Any) -> list[Any]:
    """Their variables alone."""
    return [kernel.variable for kernel in kernels_of(model)]


def _outputs(layer: Any, name: str) -> tuple[int, ...]:
    """(…, inputs, outputs) but for: depthwise (…, channels, multiplier), transposed (…, outputs, inputs)."""
    import keras

    layers = keras.layers
    if name == "depthwise_kernel" or isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
        return (-2, -1)
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return (-2,)
    if isinstance(layer, layers.EinsumDense):
        _, weights, result = layer.equation.replace("->", ",").replace("...", "").split(",")
        summed = [letter for letter in weights if letter not in result]
        return tuple(index - len(weights) for index, letter in enumerate(weights) if letter not in summed)
    return (-1,)
