"""The operators of an OpenVINO model as `costs` sees them; ONNX files come this way too, read by OpenVINO.

What OpenVINO's plugins run as one stands as one layer here: a product with its bias and activation, and any
layer with the FakeQuantize behind it, whose output is kept in 8 bits. Constants count in the type they are
stored in, however they are unpacked. Semantics are those of the operation sets (docs.openvino.ai).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.costs import products
from edgegreen.costs.graph import Graph, Kernel, Node, Shape, Tensor, roles
from edgegreen.sources.elementtypes import DTYPES, WEIGHTS

VIEWS = {"Reshape", "Squeeze", "Unsqueeze", "ReadValue", "Assign"}
LOOKUPS = {"Gather", "GatherND", "GatherElements", "Slice", "StridedSlice"}
AFFINE = {"Multiply", "Add", "Subtract", "Divide"}
ACTIVATIONS = {"Relu", "Clamp", "PRelu", "Sigmoid", "Tanh", "HSwish", "Swish", "Elu", "Gelu", "HardSigmoid"}
OTHERS = {
    *AFFINE, *ACTIVATIONS, "FakeQuantize", "Abs", "Acos", "Asin", "Atan", "Ceiling", "Floor", "Cos", "Sin",
    "Tan", "Cosh", "Sinh", "Exp", "Log", "Erf", "Negative", "Sign", "Sqrt", "Power", "SquaredDifference",
    "Round", "Mod", "FloorMod", "Maximum", "Minimum", "Mish", "SoftPlus", "SoftSign", "Selu", "HSigmoid",
    "Softmax", "LogSoftmax", "LRN", "MVN", "NormalizeL2", "GRN", "BatchNormInference", "GroupNormalization",
    "AvgPool", "MaxPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "ReduceMean", "ReduceSum", "ReduceMax",
    "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogicalAnd", "ReduceLogicalOr", "Concat",
    "Split", "VariadicSplit", "Transpose", "Pad", "Tile", "Broadcast", "Convert", "ConvertLike", "Equal",
    "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "LogicalAnd", "LogicalOr", "LogicalNot",
    "LogicalXor", "Select", "TopK", "OneHot", "Range", "CumSum", "DepthToSpace", "SpaceToDepth",
    "BatchToSpace", "SpaceToBatch", "Interpolate", "ShuffleChannels", "ReverseSequence", "ScatterUpdate",
    "ScatterNDUpdate", "ScatterElementsUpdate", "NonZero", "Roll", "Bucketize", "NonMaxSuppression",
    "PriorBox", "PriorBoxClustered", "DetectionOutput", "ROIPooling", "PSROIPooling",
}  # fmt: skip
UNPACKING = ("Convert", "Subtract", "Multiply", "Reshape", "Transpose", "FakeQuantize")
# What only moves values keeps the 8 bits it is given.
MOVING = {
    *VIEWS, *LOOKUPS, "Transpose", "MaxPool", "Concat", "Split", "VariadicSplit", "Tile", "DepthToSpace",
    "SpaceToDepth", "ShuffleChannels", "Relu",
}  # fmt: skip
EIGHT_BITS = ("int8", "uint8")

Product = tuple[int | None, Kernel | None]
Weights = tuple[str, NDArray[Any]]  # key and values


def graph(model: Any) -> Graph:
    """The graph of an ov.Model, whose shapes should be static."""
    return _Reader(model).graph()


class _Reader:
    def __init__(self, model: Any) -> None:
        self._model = model
        # (operator, output) → what flows there, once everything that only repacks it is looked through.
        self._flowing: dict[tuple[str, int], Tensor] = {}
        self._fixed: set[str] = set()  # operators that depend on constants and shapes alone
        self._fused: set[str] = set()

    def graph(self) -> Graph:
        nodes = []
        ordered = self._model.get_ordered_ops()
        for op in ordered:
            if op.get_type_name() in ("Constant", "ShapeOf") or self._is_fixed(op):
                self._fixed.add(op.get_friendly_name())
        for op in ordered:
            kind, name = op.get_type_name(), op.get_friendly_name()
            if kind == "Parameter":
                self._flowing[name, 0] = _tensor(op.output(0))
            elif kind != "Result" and not {name} & (self._fixed | self._fused) and not self._unpacks(op):
                nodes.append(self._node(op))
        outputs = [self._input(op.input(0)) for op in self._model.get_results()]
        inputs = [self._flowing[op.get_friendly_name(), 0] for op in self._model.get_parameters()]
        return Graph(
            tuple(nodes),
            tuple(one.key for one in inputs),
            tuple(one.key for one in outputs if one is not None),
        )

    def _is_fixed(self, op: Any) -> bool:
        sources = {self._input_name(port) for port in op.inputs()}
        return bool(sources) and sources <= self._fixed

    @staticmethod
    def _input_name(port: Any) -> str:
        """The operator that an input comes from."""
        return str(port.get_source_output().get_node().get_friendly_name())

    def _input(self, port: Any) -> Tensor | None:
        """What flows in here; None for a constant."""
        source = port.get_source_output()
        return self._flowing.get((source.get_node().get_friendly_name(), source.get_index()))

    def _unpacks(self, op: Any) -> bool:
        """Whether it makes floats of 8-bit values, which the layers that use them do themselves."""
        if op.get_type_name() not in ("Convert", "Subtract", "Multiply") or not op.get_input_size():
            return False
        flowing = [self._input(port) for port in op.inputs()]
        constants = sum(one is None for one in flowing)
        came = next((one for one in flowing if one is not None), None)
        floats = op.get_output_element_type(0).get_type_name().startswith("f")
        is_packed = came is not None and came.dtype in EIGHT_BITS and constants == len(flowing) - 1
        # Between integers a Convert is what QuantizeLinear ends in.
        if not is_packed or came is None or not (floats or op.get_type_name() == "Convert"):
            return False
        self._flowing[op.get_friendly_name(), 0] = came
        return True

    def _node(self, op: Any) -> Node:
        kind = op.get_type_name()
        role = ROLES.get(kind, "unknown")
        flowing = tuple(one for one in (self._input(port) for port in op.inputs()) if one is not None)
        weights = [found for port in op.inputs() if self._input(port) is None and (found := stored(port))]
        last, more = self._fuse(op, is_product=role == "product")
        macs: int | None = 0 if role != "unknown" else None
        kernel = arithmetic = None
        if role == "product":
            macs, kernel = PRODUCTS[kind](op, self._kernel(op))
            kinds = {one.dtype for one in (*flowing, *(tensor for tensor, _ in weights))}
            arithmetic = "int8" if kinds and kinds <= set(EIGHT_BITS) else _computed(op)
        outputs = [_tensor(one) for one in last.outputs() if one.get_target_inputs()]
        levels = int(last.get_attributes()["levels"]) if last.get_type_name() == "FakeQuantize" else 0
        packed = bool(flowing) and all(one.dtype in EIGHT_BITS for one in flowing)
        if 0 < levels <= 256 or (packed and kind in MOVING and last is op):
            outputs = [Tensor(one.key, one.shape, "uint8") for one in outputs]
        for tensor in outputs:
            name, _, index = tensor.key.rpartition(":")
            self._flowing[name, int(index)] = tensor
        constants = tuple(tensor for tensor, _ in (*weights, *more)) if kind != "FakeQuantize" else ()
        return Node(
            _name(op, last), kind, role, flowing, tuple(outputs), constants, macs, kernel, arithmetic,
            affine=kind in AFFINE and len(flowing) == 1 and bool(weights) and _is_vector(op),
        )  # fmt: skip

    def _kernel(self, op: Any) -> Weights | None:
        """Key and values of the weights a product has at its second input."""
        found = stored(op.input(1)) if op.get_input_size() > 1 and self._input(op.input(1)) is None else None
        return None if found is None or found[1] is None else (found[0].key, found[1])

    def _fuse(self, op: Any, *, is_product: bool) -> tuple[Any, list[tuple[Tensor, NDArray[Any] | None]]]:
        """The last operator of those that run as one with `op`, and the constants they bring along."""
        constants: list[tuple[Tensor, NDArray[Any] | None]] = []
        last = op
        while True:
            after = self._only_user(last)
            kind = "" if after is None else after.get_type_name()
            if after is None or self._input_of_others(after, last):
                return last, constants
            bias = kind == "Add" and is_product and not constants
            if not (bias or kind == "FakeQuantize" or (is_product and kind in ACTIVATIONS)):
                return last, constants
            if kind != "FakeQuantize":
                sides = [port for port in after.inputs() if self._input_name(port) in self._fixed]
                constants += [found for port in sides if (found := stored(port))]
            last = after
            self._fused.add(last.get_friendly_name())
            if kind == "FakeQuantize":
                return last, constants

    def _only_user(self, op: Any) -> Any:
        """The one operator that takes the values of `op`, if it is one; others may ask its shape."""
        users = (
            [one.get_node() for one in op.output(0).get_target_inputs()] if op.get_output_size() == 1 else []
        )
        users = [one for one in users if one.get_friendly_name() not in self._fixed]
        return users[0] if len(users) == 1 else None

    def _input_of_others(self, op: Any, but: Any) -> bool:
        """Whether something flows into `op` beside what comes from `but`."""
        names = [self._input_name(port) for port in op.inputs()]
        return names.count(but.get_friendly_name()) != 1 or not set(names) <= {
            but.get_friendly_name(), *self._fixed,
        }  # fmt: skip


def stored(port: Any) -> tuple[Tensor, NDArray[Any] | None] | None:
    """The weights behind an input that is constant, as they lie in the file, in the layout they are used in.

    None for one that holds no real numbers (a shape, an axis). Of weights that are put together from parts
    there are no values, and their type is the one they are used in.
    """
    root = _root(port)
    node = port.get_source_output().get_node() if root is None else root
    kind = (port if root is None else root).get_element_type().get_type_name()
    if kind not in WEIGHTS:
        return None
    dtype = DTYPES.get(kind, {"i4": "int4", "u4": "uint4"}.get(kind, kind))
    return Tensor(node.get_friendly_name(), _shape(port), dtype), None if root is None else _values(port)


def _root(port: Any) -> Any:
    """The Constant behind an input, whatever only unpacks or lays out its values between them."""
    return _root_of(port.get_source_output().get_node())


def _root_of(node: Any) -> Any:
    while node.get_type_name() in UNPACKING:
        node = node.input(0).get_source_output().get_node()
    return node if node.get_type_name() == "Constant" else None


def _values(port: Any) -> NDArray[Any] | None:
    """Stored values less their zero point; None for types numpy has no word for."""
    node = port.get_source_output().get_node()
    kind = node.get_type_name()
    if kind == "Constant":
        name = node.get_element_type().get_type_name()
        if name not in DTYPES or name == "bf16":
            return None
        return np.asarray(node.data).reshape(tuple(node.get_output_shape(0)))
    values = _values(node.input(0))
    if values is not None and kind == "Reshape":
        return values.reshape(tuple(node.get_output_shape(0)))
    beside = _values(node.input(1)) if kind in ("Transpose", "Subtract") else None
    if values is None or beside is None:
        return values
    if kind == "Transpose":
        return values.transpose(tuple(int(axis) for axis in beside.reshape(-1)))
    return values.astype(np.int16) - beside.astype(np.int16) if values.dtype.kind in "iu" else values


def _convolution(op: Any, weights: Weights | None, *, grouped: bool) -> Product:
    """Weights are (outputs, inputs, window …); grouped ones have the groups before."""
    shape = _shape(op.input(1))
    if shape is None:
        return None, None
    groups = shape[0] if grouped else 1
    outputs, inputs, *window = shape[1:] if grouped else shape
    macs = products.convolution(_shape(op.output(0)), (*window, inputs, groups * outputs))
    return macs, _kernel(weights, groups, outputs, inputs, window, turned=False)


def _backprop(op: Any, weights: Weights | None, *, grouped: bool) -> Product:
    """A transposed convolution; weights are (inputs, outputs, window …)."""
    shape = _shape(op.input(1))
    if shape is None:
        return None, None
    groups = shape[0] if grouped else 1
    inputs, outputs, *window = shape[1:] if grouped else shape
    macs = products.transposed(_shape(op.input(0)), tuple(window), outputs)
    return macs, _kernel(weights, groups, outputs, inputs, window, turned=True)


def _kernel(
    weights: Weights | None,
    groups: int, outputs: int, inputs: int, window: list[int], *, turned: bool,
) -> Kernel | None:  # fmt: skip
    """(groups, outputs, inputs, window …), or inputs before outputs → (window …, inputs, all outputs)."""
    if weights is None:
        return None
    key, values = weights
    values = values.reshape(groups, *((inputs, outputs) if turned else (outputs, inputs)), *window)
    if turned:
        values = values.swapaxes(1, 2)
    order = (*range(3, values.ndim), 2, 0, 1)
    return Kernel(key, values.transpose(order).reshape(*window, inputs, groups * outputs), groups)


def _matmul(op: Any, weights: Weights | None) -> Product:
    options = op.get_attributes()
    left = _shape(op.input(0))
    inner = left[-2 if options["transpose_a"] and len(left) > 1 else -1] if left else None
    kernel = None
    if weights is not None and weights[1].ndim == 2:
        values = weights[1].T if options["transpose_b"] else weights[1]
        kernel = Kernel(weights[0], values)
    return products.matrix(_shape(op.output(0)), inner), kernel


def _attention(op: Any, weights: Weights | None) -> Product:  # noqa: ARG001
    """ScaledDotProductAttention: queries by keys, then by values (…, rows, features)."""
    queries, keys, values = (_shape(op.input(index)) for index in range(3))
    if not (queries and keys and values):
        return None, None
    return prod(queries[:-1]) * keys[-2] * (queries[-1] + values[-1]), None


def _recurrent(first: int) -> Callable[[Any, Weights | None], Product]:
    """LSTM, GRU, RNN: W (…, gates, inputs), the input number `first`, and R after it, once a step of X."""

    def macs(op: Any, weights: Weights | None) -> Product:  # noqa: ARG001
        shapes = [_shape(op.input(index)) for index in (first, first + 1)]
        total = sum(prod(shape) for shape in shapes if shape is not None)
        return products.recurrent(_shape(op.input(0)), total) if None not in shapes else None, None

    return macs


PRODUCTS: dict[str, Callable[[Any, Weights | None], Product]] = {
    "Convolution": lambda op, weights: _convolution(op, weights, grouped=False),
    "GroupConvolution": lambda op, weights: _convolution(op, weights, grouped=True),
    "ConvolutionBackpropData": lambda op, weights: _backprop(op, weights, grouped=False),
    "GroupConvolutionBackpropData": lambda op, weights: _backprop(op, weights, grouped=True),
    "MatMul": _matmul,
    "ScaledDotProductAttention": _attention,
    "LSTMSequence": _recurrent(4),
    "GRUSequence": _recurrent(3),
    "RNNSequence": _recurrent(3),
    "LSTMCell": _recurrent(3),
    "GRUCell": _recurrent(2),
    "RNNCell": _recurrent(2),
}


ROLES = roles(product=PRODUCTS, lookup=LOOKUPS, view=VIEWS, other=OTHERS)


def _computed(op: Any) -> str:
    """Floats as the graph has them; a plugin may choose others (bf16, f16) on its processor."""
    kind = str(op.get_output_element_type(0).get_type_name())
    return DTYPES.get(kind, kind)


def _shape(port: Any) -> Shape | None:
    shape = port.get_partial_shape()
    return tuple(shape.to_shape()) if shape.is_static else None


def _tensor(output: Any) -> Tensor:
    kind = output.get_element_type().get_type_name()
    key = f"{output.get_node().get_friendly_name()}:{output.get_index()}"
    return Tensor(key, _shape(output), DTYPES.get(kind, kind))


def _name(op: Any, last: Any) -> str:
    """The name its output has in the model it came from, else OpenVINO's own of the operator."""
    names = (
        sorted(last.output(0).get_names(), key=lambda name: (len(name), name))
        if last.get_output_size()
        else []
    )
    name = str(names[0]) if names else str(op.get_friendly_name())
    return name.split(";")[0].removesuffix("/WithoutBiases")


def _is_vector(op: Any) -> bool:
    """Whether its constant has one value, or one per channel (in whichever layout)."""
    sizes = [
        prod(shape) for port in op.inputs() if _root(port) is not None and (shape := _shape(port)) is not None
    ]
    output = _shape(op.output(0))
    return bool(sizes) and bool(output) and all(size == 1 or size in (output or ())[1:] for size in sizes)
