"""ONNX variants: of an .onnx, and Q/DQ as ONNX Runtime and as TensorRT want it. KWS is in test_build.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from sources import onnx_models

from convert.conftest import Built, run
from edgegreen.artifact import Artifact, File
from edgegreen.config.datakeys import Data
from edgegreen.convert import qdq, refusals
from edgegreen.errors import ConversionError, InputError
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import onnxfile, onnxhub

OWN = Variant(format="onnx")
FP32 = Variant(format="onnx", precision="fp32")
INT8 = Variant(format="onnx", precision="int8")
FOR_TENSORRT = Variant(format="tensorrt", precision="fp16")
SYMMETRIC = Variant(format="onnx", precision="int8", quantizer="onnxruntime-symmetric")


def artifact(built: Built, name: str) -> Artifact:
    return built.build.artifacts[name].result()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Of a model whose batch is open."""
    folder = tmp_path_factory.mktemp("net")
    model, data = onnx_models.conv_net(folder / "net.onnx"), onnx_models.data(folder / "data.npz")
    recipe = Recipe(name="net", model=model, data=Data(calibration=data, evaluation=data))
    variants = {"fp32": FP32, "int8": INT8, "symmetric": SYMMETRIC, "own": OWN, "trt": FOR_TENSORRT}
    built = run(recipe, variants, folder / "cache")
    yield built
    built.cache.close()


def zero_points(path: Path) -> list[tuple[str, bool]]:
    """(type, whether one is not zero) of each pair's zero point."""
    graph = onnx.load(path).graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in {"QuantizeLinear", "DequantizeLinear"}]
    return [(values[node.input[2]].dtype.name, bool(values[node.input[2]].any())) for node in pairs]


class TestOfAnOnnx:
    def test_each_agrees_and_has_a_fixed_batch(self, net: Built) -> None:
        for name, at_least in (("fp32", 100), ("int8", 20), ("symmetric", 20)):
            made = artifact(net, name)
            assert made.agreement is not None
            assert made.agreement.sqnr_db > at_least
            model = onnx.load(made.files[0].path)
            assert [port.type.tensor_type.shape.dim[0].dim_value for port in model.graph.input] == [1, 1]
            assert [one.domain for one in model.opset_import] == [""]  # old runtimes refuse newer sets unseen
        assert artifact(net, "fp32").built_by == "its author"
        assert artifact(net, "own").built_by == "its author; shapes fixed by edgegreen"

    def test_a_users_own_stays_at_its_opset(self, net: Built) -> None:
        assert onnxfile.read(artifact(net, "trt").files[0].path).opset == 17

    def test_expected_are_the_oracles(self, net: Built) -> None:
        expected = net.build.expected["fp32"].result() or []
        data = net.recipe.data.evaluation
        assert isinstance(data, Path)
        assert isinstance(net.recipe.model, Path)
        for want, got in zip(onnx_models.oracle(net.recipe.model, data), expected, strict=True):
            np.testing.assert_allclose(want[: len(got)], got, rtol=1e-3, atol=1e-5)

    @pytest.mark.slow
    def test_one_that_needs_no_change_goes_as_it_is(self, tmp_path: Path) -> None:
        path = onnx_models.conv_net(tmp_path / "net.onnx", batch=1)
        built = run(Recipe(name="net", model=path), {"own": OWN, "fp32": FP32}, tmp_path / "cache")
        for name in ("own", "fp32"):
            assert (artifact(built, name).sha256, artifact(built, name).built_by) == (
                File.of(path).sha256,
                "its author",
            )
        built.cache.close()

    @pytest.mark.slow
    def test_one_in_qdq_form_goes_as_it_is_and_no_other_way(self, net: Built, tmp_path: Path) -> None:
        recipe = Recipe(name="q", model=artifact(net, "int8").files[0].path)
        built = run(recipe, {"own": OWN, "fp32": FP32}, tmp_path / "cache")
        assert artifact(built, "own").sha256 == artifact(net, "int8").sha256
        with pytest.raises(ConversionError, match="quantised already") as caught:
            artifact(built, "fp32")
        assert "leave out `precision`" in str(caught.value.hint)
        built.cache.close()


class TestQdq:
    def test_what_tensorrt_takes(self, net: Built) -> None:
        """No zero point but 0, no bias in int32: NVIDIA/TensorRT#2774 and microsoft/onnxruntime#14229."""
        assert set(zero_points(artifact(net, "symmetric").files[0].path)) == {("int8", False)}

    def test_for_a_cpu_the_whole_range_is_used(self, net: Built) -> None:
        found = set(zero_points(artifact(net, "int8").files[0].path))
        assert found == {("uint8", True), ("uint8", False), ("int8", False), ("int32", False)}

    def test_softmax_stays_in_float_for_tensorrt(self, tmp_path: Path) -> None:
        port = helper.make_tensor_value_info
        nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Softmax", ["p"], ["y"])]
        weights = numpy_helper.from_array(np.eye(4, 3, dtype=np.float32), "w")
        ports = [port(name, onnx.TensorProto.FLOAT, [1, n]) for name, n in (("x", 4), ("y", 3))]
        graph = helper.make_graph(nodes, "soft", ports[:1], ports[1:], [weights])
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "soft.onnx")
        feeds = [{"x": np.array([[k, -k, 1, 2]], np.float32)} for k in range(4)]
        for symmetric in (False, True):
            qdq.quantise(tmp_path / "soft.onnx", feeds, tmp_path / "q.onnx", symmetric=symmetric)
            assert any(shifted for _, shifted in zero_points(tmp_path / "q.onnx")) is not symmetric

    def test_a_model_with_nothing_to_quantise(self, tmp_path: Path) -> None:
        port = helper.make_tensor_value_info
        ports = [port(name, onnx.TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
        graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "exp", ports[:1], ports[1:])
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "exp.onnx")
        feeds = [{"x": np.ones((1, 4), np.float32)}]
        with pytest.raises(ConversionError, match="found nothing in the model"):
            qdq.quantise(tmp_path / "exp.onnx", feeds, tmp_path / "q.onnx", symmetric=False)


class TestRefused:
    def test_an_ir(self) -> None:
        with pytest.raises(InputError, match=r"an OpenVINO IR cannot become a \.onnx"):
            refusals.check({"v": FP32}, "openvino", "openvino", calibrated=True)

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(onnxhub, "NEEDED", ("onnx", "no_such_package"))
        with pytest.raises(InputError, match=r"take no_such_package, not installed here: `pip install"):
            refusals.check({"v": OWN}, "onnx", "float", calibrated=True)
