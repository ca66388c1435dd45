"""Operator versions of an int8 .tflite as the Edge TPU's compiler knows them.

Compiler 16.0 is of 2021 and reads what TensorFlow 2.5 could write. A version in a file says which kernel the
operator needs at least; converters of today write others: ai-edge-quantizer leaves those of the float model
(too low for int8), TensorFlow takes into account what came later. So each is set anew, to the lowest that has
what the operator really uses: its type, its options, its shapes. It is never lowered below that: an operator
that needs a newer one is refused. The rules are those of TFLite's own op_version.cc
(GetBuiltinOperatorVersion, as of TensorFlow 2.6), for operators on int8; NEWEST is its runtime_version.cc up
to 2.5.0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.errors import ConversionError
from edgegreen.sources import tflitefile

MAX_RANK = 4  # of the kernels before 2.3 … 2.6


@dataclass(frozen=True)
class Use:
    """One operator as it stands in a model; an input that is not given is None."""

    options: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    def option(self, name: str) -> Any:
        """An option's value; None in a model that has no options there."""
        return getattr(self.options, name, None)

    @property
    def rank(self) -> int:
        """Dimensions of its largest input."""
        return max((len(_shape(one)) for one in self.inputs if one is not None), default=0)


def _convolution(use: Use) -> int:
    data, weights = use.inputs[:2]
    grouped = _shape(data)[-1] != _shape(weights)[-1]
    return 6 if grouped else 3


def _fully_connected(use: Use) -> int:
    if len(use.inputs) < 3 or use.inputs[2] is None:
        return 6
    return 5 if use.option("keepNumDims") else 4


def _multiply(use: Use) -> int:
    """Version 3 rescales by 1 and more."""
    scales = [float(one.quantization.scale[0]) for one in (*use.inputs[:2], use.outputs[0])]
    return 3 if scales[0] * scales[1] / scales[2] >= 1 else 2


def _strided_slice(use: Use) -> int:
    if use.option("ellipsisMask") or use.option("newAxisMask"):
        return 6
    return 4 if use.rank > MAX_RANK else 2


def _resize(use: Use) -> int:
    return 3 if use.option("halfPixelCenters") else 2


def _resize_nearest(use: Use) -> int:
    return 3 if use.option("halfPixelCenters") or use.option("alignCorners") else 2


def _ranked(newer: int) -> Callable[[Use], int]:
    """2 for int8, `newer` for more than four dimensions."""
    return lambda use: newer if use.rank > MAX_RANK else 2


# What an operator on int8 needs; those that are not here are left as they are.
NEEDED: dict[str, Callable[[Use], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": lambda _: 3,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": lambda use: 3 if len(use.inputs) > 3 and use.inputs[3] is not None else 2,
    "MUL": _multiply,
    "SUB": _ranked(3),
    "MAXIMUM": _ranked(3),
    "MINIMUM": _ranked(3),
    "TRANSPOSE": _ranked(4),
    "PAD": _ranked(4),
    "PADV2": _ranked(4),
    "SLICE": _ranked(5),
    "STRIDED_SLICE": _strided_slice,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
    **dict.fromkeys(
        (
            "ADD", "AVERAGE_POOL_2D", "MAX_POOL_2D", "SOFTMAX", "LOG_SOFTMAX", "CONCATENATION", "MEAN", "SUM",
            "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "TANH", "LOGISTIC", "SPLIT", "PACK", "UNPACK",
            "L2_NORMALIZATION", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "GATHER", "ARG_MAX", "ARG_MIN",
            "BATCH_MATMUL", "RSQRT", "SQUARED_DIFFERENCE", "MIRROR_PAD", "EQUAL", "NOT_EQUAL", "GREATER",
            "GREATER_EQUAL", "LESS", "LESS_EQUAL", "SELECT", "TOPK_V2", "DEQUANTIZE",
        ),
        lambda _: 2,
    ),
}  # fmt: skip
# The newest version in TensorFlow 2.5; of operators that are not here there was one, and it is 1.
NEWEST = {
    "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9, "TRANSPOSE_CONV": 3, "MUL": 4, "SUB": 5,
    "ADD": 3, "MAXIMUM": 4, "MINIMUM": 4, "TRANSPOSE": 5, "PAD": 3, "PADV2": 3, "SLICE": 5,
    "STRIDED_SLICE": 5, "GATHER": 5, "RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4,
    "AVERAGE_POOL_2D": 3, "MAX_POOL_2D": 3, "SOFTMAX": 3, "LOG_SOFTMAX": 2, "CONCATENATION": 3, "MEAN": 3,
    "SUM": 2, "REDUCE_MAX": 3, "REDUCE_MIN": 3, "RELU": 2, "RELU6": 3, "TANH": 3, "LOGISTIC": 3, "SPLIT": 4,
    "SPLIT_V": 2, "PACK": 3, "UNPACK": 4, "L2_NORMALIZATION": 2, "SPACE_TO_DEPTH": 2, "DEPTH_TO_SPACE": 2,
    "ARG_MAX": 2, "ARG_MIN": 2, "BATCH_MATMUL": 4, "RSQRT": 2, "SQUARED_DIFFERENCE": 2, "MIRROR_PAD": 2,
    "EQUAL": 3, "NOT_EQUAL": 3, "GREATER": 2, "GREATER_EQUAL": 2, "LESS": 2, "LESS_EQUAL": 2, "SELECT": 2,
    "TOPK_V2": 2, "DEQUANTIZE": 4, "QUANTIZE": 2, "LEAKY_RELU": 2, "SQUEEZE": 2, "TILE": 2,
    "SPACE_TO_BATCH_ND": 3, "BATCH_TO_SPACE_ND": 3, "DIV": 2, "LSTM": 4, "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
    "BROADCAST_TO": 3, "CAST": 1, "ABS": 2,
}  # fmt: skip


def fit(path: Path) -> None:
    """Set the versions in the file. Raises ConversionError for an operator that the compiler cannot know."""
    model = tflitefile.read(path)
    needed: dict[int, int] = {}
    for graph in model.subgraphs:
        for op in graph.operators:
            if (version := _needed(model, graph, op)) is not None:
                needed[op.opcodeIndex] = max(version, needed.get(op.opcodeIndex, 1))
    for index, version in needed.items():
        model.operatorCodes[index].version = version
    names = {
        op.opcodeIndex: tflitefile.op_name(model, op) for graph in model.subgraphs for op in graph.operators
    }
    too_new = [
        f"{name} {model.operatorCodes[index].version} (it knows {NEWEST.get(name, 1)})"
        for index, name in names.items()
        if model.operatorCodes[index].version > NEWEST.get(name, 1)
    ]
    if too_new:
        raise ConversionError(
            f"the Edge TPU's compiler does not know operators in the version they need: {', '.join(too_new)}",
            hint="write convolutions in groups, and tensors of more than four dimensions, otherwise",
        )
    tflitefile.write(model, path)


def _needed(model: Any, graph: Any, op: Any) -> int | None:
    """The version an operator on int8 needs; None for others, and for those there is no rule for."""
    rule = NEEDED.get(tflitefile.op_name(model, op))
    tensors = [None if index < 0 else graph.tensors[index] for index in op.inputs]
    if rule is None or not any(one is not None and tflitefile.dtype_of(one) == "int8" for one in tensors):
        return None
    return rule(Use(op.builtinOptions, tuple(tensors), tuple(graph.tensors[index] for index in op.outputs)))


def _shape(tensor: Any) -> list[int]:
    return [] if tensor.shape is None else [int(size) for size in np.asarray(tensor.shape)]
