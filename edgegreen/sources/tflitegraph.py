"""The operators of a .tflite as `costs` sees them: shapes at batch 1, weights, MACs of each product.

Layouts of kernels are those of TFLite's kernels (tensorflow/lite/kernels; OHWI for convolutions). Operators
that are in none of the tables below, an Edge TPU's compiled one among them, are unknown, and said to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.costs import products
from edgegreen.costs.graph import Graph, Kernel, Node, Shape, Tensor, roles
from edgegreen.sources import tflitefile

VIEWS = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "BITCAST", "SHAPE", "RANK", "CALL_ONCE", "VAR_HANDLE"}
LOOKUPS = {"GATHER", "GATHER_ND", "EMBEDDING_LOOKUP", "SLICE", "STRIDED_SLICE", "DYNAMIC_UPDATE_SLICE"}
AFFINE = {"MUL", "ADD", "SUB", "DIV"}
OTHERS = {
    *AFFINE, "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "CONCATENATION", "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH", "DEQUANTIZE", "QUANTIZE", "FLOOR", "CEIL", "ROUND", "L2_NORMALIZATION",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "RELU", "RELU_N1_TO_1", "RELU6", "RELU_0_TO_1", "LEAKY_RELU",
    "PRELU", "ELU", "GELU", "HARD_SWISH", "TANH", "SOFTMAX", "LOG_SOFTMAX", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "PAD", "PADV2", "MIRROR_PAD", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND",
    "TRANSPOSE", "MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL", "EXP",
    "LOG", "SQRT", "RSQRT", "SQUARE", "POW", "ABS", "NEG", "SIN", "COS", "SIGN", "ATAN2", "TOPK_V2", "SPLIT",
    "SPLIT_V", "CAST", "MAXIMUM", "MINIMUM", "ARG_MAX", "ARG_MIN", "LESS", "LESS_EQUAL", "GREATER",
    "GREATER_EQUAL", "EQUAL", "NOT_EQUAL", "SELECT", "SELECT_V2", "TILE", "FAKE_QUANT", "PACK", "UNPACK",
    "LOGICAL_OR", "LOGICAL_AND", "LOGICAL_NOT", "ONE_HOT", "FLOOR_DIV", "FLOOR_MOD", "ZEROS_LIKE", "FILL",
    "RANGE", "SQUARED_DIFFERENCE", "UNIQUE", "REVERSE_V2", "REVERSE_SEQUENCE", "ADD_N", "WHERE",
    "MATRIX_DIAG", "MATRIX_SET_DIAG", "SCATTER_ND", "SEGMENT_SUM", "CUMSUM", "BROADCAST_TO", "BROADCAST_ARGS",
    "READ_VARIABLE", "ASSIGN_VARIABLE", "SPARSE_TO_DENSE", "BUCKETIZE", "NON_MAX_SUPPRESSION_V4",
    "NON_MAX_SUPPRESSION_V5", "DILATE",
}  # fmt: skip
NUMPY = {"bfloat16": "uint16", "bool": "bool"}


@dataclass(frozen=True)
class Operand:
    """An input of an operator: the tensor, and where it is a constant its stored values.

    `unpacked`: a DEQUANTIZE makes floats of it before it is used.
    """

    tensor: Tensor
    values: NDArray[Any] | None
    is_weight: bool
    unpacked: bool

    @property
    def shape(self) -> Shape | None:
        """Extents, None where they are not known."""
        return self.tensor.shape


Product = tuple[int | None, NDArray[Any] | None, Operand | None, int]


@dataclass(frozen=True)
class Operator:
    """One operator: inputs (None where one is left out), outputs, and its options."""

    type: str
    inputs: Sequence[Operand | None]
    outputs: Sequence[Tensor]
    options: Any

    def given(self, index: int) -> Operand:
        """The input at `index`, which has to be there."""
        found = self.inputs[index]
        assert found is not None
        return found

    @property
    def output(self) -> Shape | None:
        """Shape of the first output."""
        return self.outputs[0].shape


def graph(model: Any, shapes: Mapping[int, Shape] | None = None) -> Graph:
    """The main graph of a ModelT. `shapes` (by tensor) stand for those the file leaves open."""
    return _Reader(model, shapes or {}).graph()


def _convolution(op: Operator, axes: tuple[int, ...]) -> Product:
    """CONV_2D, CONV_3D: `axes` bring the weights into the order (window …, inputs, outputs)."""
    weights = op.given(1)
    values = None if weights.values is None else weights.values.transpose(axes)
    shape = None if weights.shape is None else tuple(weights.shape[axis] for axis in axes)
    entered = op.given(0).shape
    groups = entered[-1] // shape[-2] if entered and shape and shape[-2] else 1
    return products.convolution(op.output, shape), values, weights, groups


def _depthwise(op: Operator) -> Product:
    weights = op.given(1)
    shape = None if weights.shape is None else (*weights.shape[1:3], 1, weights.shape[3])
    values = None if weights.values is None or shape is None else weights.values.reshape(shape)
    entered = op.given(0).shape
    return products.convolution(op.output, shape), values, weights, entered[-1] if entered else 1


def _transposed(op: Operator, outputs_axis: int, axes: tuple[int, ...]) -> Product:
    """TRANSPOSE_CONV, CONV_3D_TRANSPOSE: (output shape, weights, input, …)."""
    weights = op.given(1)
    shape = weights.shape
    assert shape is not None
    window = shape[1:3] if len(shape) == 4 else shape[:3]
    values = None if weights.values is None else weights.values.transpose(axes)
    macs = products.transposed(op.given(2).shape, window, shape[outputs_axis])
    return macs, values, weights, 1


def _dense(op: Operator) -> Product:
    weights = op.given(1)
    inner = weights.shape[-1] if weights.shape else None
    values = None if weights.values is None else weights.values.T
    return products.matrix(op.output, inner), values, weights, 1


def _matmul(op: Operator) -> Product:
    left, right = op.given(0), op.given(1)
    inner = None if left.shape is None else left.shape[-2 if op.options.adjX else -1]
    values = right.values if right.values is not None and right.values.ndim == 2 else None
    if values is not None and op.options.adjY:
        values = values.T
    return products.matrix(op.output, inner), values, right, 1


def _recurrent(op: Operator) -> Product:
    """LSTM, RNN, SVDF: every matrix among the constants is applied once a step."""
    matrices = [one for one in op.inputs[1:] if one and one.is_weight and len(one.shape or ()) == 2]
    weights = sum(one.tensor.size or 0 for one in matrices)
    return products.recurrent(op.given(0).shape, weights), None, None, 1


PRODUCTS: dict[str, Callable[[Operator], Product]] = {
    "CONV_2D": lambda op: _convolution(op, (1, 2, 3, 0)),
    "CONV_3D": lambda op: _convolution(op, (0, 1, 2, 3, 4)),
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": lambda op: _transposed(op, 0, (1, 2, 3, 0)),
    "CONV_3D_TRANSPOSE": lambda op: _transposed(op, 3, (0, 1, 2, 4, 3)),
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matmul,
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "SVDF": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}


class _Reader:
    def __init__(self, model: Any, shapes: Mapping[int, Shape]) -> None:
        self._model, self._shapes = model, shapes
        self._main = model.subgraphs[0]
        # Tensors that a DEQUANTIZE makes of a constant → that constant.
        self._unpacked: dict[int, int] = {}

    def graph(self) -> Graph:
        nodes = []
        for raw in self._main.operators:
            name = tflitefile.op_name(self._model, raw)
            if name in ("DEQUANTIZE", "DENSIFY") and self._is_constant(int(raw.inputs[0])):
                self._unpacked[int(raw.outputs[0])] = int(raw.inputs[0])
            else:
                nodes.append(self._node(name, raw))
        ends = ([self._tensor(int(i)).key for i in side] for side in (self._main.inputs, self._main.outputs))
        return Graph(tuple(nodes), *(tuple(side) for side in ends))

    def _node(self, kind: str, raw: Any) -> Node:
        op = Operator(
            kind,
            [None if index < 0 else self._operand(int(index)) for index in raw.inputs],
            [self._tensor(int(index)) for index in raw.outputs],
            raw.builtinOptions,
        )
        role = ROLES.get(kind, "unknown")
        macs: int | None = 0 if role != "unknown" else None
        kernel = arithmetic = None
        named: Operand | None = None
        if role == "product":
            macs, values, named, groups = PRODUCTS[kind](op)
            arithmetic = _arithmetic(op, named)
            if values is not None and named is not None and named.values is not None:
                kernel = Kernel(named.tensor.key, values, groups)
        given = [one for one in op.inputs if one is not None]
        flowing = tuple(one.tensor for one in given if one.values is None and not self._is_stored(one))
        return Node(
            name=self._name(op, named if kernel else None),
            type=kind,
            role=role,
            inputs=flowing,
            outputs=tuple(op.outputs),
            constants=tuple(one.tensor for one in given if one.is_weight),
            macs=macs,
            kernel=kernel,
            arithmetic=arithmetic,
            affine=kind in AFFINE and len(flowing) == 1 and _is_vector(given),
        )

    def _operand(self, index: int) -> Operand:
        stored = self._unpacked.get(index, index)
        tensor = self._main.tensors[stored]
        constant = self._is_constant(stored)
        is_weight = constant and tflitefile.is_weight(tensor)
        values = self._values(stored) if is_weight else None
        return Operand(self._tensor(stored), values, is_weight, stored != index)

    def _is_constant(self, index: int) -> bool:
        return tflitefile.is_constant(self._model, self._main.tensors[index])

    def _is_stored(self, operand: Operand) -> bool:
        return self._is_constant(int(operand.tensor.key))

    def _tensor(self, index: int) -> Tensor:
        tensor = self._main.tensors[index]
        shape: Shape | None = tuple(int(size) for size in (() if tensor.shape is None else tensor.shape))
        signature = tensor.shapeSignature
        if index in self._shapes:
            shape = self._shapes[index]
        elif signature is not None and any(size < 0 for size in signature[1:]):
            shape = None
        return Tensor(str(index), shape, tflitefile.dtype_of(tensor))

    def _values(self, index: int) -> NDArray[Any] | None:
        """Stored values less their zero point; None when they are kept in a way not read here (sparse)."""
        tensor = self._main.tensors[index]
        dtype = tflitefile.dtype_of(tensor)
        shape = tuple(int(size) for size in (() if tensor.shape is None else tensor.shape))
        raw = np.asarray(self._model.buffers[tensor.buffer].data, np.uint8)
        if tensor.sparsity is not None or dtype not in UNPACK:
            return None
        values = UNPACK[dtype](raw)[: int(np.prod(shape))]
        if values.size != int(np.prod(shape)):
            return None
        return _centred(values.reshape(shape), tensor.quantization)

    def _name(self, op: Operator, weights: Operand | None) -> str:
        """What the model's author called the layer: the path its kernel or output stands under."""
        index = int(weights.tensor.key) if weights else int(op.outputs[0].key) if op.outputs else -1
        text = self._main.tensors[index].name.decode("utf-8", "replace") if index >= 0 else op.type
        path = text.split(";")[0]
        if path.startswith(("StatefulPartitionedCall", "PartitionedCall", "Identity")):
            return op.type  # what a converter calls a model's outputs
        return path.rpartition("/")[0] or path


ROLES = roles(product=PRODUCTS, lookup=LOOKUPS, view=VIEWS, other=OTHERS)


def _arithmetic(op: Operator, weights: Operand | None) -> str:
    """What LiteRT computes the product in, told by the types of what goes in and of the stored weights."""
    entered = op.inputs[2] if op.type in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE") else op.inputs[0]
    assert entered is not None
    kind = entered.tensor.dtype
    if kind in ("int8", "uint8"):
        return "int8"
    if kind == "int16":
        return "int16 × int8"
    stored = weights.tensor.dtype if weights else kind
    packed = stored in ("int8", "uint8", "int4", "uint4", "int2")
    # Floats meet integers without a DEQUANTIZE between them: they are quantised on the way in.
    return "int8" if packed and weights and not weights.unpacked else kind


def _is_vector(given: Sequence[Operand]) -> bool:
    """Whether the constant has one value, or one for each channel."""
    constant = next((one.tensor for one in given if one.is_weight), None)
    flowing = next((one.tensor for one in given if not one.is_weight), None)
    if constant is None or flowing is None or constant.size is None or not flowing.shape:
        return False
    return constant.size in (1, flowing.shape[-1])


def _centred(values: NDArray[Any], quantization: Any) -> NDArray[Any]:
    """Quantised values less their zero points, which are 0 in most files."""
    points = None if quantization is None else quantization.zeroPoint
    if values.dtype.kind == "f" or points is None or not np.any(points):
        return values
    shape = [1] * values.ndim
    if len(points) > 1:
        shape[quantization.quantizedDimension] = len(points)
    return values.astype(np.int16) - np.asarray(points, np.int16).reshape(shape)


def _plain(dtype: str) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    return lambda raw: np.frombuffer(raw.tobytes(), np.dtype(dtype).newbyteorder("<"))


def _bfloat16(raw: NDArray[np.uint8]) -> NDArray[Any]:
    return (np.frombuffer(raw.tobytes(), "<u2").astype(np.uint32) << 16).view(np.float32)


def _nibbles(raw: NDArray[np.uint8]) -> NDArray[Any]:
    """Two's complement in 4 bits, the low half first."""
    halves = np.stack([raw & 15, raw >> 4], axis=-1).reshape(-1).astype(np.int8)
    return np.where(halves > 7, halves - 16, halves).astype(np.int8)


UNPACK: dict[str, Callable[[NDArray[np.uint8]], NDArray[Any]]] = {
    **{
        name: _plain(name)
        for name in ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")
    },
    "bfloat16": _bfloat16,
    "int4": _nibbles,
}
