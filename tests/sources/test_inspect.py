"""What `edgegreen inspect` shows, without importing tensorflow or openvino here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgegreen import sources
from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.sources import load
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request
from sources import onnx_models


def test_a_tflite(assets: Path) -> None:
    path = assets / "kws/kws_ref_model_int8.tflite"
    found = sources.inspect(path)
    assert (found.kind, found.size_bytes) == ("TFLite model", path.stat().st_size)
    assert found.inputs == (TensorSpec("input_1", (-1, 49, 10, 1), "int8"),)
    assert found.ops["CONV_2D"] == 5
    assert found.parameters == 22604


def test_an_onnx_file(tmp_path: Path) -> None:
    found = sources.inspect(onnx_models.conv_net(tmp_path / "m.onnx"))
    assert found.kind == "ONNX model"
    assert found.inputs[0] == TensorSpec("image.1", (-1, 3, 16, 12), "float32")
    assert found.ops == {"Conv": 2, "Relu": 1, "GlobalAveragePool": 1, "Flatten": 1, "Concat": 1, "Gemm": 1}


def test_an_ir(tmp_path: Path, shop: Workshop) -> None:
    request = Request.of(onnx_models.conv_net(tmp_path / "m.onnx"))
    ir = load.load(request, shop, lambda stage, done=None: None).model.files[0]
    found = sources.inspect(ir)
    assert found.kind == "OpenVINO IR"
    assert found.inputs == (
        TensorSpec("image.1", (1, 3, 16, 12), "float32"),
        TensorSpec("extra/in:0", (1, 4), "float32"),
    )
    assert found.outputs[0] == TensorSpec("scores.out", (1, 5), "float32")
    assert found.ops["Convolution"] == 2
    (ir.parent / "cut.xml").write_bytes(ir.read_bytes()[:3000])
    (ir.parent / "cut.bin").write_bytes(b"")
    with pytest.raises(InputError, match="not a readable OpenVINO IR"):
        sources.inspect(ir.parent / "cut.xml")


@pytest.mark.slow
def test_a_keras_file_of_any_length(models: Path) -> None:
    """In a process of its own: the model is loaded in a worker, and nothing heavy here."""
    code = (
        "import sys; from pathlib import Path; from edgegreen import sources\n"
        "found = sources.inspect(Path(sys.argv[1]))\n"
        "print(found.kind, found.inputs[0].shape, found.outputs[0].name)\n"
        "print(found.ops['CONV_2D'], found.parameters)\n"
        "print([m for m in ('tensorflow', 'keras', 'openvino', 'ai_edge_quantizer') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(models / "sequence.keras")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    # 3×6×8 + 8 weights of the convolution, 8×3 + 3 of the layer on top.
    assert said.stdout == "Keras model (-1, -1, 6) dense_1\n1 179\n[]\n"
    assert said.stderr == ""
