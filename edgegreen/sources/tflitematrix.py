"""A .tflite whose FULLY_CONNECTED operators all take matrices, as tf2onnx wants them.

Where the input has another rank, tf2onnx 1.17 reshapes it and loses the bias on the way, without a word.
"""

from __future__ import annotations

from typing import Any

from edgegreen.sources import tflitefile


def give_matrices(model: Any) -> None:
    """Put a RESHAPE (…, depth) → (n, depth) before each FULLY_CONNECTED that flattens its input itself."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    operators = []
    for operator in graph.operators:
        if (
            tflitefile.op_name(model, operator) == "FULLY_CONNECTED"
            and not operator.builtinOptions.keepNumDims
        ):
            taken = graph.tensors[operator.inputs[0]]
            if len(taken.shape) != 2:
                depth = int(graph.tensors[operator.inputs[1]].shape[1])
                operators.append(_reshaped(model, schema, int(operator.inputs[0]), depth))
                operator.inputs = [operators[-1].outputs[0], *map(int, operator.inputs[1:])]
        operators.append(operator)
    graph.operators = operators


def _reshaped(model: Any, schema: Any, tensor: int, depth: int) -> Any:
    """The operator that makes a matrix of `tensor`."""
    import numpy as np

    old = model.subgraphs[0].tensors[tensor]
    shape = [int(np.prod(old.shape)) // depth, depth]
    data = np.frombuffer(np.array(shape, "<i4").tobytes(), np.uint8)
    wanted = tflitefile.add_tensor(model, old.name + b"_matrix_shape", schema.TensorType.INT32, [2], data)
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(model, schema)
    operator.inputs = [tensor, wanted]
    operator.outputs = [tflitefile.add_tensor(model, old.name + b"_matrix", old.type, shape, None)]
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = schema.ReshapeOptionsT()
    operator.builtinOptions.newShape = shape
    return operator


def _code(model: Any, schema: Any) -> int:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
