"""Figures of layers as each format's reader finds them, against an oracle and published counts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgegreen import sources
from edgegreen.costs.layers import Costs, costs
from edgegreen.sources import openvino, openvinograph, tflite, tflitefile, tflitegraph
from sources import onnx_models

FIXTURES = Path(__file__).parent.parent / "fixtures" / "models"
DIGITS = Path(__file__).parent.parent.parent / "recipes" / "digits" / "model.keras"


def quiet(stage: str, done: float | None = None) -> None:
    """No progress."""


def of_onnx(model: onnx.ModelProto, path: Path) -> Costs:
    path.write_bytes(model.SerializeToString())
    return openvino.costs_of(quiet, path)


def network(nodes: list[Any], weights: dict[str, Any], entered: tuple[int | str, ...]) -> onnx.ModelProto:
    """A model from `x` to `y`."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", TensorProto.FLOAT, entered)], [info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.booleans(),
)
def test_macs_are_the_terms_of_all_sums(  # noqa: PLR0917
    groups: int, inputs: int, outputs: int, window: int, stride: int, transposed: bool
) -> None:
    """Ones times ones: the sum of a layer's outputs is how many products were added up."""
    shape = (groups * inputs, outputs) if transposed else (groups * outputs, inputs)
    kind = "ConvTranspose" if transposed else "Conv"
    weights = np.ones((*shape, window, window), np.float32)
    node = helper.make_node(kind, ["x", "w"], ["y"], group=groups, strides=[stride, stride])
    model = network([node], {"w": weights}, (1, groups * inputs, 6, 5))
    x = np.ones((1, groups * inputs, 6, 5), np.float32)
    read = ov.Core().read_model(model.SerializeToString())
    want = int(ov.Core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0].sum())
    found = costs(openvinograph.graph(read))
    assert found.total.macs == want
    assert found.total.parameters == weights.size
    (layer,) = [one for one in found.layers if one.macs]
    assert (layer.sparsity, layer.distinct) == (0.0, 1)


def mobilenet() -> onnx.ModelProto:
    """MLPerf Tiny's person detector: MobileNetV1, width 0.25, 96×96 RGB, without its batch normalization."""
    nodes: list[Any] = []
    weights: dict[str, Any] = {}

    def convolve(
        source: str, inputs: int, outputs: int, *, window: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        name = f"conv{len(nodes)}"
        weights[f"{name}.w"] = np.ones((outputs, inputs // groups, window, window), np.float32)
        options = {"group": groups, "strides": [stride] * 2, "pads": [window // 2] * 4}
        nodes.append(helper.make_node("Conv", [source, f"{name}.w"], [name], **options))
        return name

    last, channels = convolve("x", 3, 8, window=3, stride=2), 8
    for outputs, stride in (
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        *((128, 1),) * 5,
        (256, 2),
        (256, 1),
    ):
        deep = convolve(last, channels, channels, window=3, stride=stride, groups=channels)
        last = convolve(deep, channels, outputs)
        channels = outputs
    weights["dense"] = np.ones((256, 2), np.float32)
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "dense"], ["y"]))
    return network(nodes, weights, ("batch", 3, 96, 96))


def autoencoder() -> onnx.ModelProto:
    """MLPerf Tiny's anomaly detector: 640, 4 × 128, 8, 4 × 128, 640."""
    sizes = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640)
    names = ["x", *(f"d{number}" for number in range(len(sizes) - 2)), "y"]
    weights = {f"{names[i + 1]}.w": np.ones(sizes[i : i + 2], np.float32) for i in range(len(sizes) - 1)}
    nodes = [
        helper.make_node("MatMul", [names[i], f"{names[i + 1]}.w"], [names[i + 1]])
        for i in range(len(sizes) - 1)
    ]
    return network(nodes, weights, ("batch", 640))


def test_mlperf_tinys_models_have_their_published_macs(assets: Path, tmp_path: Path) -> None:
    """Banbury et al. 2021 (arXiv:2106.07597) and the suite's own counts: 2.7, 12.5, 7.5 and 0.26 million."""
    kws = sources.inspect(assets / "kws/kws_ref_model_int8.tflite").costs
    resnet = sources.inspect(assets / "resnet8/pretrainedResnet_int8.tflite").costs
    assert kws is not None
    assert resnet is not None
    assert (kws.total.macs, resnet.total.macs) == (2_656_768, 12_501_632)
    assert of_onnx(mobilenet(), tmp_path / "vww.onnx").total.macs == 7_489_664
    assert of_onnx(autoencoder(), tmp_path / "ad.onnx").total.macs == 264_192


@pytest.mark.slow
def test_a_keras_file_by_the_tflite_made_of_it() -> None:
    pytest.importorskip("tensorflow", exc_type=ImportError)
    found = sources.inspect(DIGITS)
    assert found.parameters == 29_098
    assert found.costs is not None
    # Batch normalization is folded into the convolutions: 384 parameters fewer.
    assert (found.costs.total.parameters, found.costs.total.macs) == (28_714, 903_808)
    assert found.costs.layers[0].name.rpartition("/")[2].startswith("conv1")
    assert found.costs.passes_absent is None
    assert sources.inspect(DIGITS) == found  # from the cache


def test_an_onnx_file_its_ir_and_a_bias_that_is_part_of_its_layer(tmp_path: Path) -> None:
    path = onnx_models.conv_net(tmp_path / "m.onnx")
    found = openvino.costs_of(quiet, path)
    by_type = {one.type: one for one in found.layers}
    # 3×3×3 for each of 16×12×8, 3×3×8 for each of 8×6×6, and 10×5.
    assert found.total.macs == 27 * 1536 + 72 * 288 + 50
    assert [one.parameters for one in found.layers if one.type == "Convolution"] == [216 + 8, 432 + 6]
    assert "Relu" not in by_type
    assert found.passes_absent is not None
    model = ov.Core().read_model(path)
    sizes = {port: [size.get_length() for size in list(port.partial_shape)[1:]] for port in model.inputs}
    model.reshape({port: [1, *rest] for port, rest in sizes.items()})
    ov.save_model(model, tmp_path / "m.xml", compress_to_fp16=True)
    ir = openvino.costs_of(quiet, tmp_path / "m.xml")
    assert ir.total.macs == found.total.macs
    assert ir.layers[0].read_bytes == 3 * 16 * 12 * 4 + (216 + 8) * 2


def test_recurrent_layers_of_onnx(tmp_path: Path) -> None:
    """An LSTM of 7 steps: 4 gates × 6 units × (5 inputs + 6 states) a step."""
    weights = {"w": np.ones((1, 24, 5), np.float32), "r": np.ones((1, 24, 6), np.float32)}
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=6)
    found = of_onnx(network([node], weights, (7, 1, 5)), tmp_path / "lstm.onnx")
    assert found.total.macs == 7 * 24 * 11
    assert found.total.parameters == 24 * 11 + 24 + 12  # with the biases and first states, zeros here


def test_open_extents_are_not_guessed(models: Path) -> None:
    found = sources.inspect(models / "sequence.tflite").costs
    assert found is not None
    convolution = next(one for one in found.layers if one.type == "CONV_2D")
    assert convolution.macs is None
    assert "leaves open" in (convolution.absent or "")
    assert "CONV_2D" in found.total.incomplete


def test_4_bits_and_16_bits_are_unpacked() -> None:
    assert tflitegraph.UNPACK["int4"](np.array([0x8F, 0x71], np.uint8)).tolist() == [-1, -8, 1, 7]
    halves = np.array([0x3F80, 0xC000], "<u2").view(np.uint8)
    assert tflitegraph.UNPACK["bfloat16"](halves).tolist() == [1.0, -2.0]


def compiled(assets: Path, path: Path) -> Path:
    """A .tflite as the Edge TPU compiler leaves it: one custom operator, its program in its options."""
    from ai_edge_litert import schema_py_generated as schema

    model = tflitefile.read(assets / "kws/kws_ref_model_int8.tflite")
    graph = model.subgraphs[0]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"edgetpu-custom-op"
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [int(graph.inputs[0])], [int(graph.outputs[0])]
    operator.customOptions = np.zeros(1000, np.uint8)
    graph.operators = [operator]
    tflitefile.write(model, path)
    return path


def test_a_compiled_edge_tpu_model_is_shown_as_such(assets: Path, tmp_path: Path) -> None:
    found = sources.inspect(compiled(assets, tmp_path / "edgetpu.tflite"))
    assert found.ops == {"edgetpu-custom-op": 1}
    assert found.costs is not None
    (layer,) = found.costs.layers
    assert (layer.type, layer.macs, layer.read_bytes) == ("edgetpu-custom-op", None, None)
    assert found.costs.total.macs is None
    assert found.costs.prospects == ()


def test_what_openvino_cannot_read_has_a_summary_and_a_reason(tmp_path: Path) -> None:
    node = helper.make_node("Unheard", ["x"], ["y"], domain="nobody")
    model = network([node], {}, (1, 4))
    model.opset_import.append(helper.make_opsetid("nobody", 1))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found = sources.inspect(tmp_path / "m.onnx")
    assert found.ops == {"Unheard": 1}
    assert found.costs is None
    assert "OpenVINO cannot read m.onnx" in (found.costs_absent or "")


def test_zero_points_are_zeros(assets: Path) -> None:
    """A legacy uint8 kernel: 128 stands for 0."""
    model = tflitefile.read(FIXTURES / "two_in_two_out.tflite")
    graph = tflitegraph.graph(model)
    assert {node.type for node in graph.nodes} >= {"ADD", "ARG_MAX"}

    scaled = SimpleNamespace(zeroPoint=[128], quantizedDimension=0)
    values = tflitegraph._centred(np.array([128, 127, 0, 255], np.uint8), scaled)
    assert values.tolist() == [0, -1, -128, 127]


def test_costs_of_a_model_in_memory_equal_those_of_its_file(assets: Path) -> None:
    path = assets / "kws/kws_ref_model_int8.tflite"
    found = sources.inspect(path).costs
    assert found is not None
    assert tflite.costs_of(path, tflitefile.read(path)).total == found.total
