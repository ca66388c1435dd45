"""Makes the files in edgegreen/provision/proof; needs tensorflow. Their bytes are committed.

Both models compute relu(x · WEIGHTS + BIAS) for one x of four values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import openvino as ov
import openvino.opset13 as ops
import tensorflow as tf
from onnx import helper, numpy_helper

FOLDER = Path(__file__).parent.parent.parent / "edgegreen" / "provision" / "proof"
WEIGHTS = np.array([[1, -1, 0.5], [0.25, 2, -0.5], [-2, 0.5, 1], [0.5, 0.25, -1]], np.float32)
BIAS = np.array([6, 1, 4], np.float32)
X = np.array([[1, 2, 3, 4], [3, -0.5, -1, 2]], np.float32)


def tflite() -> bytes:
    function = tf.function(
        lambda x: tf.nn.relu(tf.matmul(x, WEIGHTS) + BIAS),
        input_signature=[tf.TensorSpec((1, 4), tf.float32, "x")],
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()


def ir() -> ov.Model:
    x = ops.parameter((1, 4), np.float32, name="x")
    y = ops.relu(
        ops.add(ops.matmul(x, ops.constant(WEIGHTS), False, False), ops.constant(BIAS[None])), name="y"
    )
    return ov.Model([y], [x], "proof")


def onnx_model() -> onnx.ModelProto:
    """Of an opset and a file format that every onnxruntime in releases.py reads."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    ports = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, (1, k)) for n, k in (("x", 4), ("y", 3))
    ]
    constants = [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(BIAS, "b")]
    graph = helper.make_graph(nodes, "proof", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "model.tflite").write_bytes(tflite())
    ov.save_model(ir(), FOLDER / "model.xml", compress_to_fp16=False)
    onnx.save(onnx_model(), FOLDER / "model.onnx")
    np.savez(FOLDER / "samples.npz", x=X)
    # What kit.EXPECTED has to say:
    sys.stderr.write(f"{np.maximum(X @ WEIGHTS + BIAS, 0).tolist()}\n")
