"""Models of newer opsets at older ones: what torch exports, computed the same by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegreen.errors import ConversionError
from edgegreen.sources import load, onnxfile, onnxlower
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request
from edgegreen.workers.report import silent

SHAPE = (1, 2, 4, 8)
VALUES = {
    "scale": np.linspace(0.5, 2, 32, dtype=np.float32).reshape(4, 8),
    "two": np.linspace(0.5, 2, 2, dtype=np.float32),
    "last": np.array([-1]),
    "flat": np.array([1, 64]),
    "doubled": np.array([1, 1, 2, 2], np.float32),
}


def model(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    """Of opset 18, as torch exports; its input is `x`, of SHAPE."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)]
    given = [numpy_helper.from_array(value, name) for name, value in VALUES.items()]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", inputs, ends, given)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


def computed(of: onnx.ModelProto) -> list[np.ndarray[Any, Any]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(of.SerializeToString(), options, ["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    found: list[np.ndarray[Any, Any]] = session.run(None, {"x": x})
    return found


node = helper.make_node
SAME = {
    "the same with more types": [node("Add", ["x", "x"], ["s"]), node("Relu", ["s"], ["y"])],
    "layer norm over the last axis": [node("LayerNormalization", ["x", "scale"], ["y"], axis=-1)],
    "layer norm from an axis on": [
        node("LayerNormalization", ["x", "scale", "scale"], ["y"], axis=2, epsilon=0.1)
    ],
    "hard swish": [node("HardSwish", ["x"], ["y"])],
    "axes as an input": [node("ReduceMean", ["x", "last"], ["y"], keepdims=0)],
    "all axes": [node("ReduceMax", ["x"], ["y"])],
    "a shape without a zero": [node("Reshape", ["x", "flat"], ["y"], allowzero=1)],
    "batch norm": [node("BatchNormalization", ["x", *["two"] * 4], ["y"], training_mode=0)],
    "resize": [node("Resize", ["x", "", "doubled"], ["y"], mode="linear", antialias=0)],
}


@pytest.mark.parametrize("nodes", SAME.values(), ids=SAME)
def test_it_computes_the_same(nodes: list[onnx.NodeProto]) -> None:
    wanted = computed(model(*nodes))
    older = onnxlower.lowered(model(*nodes), 13)
    assert [one.version for one in older.opset_import] == [13]
    for got, want in zip(computed(older), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_even_parts() -> None:
    split = node("Split", ["x"], ["y", "z"], axis=3, num_outputs=2)
    wanted = computed(model(split, outputs=("y", "z")))
    found = computed(onnxlower.lowered(model(split, outputs=("y", "z")), 13))
    np.testing.assert_equal(found, wanted)


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("Trilu", ["x"], ["y"])], "opset 13 has no Trilu"),
        (
            [node("Resize", ["x", "", "doubled"], ["y"], mode="linear", antialias=1)],
            "Resize with `antialias`",
        ),
        (
            [node("Shape", ["x"], ["s"]), node("Reshape", ["x", "s"], ["y"], allowzero=1)],
            "Reshape with `allowzero`",
        ),
        ([node("LayerNormalization", ["x", "scale"], ["y", "z"])], "LayerNormalization that gives its mean"),
    ],
)
def test_what_has_no_older_form(nodes: list[onnx.NodeProto], words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        onnxlower.lowered(model(*nodes), 13)


def test_a_value_that_came_later() -> None:
    nodes = node(
        "Resize",
        ["x", "", "doubled"],
        ["y"],
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    )
    newer = model(nodes)
    newer.opset_import[0].version = 19
    with pytest.raises(
        ConversionError, match="Resize with `coordinate_transformation_mode: half_pixel_symmetric`"
    ):
        onnxlower.lowered(newer, 13)


def test_an_opset_that_is_old_enough_stays() -> None:
    older = onnxlower.lowered(model(node("Trilu", ["x"], ["y"])), 17)
    assert onnxlower.lowered(older, 17).opset_import[0].version == 17


def test_it_goes_as_low_as_the_operators_and_what_they_compute_allow(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(model(node("Trilu", ["x"], ["t"]), node("HardSwish", ["t"], ["y"])), tmp_path / "net.onnx")
    request = Request.of(tmp_path / "net.onnx")
    source = load.load(request, shop, silent)
    hub = load.onnx_hub(request, source, shop, silent)

    def opset() -> int:
        made = onnxlower.lower(silent, request, source, hub, tmp_path / "made")
        return onnxfile.read(made.files[0]).opset

    (tmp_path / "made").mkdir()
    assert opset() == 17  # Trilu is of 14
    monkeypatch.setattr(onnxlower, "lowered", lambda *_: model(node("Relu", ["x"], ["y"])))
    assert opset() == 18  # as it was: the older one computed something else
    assert onnxfile.read(tmp_path / "made" / hub.files[0].name).ops == {"Trilu": 1, "HardSwish": 1}
