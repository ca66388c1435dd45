"""Folding: what is linear, next to a layer with a kernel, becomes part of that kernel. Nothing is trained.

- Batch normalisation goes into the convolution or dense layer before it (Jacob et al. 2018, arXiv:1712.05877,
  eq. 14): γ·(W·x − μ)/σ + β = (γ/σ)·W·x + (β − γμ/σ).
- The normalisation of the input (the recipe's `data: {normalize}`, then Rescaling, Normalization and
  BatchNormalization layers at the front) goes into the layers behind it, and the model takes raw values:
  W·(s·x + t) + b = (W·s)·x + (b + W·t).

Zeros that a convolution pads with stand for raw values that are not zero: padding is then an operation of its
own before it, with the value that normalisation makes 0; where channels differ in that, folding is refused.
The model that comes out is compared with the one that went in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress import affine, graph
from edgegreen.compress.affine import Affine
from edgegreen.compress.graph import Call, Graph, Part, Value
from edgegreen.compress.training import Training
from edgegreen.config.passes import Fold
from edgegreen.errors import ConversionError, InputError

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
DEPTHWISE = ("DepthwiseConv1D", "DepthwiseConv2D")
SEPARABLE = ("SeparableConv1D", "SeparableConv2D")
WITH_KERNEL = (*CONVOLUTIONS, *DEPTHWISE, *SEPARABLE, "Dense")
PADDINGS = ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
FLOOR_DB = 80.0  # of the folded model to the other; float32's rounding leaves more than 100
CHECKED = 8  # samples
RAW_MAX = 255.0


def apply(model: Any, parameters: Fold, training: Training) -> Any:
    """The folded model. Raises InputError, with the reason, where the input cannot be folded."""
    if parameters.batch_norm:
        before = model
        model = _fold_batch_norm(model, training)
        _check(before, model, Affine.of_normalize(None), training.seed)
    if parameters.input:
        normalize = Affine.of_normalize(training.normalize)
        before = model
        try:
            model = _fold_input(model, normalize, training)
        except InputError as error:
            if not normalize.is_nothing:
                raise
            training.note(error.message)  # nobody asked for more than can be done
        _check(before, model, normalize, training.seed)
    return model


def _fold_batch_norm(model: Any, training: Training) -> Any:
    """Each batch normalisation that follows a kernel, and that alone, goes into it."""
    read = graph.read(model)
    made: dict[int, list[Part]] = {}
    left = []
    for call in read.calls:
        if graph.kind_of(call.operation) != "BatchNormalization":
            continue
        layer = _foldable(read, call)
        if layer is None:
            left.append(call.operation.name)
            continue
        computed = affine.of_layer(call.operation, call.inputs[0].shape)
        assert computed is not None
        made[id(layer)] = []
        made[id(call.operation)] = [_scaled_outputs(layer, computed)]  # there, for the names of outputs
    count = len(made) // 2
    training.note(f"{count} batch normalisation{'s' * (count != 1)} folded")
    if left:
        names = ", ".join(dict.fromkeys(left))
        training.note(f"left alone: {names}: no kernel, used once, right before it that it alone follows")
    return graph.rebuild(model, lambda operation: made.get(id(operation)))


def _foldable(read: Graph, call: Call) -> Any:
    """The layer whose output this call normalises and nothing else takes; None when there is none."""
    value = call.inputs[0]
    layer = next((one.operation for one in read.calls if value in one.outputs), None)
    if layer is None or graph.kind_of(layer) not in WITH_KERNEL or not _channels_last(layer):
        return None
    if affine.of_layer(call.operation, value.shape) is None:
        return None
    alone = len(read.users(value)) == 1 and value not in read.outputs
    once = len(read.calls_of(layer)) == 1 and len(read.calls_of(call.operation)) == 1
    linear = getattr(layer.activation, "__name__", "") == "linear"
    return layer if alone and once and linear else None


def _channels_last(layer: Any) -> bool:
    return getattr(layer, "data_format", None) != "channels_first"


def _scaled_outputs(layer: Any, by: Affine) -> Part:
    """The layer, and then `by`."""
    weights = _weights(layer)
    kernel = _kernel_name(weights, outputs=True)
    scaled = by.wide(layer.compute_output_shape(layer.input.shape)[-1])
    outputs = _by_output(layer, weights[kernel], scaled.scale)
    bias = weights.get("bias", np.zeros(1)) * scaled.scale + scaled.shift
    return _with(layer, {**weights, kernel: weights[kernel] * outputs, "bias": bias}, use_bias=True)


def _by_output(layer: Any, kernel: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """A value for each output, in a shape that multiplies the kernel: (…, in, multiplier) when depthwise."""
    return values.reshape(kernel.shape[-2:]) if graph.kind_of(layer) in DEPTHWISE else values


def _weights(layer: Any) -> dict[str, NDArray[np.float64]]:
    return {one.name: one.numpy().astype(np.float64) for one in layer.weights}


def _kernel_name(weights: Mapping[str, Any], *, outputs: bool) -> str:
    """The kernel that makes the outputs, or takes the inputs; a separable convolution has two."""
    separable = "pointwise_kernel" if outputs else "depthwise_kernel"
    return separable if separable in weights else "kernel" if "kernel" in weights else "depthwise_kernel"


def _with(layer: Any, weights: Mapping[str, NDArray[Any]], **changes: Any) -> Part:
    order = [name for name in ("kernel", "depthwise_kernel", "pointwise_kernel", "bias") if name in weights]
    return graph.copy_of(layer, [weights[name].astype(np.float32) for name in order], **changes)


@dataclass(frozen=True)
class _Front:
    """A tensor near the input: it is the raw one, where the model has `by` of that."""

    value: Value
    by: Affine


def _fold_input(model: Any, normalize: Affine, training: Training) -> Any:
    """The model for raw values. Raises InputError."""
    read = graph.read(model)
    if len(read.inputs) != 1:
        if normalize.is_nothing:
            return model
        raise InputError(f"fold: the model has {len(read.inputs)} inputs; which one is normalised?")
    made: dict[int, list[Part]] = {}
    open_ = [_Front(read.inputs[0], normalize)]
    while open_:
        front = open_.pop()
        if front.value in read.outputs and not front.by.is_nothing:
            raise InputError("fold: the normalised input is an output of the model as well")
        found = (_one(read, call, front, made) for call in read.users(front.value))
        open_ += [after for after in found if after is not None]
    if not made:
        training.note("the input is not normalised, neither by the recipe nor by a layer at the front")
        return model
    training.note(
        f"the input's normalisation is now in {', '.join(_last_names(made))}; the model takes raw values"
    )
    return graph.rebuild(model, lambda operation: made.get(id(operation)))


def _one(read: Graph, call: Call, front: _Front, made: dict[int, list[Part]]) -> _Front | None:
    """Fold into one layer, or pass it; what is still to be folded behind it. Raises InputError."""
    layer, kind, by = call.operation, graph.kind_of(call.operation), front.by
    computed = affine.of_layer(layer, front.value.shape)
    if by.is_nothing and computed is None:
        return None
    if len(read.calls_of(layer)) > 1:
        raise _cannot(layer, "it is used in several places")
    if computed is not None:
        made[id(layer)] = []
        return _Front(call.outputs[0], by.then(computed))
    if kind in WITH_KERNEL:
        made[id(layer)] = _scaled_inputs(layer, by, front.value)
        return None
    if kind in PADDINGS:
        if by.shift.any():
            made[id(layer)] = [_padded(by, _of_padding(layer), layer)]
        return _Front(call.outputs[0], by)
    if kind in ("Flatten", "Reshape"):
        return _Front(call.outputs[0], _reshaped(layer, by, front.value))
    if kind in ("Dropout", "Identity") or kind.startswith("SpatialDropout"):
        return _Front(call.outputs[0], by)
    raise _cannot(layer, f"a {kind} takes the normalised input")


def _cannot(layer: Any, reason: str) -> InputError:
    return InputError(
        f"fold: the input's normalisation cannot be folded into `{layer.name}`: {reason}",
        hint="`fold: {input: false}` folds batch normalisation only",
    )


def _scaled_inputs(layer: Any, by: Affine, value: Value) -> list[Part]:
    """The layer for raw inputs, with a padding of its own before it where zeros would mean something else."""
    if not _channels_last(layer):
        raise _cannot(layer, "its channels are first")
    if getattr(layer, "groups", 1) != 1:
        raise _cannot(layer, "it is a convolution in groups")
    weights = _weights(layer)
    kernel = _kernel_name(weights, outputs=False)
    changes: dict[str, Any] = {}
    parts: list[Part] = []
    if by.shift.any() and any(map(sum, pads := _pads(layer, value))):
        parts.append(_padded(by, pads, layer))
        changes["padding"] = "valid"
    per_input = by.wide(weights[kernel].shape[-2])
    shift = _response(layer, weights, per_input.shift)
    weights[kernel] = weights[kernel] * per_input.scale[:, None]
    if shift.any():
        weights["bias"] = weights.get("bias", np.zeros(1)) + shift
        changes["use_bias"] = True
    return [*parts, _with(layer, weights, **changes)]


def _response(layer: Any, weights: Mapping[str, Any], constant: NDArray[Any]) -> NDArray[Any]:
    """What the kernel makes, per output, of an input that is constant in each channel."""
    kernel = weights[_kernel_name(weights, outputs=False)]
    places = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)  # (in, out), or (in, multiplier)
    if graph.kind_of(layer) not in (*DEPTHWISE, *SEPARABLE):
        return np.asarray(constant @ places)
    made = (constant[:, None] * places).reshape(-1)
    if "pointwise_kernel" not in weights:
        return np.asarray(made)
    pointwise = weights["pointwise_kernel"]
    return np.asarray(made @ pointwise.reshape(pointwise.shape[-2:]))


def _pads(layer: Any, value: Value) -> list[tuple[int, int]]:
    """(before, after) along each place's axis, as `padding` has it (TensorFlow's SAME). Raises InputError."""
    if graph.kind_of(layer) == "Dense" or layer.padding == "valid":
        return []
    sizes = value.shape[1:-1]
    found = []
    axes = zip(sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    for size, kernel, stride, dilation in axes:
        reach = (kernel - 1) * dilation
        if layer.padding == "causal":
            found.append((reach, 0))
            continue
        if size is None and stride > 1:
            raise _cannot(layer, "its padding depends on a dynamic shape")
        total = reach if size is None else max((math.ceil(size / stride) - 1) * stride + reach + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return found


def _of_padding(layer: Any) -> list[tuple[int, int]]:
    return [layer.padding] if graph.kind_of(layer) == "ZeroPadding1D" else list(layer.padding)


def _padded(by: Affine, pads: list[tuple[int, int]], layer: Any) -> Part:
    """What pads with the raw value that stands for 0. Raises InputError."""
    import keras

    zeros = sorted(set(np.round(by.zero, 6)))
    if len(zeros) > 1:
        told = ", ".join(f"{one:g}" for one in zeros)
        raise _cannot(layer, f"it pads with 0, which stands for another raw value in each channel ({told})")
    widths = [(0, 0), *pads, (0, 0)]
    return Part(lambda value: keras.ops.pad(value, widths, constant_values=float(zeros[0])))


def _reshaped(layer: Any, by: Affine, value: Value) -> Affine:
    """The same behind a change of shape. Raises InputError where channels get mixed with places."""
    if by.is_one_for_all:
        return Affine(by.scale[:1], by.shift[:1])
    sizes = value.shape[1:]
    if graph.kind_of(layer) == "Flatten" and None not in sizes:
        wide, times = by.wide(sizes[-1] or 1), math.prod(size or 1 for size in sizes[:-1])
        return Affine(np.tile(wide.scale, times), np.tile(wide.shift, times))
    raise _cannot(layer, "it may mix channels, which are normalised differently, with places")


def _last_names(made: Mapping[int, list[Part]]) -> list[str]:
    return [part.operation.name for parts in made.values() for part in parts if part.weights is not None]


def _check(before: Any, after: Any, by: Affine, seed: int) -> None:
    """Raise ConversionError unless `after`, on raw noise, gives what `before` does on it normalised."""
    random = np.random.default_rng(seed)
    raw = [_noise(random, one) for one in before.inputs]
    fed = raw if by.is_nothing else [(one * by.scale + by.shift).astype(np.float32) for one in raw]
    for want, got in zip(graph.compute(before, fed), graph.compute(after, raw), strict=True):
        noise, signal = float(np.square(want - got).sum()), float(np.square(want).sum())
        if noise > signal / 10 ** (FLOOR_DB / 10):
            raise ConversionError(
                f"folding changed what the model computes: {noise:.2g} of {signal:.2g}, squared and summed up"
            )


def _noise(random: np.random.Generator, tensor: Any) -> NDArray[Any]:
    shape = (CHECKED, *(size or CHECKED for size in tensor.shape[1:]))
    whole = not str(tensor.dtype).startswith("float")  # numbers of words, say: 0 and 1 every vocabulary has
    return random.integers(0, 2, shape) if whole else random.uniform(0, RAW_MAX, shape).astype(np.float32)
