"""Keras 3 models as graphs: gone through in order with values of any kind, and built anew with other layers.

Nested models are flattened: their layers take part as if the outer model had them. Subclassed models, whose
graph is Python code, are none of this (sources/keras.py refuses them).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edgegreen.errors import InputError

Weights = list[Any]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph: its shape, the batch first, and None where it is dynamic."""

    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class Call:
    """One use of an operation (a layer, or one of `keras.ops`); a shared layer has several."""

    operation: Any
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


@dataclass(frozen=True)
class Graph:
    """A model's calls, in an order in which they can be computed."""

    inputs: tuple[Value, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Value, ...]

    def users(self, value: Value) -> list[Call]:
        """The calls that take it."""
        return [call for call in self.calls if value in call.inputs]

    def calls_of(self, operation: Any) -> list[Call]:
        """The uses of one operation."""
        return [call for call in self.calls if call.operation is operation]


@dataclass(frozen=True, eq=False)
class Part:
    """What stands in for an operation, or for a part of it: a layer, or a function of keras.ops.

    `weights` None: it keeps those it is made with.
    """

    operation: Any
    weights: Weights | None = None


Apply = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], Any]
"""`(operation, args, kwargs, node) -> outputs`, in the structure in which the operation gives them."""


def run(model: Any, inputs: Sequence[Any], apply: Apply) -> list[Any]:
    """Go through the graph with `inputs` as values of the model's inputs; the values of its outputs.

    This is what Keras itself does to call a model (`Function._run_through_graph`), but for any values.
    """
    import keras

    function = getattr(model, "_functional", None) or model  # what a Sequential is within
    known = {id(tensor): value for tensor, value in zip(function.inputs, inputs, strict=True)}
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input or not node.operation:
                continue
            args, kwargs = node.arguments.fill_in(known)
            if hasattr(node.operation, "_functional") or hasattr(node.operation, "_nodes_by_depth"):
                taken = args[0] if args else kwargs["inputs"]
                made: Any = run(node.operation, keras.tree.flatten(taken), apply)
            else:
                made = keras.tree.flatten(apply(node.operation, args, kwargs, node))
            known.update(zip(map(id, node.outputs), made, strict=True))
    return [known[id(tensor)] for tensor in function.outputs]


def read(model: Any) -> Graph:
    """The model's graph."""
    import keras

    calls: list[Call] = []

    def apply(operation: Any, args: Any, kwargs: Any, node: Any) -> list[Value]:
        taken = [one for one in keras.tree.flatten((args, kwargs)) if isinstance(one, Value)]
        calls.append(Call(operation, tuple(taken), tuple(map(_value, node.outputs))))
        return list(calls[-1].outputs)

    inputs = tuple(map(_value, model.inputs))
    outputs = run(model, inputs, apply)
    return Graph(inputs, tuple(calls), tuple(outputs))


def _value(tensor: Any) -> Value:
    return Value(tuple(tensor.shape), str(tensor.dtype))


def compute(model: Any, inputs: Sequence[Any]) -> list[Any]:
    """The model's outputs for arrays as inputs, as float64 arrays, whatever structure it wants them in."""
    import keras
    import numpy as np

    tensors = [
        keras.ops.convert_to_tensor(array, one.dtype) for array, one in zip(inputs, model.inputs, strict=True)
    ]
    outputs = run(model, tensors, lambda operation, args, kwargs, _: infer(operation, args, kwargs))
    return [np.asarray(one, np.float64) for one in outputs]


def infer(operation: Any, args: Any, kwargs: Any) -> Any:
    """Call an operation as inference does: augmentation, which may think otherwise, does nothing."""
    import inspect

    call = getattr(operation, "call", operation)
    if "training" in inspect.signature(call).parameters:
        kwargs = {**kwargs, "training": False}
    return operation(*args, **kwargs)


def rebuild(model: Any, replace: Callable[[Any], Sequence[Part] | None]) -> Any:
    """A new model with the same names and structure of inputs and outputs, and `replace`d operations.

    `replace(operation)` gives what stands in for it, one after another (nothing: it is passed over), or None
    to have it as it is, in a copy. It is asked once for an operation, however often that is used.
    A Sequential stays one while nothing but layers is in it.
    """
    import keras

    parts: dict[int, Sequence[Part]] = {}
    order: list[Any] = []
    taken: set[str] = set()
    names = _output_names(model)

    def apply(operation: Any, args: Any, kwargs: Any, node: Any) -> Any:  # noqa: ARG001
        if id(operation) not in parts:
            wanted = replace(operation)
            parts[id(operation)] = [copy_of(operation)] if wanted is None else wanted
            _name_apart(parts[id(operation)], taken, names.get(id(operation)))
        found = keras.tree.flatten((args, kwargs))[0]
        for number, part in enumerate(parts[id(operation)]):
            alike = number == 0 and isinstance(part.operation, type(operation))
            found = part.operation(*args, **kwargs) if alike else part.operation(found)
            order.append(part.operation)
        return found

    inputs = [keras.Input(batch_shape=one.shape, dtype=one.dtype, name=one.name) for one in model.inputs]
    outputs = run(model, inputs, apply)
    for part in (part for some in parts.values() for part in some):
        if part.weights is not None:
            part.operation.set_weights(part.weights)
        if isinstance(part.operation, keras.layers.Normalization):
            part.operation.finalize_state()  # it computes with copies of its weights
    if isinstance(model, keras.Sequential) and _is_chain(order, inputs, outputs):
        return keras.Sequential([_input_layer(inputs[0]), *order], name=model.name)
    return keras.Model(_packed(model, "input", inputs), _packed(model, "output", outputs), name=model.name)


def copy_of(layer: Any, weights: Weights | None = None, **changes: Any) -> Part:
    """A layer of the same kind with `changes` to its config; with its own weights unless others are given."""
    import keras

    if not isinstance(layer, keras.layers.Layer):  # one of keras.ops has no state: itself will do
        return Part(layer)
    try:
        copied = type(layer).from_config(layer.get_config() | changes)
    except Exception as error:
        raise InputError(
            f"layer `{layer.name}` ({type(layer).__name__}) cannot be made anew: {error}"
        ) from error
    copied.trainable = layer.trainable
    return Part(copied, layer.get_weights() if weights is None else weights)


def kind_of(operation: Any) -> str:
    """The name of Keras' own class that the operation is of: `Conv2D`, also for a class made from that."""
    for one in type(operation).__mro__:
        if one.__module__.startswith(("keras.src.layers", "keras.src.ops")):
            return one.__name__
    return type(operation).__name__


def macs(model: Any) -> int | None:
    """Multiply-accumulates of convolutions and dense layers in one inference; None for dynamic shapes.

    Every weight of a kernel is used once at each position of the output (of the input, when transposed).
    """
    total = 0
    for call in read(model).calls:
        for variable in getattr(call.operation, "weights", ()):
            if "kernel" in variable.name:
                transposed = "Transpose" in kind_of(call.operation)
                positions = (call.inputs if transposed else call.outputs)[0].shape[1:-1]
                if None in positions:
                    return None
                total += math.prod(variable.shape) * math.prod(size or 1 for size in positions)
    return total


def change(before: tuple[int, int | None], after: tuple[int, int | None]) -> str:
    """What became of (parameters, macs), in words."""
    parts = [f"{before[0]:,} → {after[0]:,} parameters"]
    if before[1] and after[1]:
        parts.append(f"{before[1]:,} → {after[1]:,} multiplications")
    return ", ".join(parts)


def _output_names(model: Any) -> dict[int, str]:
    """The names of the model's outputs, by the operation that makes each, within nested models, too."""
    function = getattr(model, "_functional", None) or model
    graph = read(model)
    makers = {value: call.operation for call in graph.calls for value in call.outputs}
    names: dict[int, str] = {}
    for value, name in zip(graph.outputs, function.output_names, strict=True):
        if value in makers and name not in names.values():
            names.setdefault(id(makers[value]), name)
    return names


def _name_apart(parts: Sequence[Part], taken: set[str], wanted: str | None) -> None:
    """Give each part a name of its own; the last one the name of the output it makes."""
    for number, part in enumerate(parts):
        if not hasattr(part.operation, "name"):
            continue
        name = wanted if wanted and number == len(parts) - 1 else part.operation.name
        while name in taken:
            name += "_"
        taken.add(name)
        if name != part.operation.name:
            part.operation.name = name


def _is_chain(order: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    """Whether each operation is a layer, used once, that takes what the one before it made."""
    import keras

    if len(inputs) != 1 or len(outputs) != 1 or len(set(map(id, order))) < len(order):
        return False
    previous = inputs[0]
    for operation in order:
        if not isinstance(operation, keras.layers.Layer) or operation.input is not previous:
            return False
        previous = operation.output
    return previous is outputs[0]


def _input_layer(tensor: Any) -> Any:
    import keras

    return keras.layers.InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)


def _packed(model: Any, side: str, tensors: Sequence[Any]) -> Any:
    """The new tensors in the structure (list, dictionary …) that the model's own have."""
    import keras

    function = getattr(model, "_functional", None) or model
    return keras.tree.pack_sequence_as(getattr(function, side), list(tensors))
