"""Loading real models of every kind; each is run, and compared with what its own framework computes."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgegreen.errors import ConversionError, InputError
from edgegreen.sources import host, load
from edgegreen.sources import outputs as stored
from edgegreen.sources.load import Workshop
from edgegreen.sources.model import Source
from edgegreen.sources.request import Request
from edgegreen.sources.samples import rows
from sources import onnx_models


def nothing(stage: str, done: float | None = None) -> None:
    """No report."""


def source(shop: Workshop, path: Path, **options: Any) -> Source:
    return load.load(Request.of(path, **options), shop, nothing)


def refused(shop: Workshop, path: Path, kind: type[Exception] = InputError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        source(shop, path, **options)
    return str(caught.value)


def computes(found: Source, data: Path, want: list[Any]) -> None:
    """Check both the source's own outputs and those of its model file against `want` (samples first)."""
    first = next(stored.batches(found.check))[1]
    ran = zip(*host.outputs(found.model, rows(data, "calibration"), 1), strict=True)
    for own, file, expected in zip(first, map(np.concatenate, ran), want, strict=True):
        np.testing.assert_allclose(own, expected[: len(own)], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(file, expected, rtol=1e-4, atol=1e-5)


def outputs_of(path: Path) -> list[Any]:
    archive = np.load(path)
    return [archive[name] for name in archive.files]


class TestKeras:
    @pytest.mark.slow
    def test_inputs_and_outputs_in_the_models_own_order(self, models: Path, shop: Workshop) -> None:
        found = source(shop, models / "multi.keras", calibration=models / "multi.npz")
        assert [(t.name, t.shape) for t in found.inputs] == [("zebra", (1, 8, 8, 3)), ("apple", (1, 4))]
        assert [t.name for t in found.outputs] == ["yak", "ant", "mole"]
        assert found.checked_on == "40 calibration samples"
        assert found.model.built_by.startswith("tensorflow 2.")
        # TensorFlow writes them in another: the order kept here is what makes this test pass.
        assert found.model.input_order != (0, 1)
        computes(found, models / "multi.npz", outputs_of(models / "multi_outputs.npz"))

    def test_an_old_depthwise_layer(self, models: Path, shop: Workshop) -> None:
        found = source(shop, models / "legacy.h5", calibration=models / "legacy.npz")
        computes(found, models / "legacy.npz", outputs_of(models / "legacy_outputs.npz"))

    def test_resnet8_of_mlperf_without_data(self, assets: Path, shop: Workshop) -> None:
        found = source(shop, assets / "resnet8/pretrainedResnet.h5")
        assert [tensor.shape for tensor in found.inputs] == [(1, 32, 32, 3)]
        assert found.checked_on == "64 samples of seeded noise"

    def test_a_sequence_of_a_length_to_be_told(self, models: Path, shop: Workshop) -> None:
        assert "`input_shape: [1, N, 6]`" in refused(shop, models / "sequence.keras")
        data = models / "sequence.npz"
        assert "`input_shape: [1, 20, 6]`" in refused(shop, models / "sequence.keras", calibration=data)
        found = source(shop, models / "sequence.keras", calibration=data, input_shape=(20, 6))
        computes(found, data, outputs_of(models / "sequence_outputs.npz"))

    def test_integers_in(self, models: Path, shop: Workshop) -> None:
        found = source(shop, models / "tokens.keras", calibration=models / "tokens.npz")
        assert [tensor.dtype for tensor in found.inputs] == ["int32"]

    @pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
    def test_stored_code_is_not_run(self, models: Path, shop: Workshop, name: str) -> None:
        assert "Lambda layer, which is Python code stored in the file; it is not run" in refused(
            shop, models / name
        )

    def test_layers_nobody_knows_and_models_without_inputs(self, models: Path, shop: Workshop) -> None:
        assert "uses the class `Unheard`, which Keras does not have" in refused(shop, models / "custom.keras")
        assert "has no fixed inputs" in refused(shop, models / "unbuilt.keras")

    def test_broken_files(self, models: Path, shop: Workshop, tmp_path: Path) -> None:
        whole = (models / "legacy.h5").read_bytes()
        (tmp_path / "short.h5").write_bytes(whole[: len(whole) // 2])
        assert "Keras cannot load it: " in refused(shop, tmp_path / "short.h5")
        with (
            zipfile.ZipFile(models / "multi.keras") as good,
            zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad,
        ):
            bad.writestr("config.json", good.read("config.json"))
            bad.writestr("metadata.json", good.read("metadata.json"))
        message = refused(shop, tmp_path / "bad.keras")
        assert "Keras cannot load it: " in message
        assert "Traceback" not in message

    def test_data_that_do_not_fit(self, models: Path, shop: Workshop) -> None:
        message = refused(shop, models / "legacy.h5", evaluation=models / "sequence.npz")
        assert "evaluation data" in message
        assert "20×6" in message
        assert "8×8×3" in message

    def test_tensorflow_is_asked_for_when_it_is_not_there(
        self, models: Path, shop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(load.importlib.util, "find_spec", lambda name: None)
        message = refused(shop, models / "fragile.keras")
        assert "takes tensorflow, which is not installed" in message
        assert "pip install 'edgegreen[tensorflow]'" in message


class TestSavedModel:
    def test_kws_of_mlperf(self, assets: Path, shop: Workshop) -> None:
        found = source(shop, assets / "kws/kws_ref_model", calibration=assets / "kws/kws01_calibration.npz")
        assert [(t.name, t.shape) for t in found.inputs] == [("input_1", (1, 49, 10, 1))]
        assert found.saved_model is not None

    def test_a_signature_by_name(self, models: Path, shop: Workshop) -> None:
        one = source(shop, models / "two", signature="one")
        two = source(shop, models / "two", signature="two")
        assert [tensor.name for tensor in one.outputs] == ["out"]
        assert [tensor.name for tensor in two.outputs] == ["a", "b"]
        (_, (single,)), (_, (a, b)) = (next(stored.batches(found.check)) for found in (one, two))
        np.testing.assert_allclose(a, 1 - single, rtol=1e-6)
        np.testing.assert_allclose(b, 2 * single, rtol=1e-6)

    def test_which_signature_is_asked(self, models: Path, shop: Workshop) -> None:
        assert "no signature `three`; there is `one`, `two`" in refused(
            shop, models / "two", signature="three"
        )
        message = refused(shop, models / "two")
        assert "There are `one`, `two`" in message
        assert "`signature: one`" in message
        assert "has no signatures" in refused(shop, models / "none")

    def test_an_operator_tflite_does_not_have(self, models: Path, shop: Workshop) -> None:
        message = refused(shop, models / "inverse", ConversionError)
        assert message.startswith("TFLite has no operator for MatrixInverse")

    def test_broken_ones(self, models: Path, shop: Workshop, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(models / "two", tmp_path / "two"))
        shutil.rmtree(copy / "variables")
        assert "TensorFlow cannot load it: " in refused(shop, copy, signature="one")
        (copy / "saved_model.pb").write_bytes(b"hello")
        assert "TensorFlow cannot load it: " in refused(shop, copy)


class TestTFLite:
    def test_a_float_one_with_a_dynamic_length(self, models: Path, shop: Workshop) -> None:
        data = models / "sequence.npz"
        assert "`input_shape: [1, 20, 6]`" in refused(shop, models / "sequence.tflite", calibration=data)
        found = source(shop, models / "sequence.tflite", calibration=data, input_shape=(20, 6))
        assert (found.quantised, found.as_shipped, found.saved_model) == (False, False, None)
        computes(found, data, outputs_of(models / "sequence_outputs.npz"))

    def test_a_quantised_one(self, assets: Path, shop: Workshop) -> None:
        found = source(shop, assets / "kws/kws_ref_model_int8.tflite")
        assert (found.quantised, found.as_shipped) == (True, True)
        assert [(t.shape, t.dtype) for t in found.inputs] == [((1, 49, 10, 1), "int8")]


class TestOnnx:
    def test_as_the_onnx_package_computes_it(self, shop: Workshop, tmp_path: Path) -> None:
        path = onnx_models.conv_net(tmp_path / "net.onnx")
        data = onnx_models.data(tmp_path / "data.npz")
        found = source(shop, path, calibration=data)
        assert [t.name for t in found.inputs] == list(onnx_models.SHAPES)
        assert [t.shape for t in found.inputs] == [(1, 3, 16, 12), (1, 4)]
        assert [t.name for t in found.outputs] == ["scores.out", "/body/map"]
        computes(found, data, onnx_models.oracle(path, data))

    def test_a_dynamic_width(self, shop: Workshop, tmp_path: Path) -> None:
        path = onnx_models.conv_net(tmp_path / "net.onnx", width="W")
        data = onnx_models.data(tmp_path / "data.npz")
        assert "`input_shape: {image.1: [1, 3, 16, 12]}`" in refused(shop, path, calibration=data)
        found = source(shop, path, calibration=data, input_shape={"image.1": (3, 16, 12)})
        computes(found, data, onnx_models.oracle(path, data))

    def test_its_ir(self, shop: Workshop, tmp_path: Path) -> None:
        """The IR made of an ONNX file is a source too."""
        path = onnx_models.conv_net(tmp_path / "net.onnx")
        data = onnx_models.data(tmp_path / "data.npz")
        for file in source(shop, path, calibration=data).model.files:
            shutil.copyfile(file, tmp_path / f"ir{file.suffix}")
        found = source(shop, tmp_path / "ir.xml", calibration=data)
        assert (found.quantised, found.as_shipped) == (False, True)
        computes(found, data, onnx_models.oracle(path, data))
        (tmp_path / "ir.bin").write_bytes((tmp_path / "ir.bin").read_bytes()[:100])
        assert "OpenVINO cannot read it: " in refused(shop, tmp_path / "ir.xml")

    def test_an_operator_openvino_does_not_have(self, shop: Workshop, tmp_path: Path) -> None:
        from onnx import TensorProto, helper

        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
        graph = helper.make_graph([helper.make_node("Fancy", ["x"], ["y"], domain="mine")], "g", [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("mine", 1)])
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        message = refused(shop, tmp_path / "m.onnx", ConversionError)
        assert "OpenVINO cannot read m.onnx" in message
        assert "Fancy" in message


def test_loaded_once(models: Path, shop: Workshop) -> None:
    said: list[str] = []

    def report(stage: str, done: float | None = None) -> None:
        said.append(stage)

    request = Request.of(models / "legacy.h5")
    first = load.load(request, shop, report)
    assert said[:2] == ["loading", "converting"]
    said.clear()
    assert load.load(request, shop, report) == first
    assert said == []
