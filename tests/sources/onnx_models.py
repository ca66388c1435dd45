"""ONNX models made with the onnx package, and its reference evaluator as an oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

SHAPES = {"image.1": (3, 16, 12), "extra/in:0": (4,)}


def conv_net(path: Path, *, batch: int | str = "N", width: int | str = 12) -> Path:
    """NCHW, two inputs, two outputs (one of them with channels), names no identifier would have."""
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((random.normal(size=shape) * 0.3).astype(np.float32), name)

    node, info = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Conv", ["image.1", "w1", "b1"], ["c1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node(
            "Conv", ["r1", "w2", "b2"], ["/body/map"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        node("GlobalAveragePool", ["/body/map"], ["g"]),
        node("Flatten", ["g"], ["f"], axis=1),
        node("Concat", ["f", "extra/in:0"], ["c"], axis=1),
        node("Gemm", ["c", "w3", "b3"], ["scores.out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "conv_net",
        [
            info("image.1", TensorProto.FLOAT, [batch, 3, 16, width]),
            info("extra/in:0", TensorProto.FLOAT, [batch, 4]),
        ],
        [
            info("scores.out", TensorProto.FLOAT, [batch, 5]),
            info("/body/map", TensorProto.FLOAT, [batch, 6, 8, None]),
        ],
        [
            weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 6, 8, 3, 3), weights("b2", 6),
            weights("w3", 10, 5), weights("b3", 5),
        ],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def data(path: Path, n: int = 40) -> Path:
    """An npz with `n` samples for it."""
    random = np.random.default_rng(1)
    arrays = {
        f"x{i}": random.random((n, *shape), dtype=np.float32) for i, shape in enumerate(SHAPES.values())
    }
    np.savez(path, **arrays)
    return path


def oracle(model: Path, npz: Path) -> list[NDArray[Any]]:
    """What the onnx package says the model computes from the data."""
    arrays = np.load(npz)
    feeds = {name: arrays[f"x{index}"] for index, name in enumerate(SHAPES)}
    return list(ReferenceEvaluator(str(model)).run(None, feeds))
