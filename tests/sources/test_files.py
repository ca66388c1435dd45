"""Which kind of model a path is, and which files it is made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegreen.errors import InputError
from edgegreen.sources import files, format_of, kind_of


@pytest.mark.parametrize(
    ("name", "format_", "kind"),
    [
        ("kws/kws_ref_model", "savedmodel", "float"),
        ("kws/kws_ref_model_int8.tflite", "tflite", "quantised"),
        ("resnet8/pretrainedResnet.h5", "keras", "float"),
    ],
)
def test_mlperf_models(assets: Path, name: str, format_: str, kind: str) -> None:
    assert (format_of(assets / name), kind_of(assets / name)) == (format_, kind)


def test_made_models(models: Path) -> None:
    assert kind_of(models / "multi.keras") == kind_of(models / "sequence.tflite") == "float"


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".h5", ".keras", ".xml", ".hdf5"])
@pytest.mark.parametrize("content", [b"", b"These are no weights.\n" * 20], ids=["empty", "text"])
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a readable") as caught:
        kind_of(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_tflite(assets: Path, tmp_path: Path, share: float) -> None:
    whole = (assets / "kws/kws_ref_model_int8.tflite").read_bytes()
    (tmp_path / "m.tflite").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match="not a readable TFLite model"):
        kind_of(tmp_path / "m.tflite")


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"`\.pt` is no model format") as caught:
        kind_of(tmp_path / "net.pt")
    assert "torch.export.save(" in str(caught.value.hint)
    assert "ONNX" in str(caught.value.hint)


def test_absent_and_incomplete_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        format_of(tmp_path / "model.tflite")
    with pytest.raises(InputError, match=r"without saved_model\.pb"):
        format_of(tmp_path)
    (tmp_path / "model.xml").write_text("<?xml version='1.0'?><net name='m' version='11'></net>")
    with pytest.raises(InputError, match=r"weights, model\.bin, are not beside it"):
        format_of(tmp_path / "model.xml")
    (tmp_path / "other.xml").write_text("<?xml version='1.0'?><svg></svg>")
    with pytest.raises(InputError, match="not a readable OpenVINO IR"):
        format_of(tmp_path / "other.xml")


class TestDigest:
    def test_every_file_and_name_of_a_savedmodel_counts(self, models: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(models / "two", tmp_path / "elsewhere"))
        original = files.digest(models / "two", "savedmodel")
        assert files.digest(copy, "savedmodel") == original
        weights = copy / "variables" / "variables.data-00000-of-00001"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        changed = files.digest(copy, "savedmodel")
        (copy / "assets" / "words.txt").write_text("")
        assert len({original, changed, files.digest(copy, "savedmodel")}) == 3

    def test_weights_beside_an_onnx_file_count(self, tmp_path: Path) -> None:
        path = onnx_with_weights_beside(tmp_path, "weights.bin")
        assert [part.name for part in files.parts(path, "onnx")] == ["m.onnx", "weights.bin"]
        before = files.digest(path, "onnx")
        (tmp_path / "weights.bin").write_bytes(b"\1" * 48)
        assert files.digest(path, "onnx") != before
        (tmp_path / "weights.bin").unlink()
        with pytest.raises(InputError, match=r"weights\.bin, which holds its weights, is not beside it"):
            files.digest(path, "onnx")

    def test_an_onnx_file_cannot_name_files_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"\1" * 48)
        (tmp_path / "model").mkdir()
        path = onnx_with_weights_beside(tmp_path / "model", "../secret")
        with pytest.raises(InputError, match="not beside it"):
            files.parts(path, "onnx")


def onnx_with_weights_beside(folder: Path, location: str) -> Path:
    """y = x·w with w (4, 3) in another file."""
    import numpy as np

    weights = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    if not (folder / location).exists():
        (folder / location).write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    (folder / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    assert onnx.load(folder / "m.onnx", load_external_data=False).graph.name == "g"
    return folder / "m.onnx"
