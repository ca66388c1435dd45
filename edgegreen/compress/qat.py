"""Quantisation-aware fine-tuning: the model learns to live with int8 rounding before a converter brings it.

The rounding is that of the int8 files made later (Jacob et al. 2018, arXiv:1712.05877; Krishnamoorthi 2018,
arXiv:1806.08342): kernels symmetric in −127 … 127 for each output channel, activations asymmetric in 256
steps between the least and the largest value of the tensor, as the converters calibrate them. It is put where
they round: what they fuse (convolution, batch normalisation, ReLU) is rounded once, behind it. Gradients pass
through the rounding as if it were not there (straight-through, Bengio et al. 2013, arXiv:1308.3432).

Batch normalisation uses its stored statistics, as it does once it is folded into a kernel; symmetric rounding
by channel is the same before that as after it. What comes out is the plain float model with other weights,
which every converter takes: it is still calibrated on the calibration data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from edgegreen.compress.kernels import kernels_of
from edgegreen.compress.training import Training
from edgegreen.config.passes import Qat

# Layers that round nothing: their outputs are among their inputs' values.
PASSING = (
    "Concatenate", "Cropping1D", "Cropping2D", "Dropout", "Flatten", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "Identity", "MaxPooling1D", "MaxPooling2D", "Permute", "RepeatVector", "Reshape",
    "SpatialDropout1D", "SpatialDropout2D", "ZeroPadding1D", "ZeroPadding2D",
)  # fmt: skip
TINY = 1e-12  # a tensor of zeros has a step all the same
FUSED = ("linear", "relu", "relu6")  # activations computed with what comes before them, before it is rounded


def apply(model: Any, parameters: Qat, training: Training) -> Any:
    """The model, fine-tuned in place."""
    task = training.task(model)  # of the float model, whose outputs say more plainly what they are
    training.fit(rounded(model), parameters, task=task)
    return model


def rounded(model: Any) -> Any:
    """A model over the same variables that computes as an int8 one would."""
    import keras

    return _Rounding().of(keras.Model(model.inputs, model.outputs))


class _Rounding:
    """Rebuilds a graph with every layer wrapped; a layer that is used twice has one wrapper."""

    def __init__(self) -> None:
        self._wrappers: dict[int, Any] = {}
        self._rounded: dict[int, Any] = {}
        self._wrapper = _wrapper()

    def of(self, functional: Any) -> Any:
        import keras

        return keras.models.clone_model(
            functional, clone_function=lambda layer: layer, call_function=self._call
        )

    def _call(self, layer: Any, *values: Any, **options: Any) -> Any:
        import keras

        if isinstance(layer, keras.Model):
            ends = layer.inputs, layer.outputs if len(layer.outputs) > 1 else layer.outputs[0]
            return self._wrapped(layer, lambda: self.of(keras.Model(*ends)))(*values, **options)
        if not isinstance(layer, keras.layers.Layer):
            return layer(*keras.tree.map_structure(self._once, values), **options)
        if not _takes_raw(layer, values):
            values = keras.tree.map_structure(self._once, values)
        return self._wrapped(layer, lambda: self._wrapper(layer))(*values, **options)

    def _wrapped(self, layer: Any, make: Callable[[], Any]) -> Any:
        if id(layer) not in self._wrappers:
            self._wrappers[id(layer)] = make()
        return self._wrappers[id(layer)]

    def _once(self, value: Any) -> Any:
        """The tensor, rounded: once for all who take it."""
        import keras

        if not hasattr(value, "dtype") or not str(value.dtype).startswith("float"):
            return value
        if id(value) not in self._rounded:
            self._rounded[id(value)] = value, keras.layers.Lambda(round_activations)(value)
        return self._rounded[id(value)][1]


def _takes_raw(layer: Any, values: tuple[Any, ...]) -> bool:
    """Whether a converter fuses the layer with what comes before it, or it rounds nothing."""
    kind = type(layer).__name__
    if kind == "ReLU":
        return not layer.negative_slope and not layer.threshold
    if kind == "Activation":
        return _name(layer.activation) in FUSED
    if kind == "BatchNormalization":
        before = getattr(values[0]._keras_history.operation, "layer", None)
        return bool(before and kernels_of(before)) and _name(getattr(before, "activation", None)) == "linear"
    return kind in PASSING


def _name(activation: Any) -> str:
    return getattr(activation, "__name__", "linear" if activation is None else "")


def _wrapper() -> Callable[[Any], Any]:
    """The class of a layer around another, over the same variables, with the kernels rounded."""
    import keras

    class Rounded(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer
            self._rounded_kernels = kernels_of(layer)
            self.built = True

        def call(self, first: Any, *others: Any, **options: Any) -> Any:
            if isinstance(self.layer, keras.layers.BatchNormalization):
                options["training"] = False
            kernels = [
                (one.variable, round_kernel(one.variable.value, one.inputs)) for one in self._rounded_kernels
            ]
            with keras.StatelessScope(kernels), _rounding_before_activation(self.layer):
                return self.layer(first, *others, **options)

    return Rounded


@contextmanager
def _rounding_before_activation(layer: Any) -> Iterator[None]:
    """Within the block an activation that is an operator of its own takes a rounded tensor."""
    activation = getattr(layer, "activation", None)
    own = isinstance(getattr(type(layer), "activation", None), property)  # of a recurrent layer's cell
    if own or activation is None or _name(activation) in FUSED or not kernels_of(layer):
        yield
        return
    layer.activation = lambda value: activation(round_activations(value))
    try:
        yield
    finally:
        layer.activation = activation


def round_kernel(weights: Any, inputs: tuple[int, ...]) -> Any:
    """Weights as int8 has them, symmetric, a step for each output channel; `inputs` are the other axes."""
    from keras import ops

    step = ops.maximum(ops.max(ops.abs(weights), axis=inputs, keepdims=True), TINY) / 127
    return weights + ops.stop_gradient(ops.round(weights / step) * step - weights)


def round_activations(values: Any) -> Any:
    """Values as int8 has them: 256 steps from the least to the largest, with 0 among them.

    The gradient passes through the step as well: a value that widens the range pays for the rounding of all
    others (after Esser et al. 2020, arXiv:1902.08153, whose steps are variables of their own).
    """
    from keras import ops

    low, high = ops.minimum(ops.min(values), 0.0), ops.maximum(ops.max(values), 0.0)
    step = ops.maximum(high - low, TINY) / 255
    zero = ops.round(-low / step)
    near = ops.clip(ops.round(values / step) + zero, 0, 255) - zero
    return values + step * ops.stop_gradient(near - values / step)
