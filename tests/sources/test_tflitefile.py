"""Reading and rewriting .tflite files; every rewritten one is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgegreen.artifact import TensorSpec
from edgegreen.sources import host, tflitefile
from edgegreen.sources.model import Port


def run(path: Path, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """The file's outputs in its own order."""
    model = tflitefile.read(path)
    names = tflitefile.signature_names(model)
    return host.load(tflitefile.model_file(path, *names, ""), 1).run(list(inputs))


def test_what_a_quantised_model_is(assets: Path) -> None:
    path = assets / "kws/kws_ref_model_int8.tflite"
    model = tflitefile.read(path)
    assert tflitefile.ports(model)[0] == (Port("input_1", (None, 49, 10, 1), "int8"),)
    assert tflitefile.ops(model) == {
        "CONV_2D": 5, "DEPTHWISE_CONV_2D": 4, "AVERAGE_POOL_2D": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }  # fmt: skip
    assert tflitefile.is_quantised(model)
    assert tflitefile.weight_types(path) == {"int8", "int32"}
    # The layers' weights and biases: 4×10×64 + 64, four blocks of 9×64 + 64 + 64×64 + 64, 64×12 + 12.
    assert tflitefile.parameters(model) == 2624 + 4 * (576 + 64 + 4096 + 64) + 780


def test_an_empty_scale_beside_floats_means_nothing(models: Path) -> None:
    model = tflitefile.read(models / "sequence.tflite")
    for tensor in model.subgraphs[0].tensors:
        tensor.quantization.scale = np.zeros(0, np.float32)
    assert not tflitefile.is_quantised(model)


def test_static_shapes_for_a_dynamic_file(models: Path, tmp_path: Path) -> None:
    model = tflitefile.read(models / "sequence.tflite")
    assert not tflitefile.is_quantised(model)
    (port,) = tflitefile.ports(model)[0]
    assert port.dims == (None, None, 6)
    assert tflitefile.fix_shapes(model, [TensorSpec(port.name, (1, 20, 6), port.dtype)])
    tflitefile.write(model, tmp_path / "static.tflite")
    assert tflitefile.ports(tflitefile.read(tmp_path / "static.tflite"))[0][0].dims == (1, 20, 6)
    x, want = np.load(models / "sequence.npz")["x"], np.load(models / "sequence_outputs.npz")["arr_0"]
    got = np.concatenate([run(tmp_path / "static.tflite", row[None])[0] for row in x])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_batch_alone_is_no_change_to_speak_of(assets: Path) -> None:
    model = tflitefile.read(assets / "resnet8/pretrainedResnet_int8.tflite")
    (port,) = tflitefile.ports(model)[0]
    assert not tflitefile.fix_shapes(model, [TensorSpec(port.name, (1, 32, 32, 3), port.dtype)])


def test_a_signature_for_a_file_without(assets: Path, tmp_path: Path) -> None:
    model = tflitefile.read(assets / "kws/kws_ref_model_int8.tflite")
    assert not model.signatureDefs
    tflitefile.sign(model)
    tflitefile.write(model, tmp_path / "signed.tflite")
    again = tflitefile.read(tmp_path / "signed.tflite")
    assert tflitefile.signature_names(again) == (("input_1",), ("Identity",))
    zeros = np.zeros((1, 49, 10, 1), np.float32)
    assert run(tmp_path / "signed.tflite", zeros)[0].shape == (1, 12)


def test_channels_brought_to_the_front(models: Path, tmp_path: Path) -> None:
    """Turn an output's last axis to the front, in a model whose output has three axes."""
    model = tflitefile.read(models / "sequence.tflite")
    (port,) = tflitefile.ports(model)[0]
    tflitefile.fix_shapes(model, [TensorSpec(port.name, (1, 20, 6), port.dtype)])
    graph = model.subgraphs[0]
    inner = next(i for i, tensor in enumerate(graph.tensors) if list(tensor.shape) == [1, 1, 8])
    graph.tensors[inner].shape = np.array([1, 20, 8], np.int32)
    graph.outputs = np.array([inner], np.int32)
    tflitefile.sign(model)
    tflitefile.write(model, tmp_path / "last.tflite")
    tflitefile.channels_first(model, [0])
    tflitefile.write(model, tmp_path / "first.tflite")
    x = np.load(models / "sequence.npz")["x"][:1]
    last, first = run(tmp_path / "last.tflite", x)[0], run(tmp_path / "first.tflite", x)[0]
    assert last.shape == (1, 20, 8)
    assert last.std() > 0
    np.testing.assert_array_equal(first, last.transpose(0, 2, 1))


def test_order_follows_the_signatures_names(models: Path, tmp_path: Path) -> None:
    fixture = Path(__file__).parent.parent / "fixtures" / "models" / "two_in_two_out.tflite"
    model = tflitefile.read(fixture)
    tflitefile.sign(model)
    inputs, outputs = tflitefile.signature_names(model)
    assert tflitefile.order(model, inputs[::-1], inputs=True) == (1, 0)
    assert tflitefile.order(model, outputs[::-1], inputs=False) == (1, 0)
    with pytest.raises(KeyError):
        tflitefile.order(model, ["no such input"], inputs=True)
