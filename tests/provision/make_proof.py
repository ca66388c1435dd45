"""Makes the files in edgegreen/provision/proof; needs tensorflow. Their bytes are committed.

Both models compute relu(x · WEIGHTS + BIAS) for one x of four values.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import tensorflow as tf

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


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "model.tflite").write_bytes(tflite())
    ov.save_model(ir(), FOLDER / "model.xml", compress_to_fp16=False)
    np.savez(FOLDER / "samples.npz", x=X)
    # What kit.EXPECTED has to say:
    sys.stderr.write(f"{np.maximum(X @ WEIGHTS + BIAS, 0).tolist()}\n")
