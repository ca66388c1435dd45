from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from edgegreen.agent import runtimes
from edgegreen.agent.runtimes import openvinodevices
from edgegreen.agent.runtimes.tensors import Mismatch, Tensor, Unsupported, decode, encode


def test_what_is_installed_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").write_text("raise SystemError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert runtimes.found() == {
        "litert": version("ai-edge-litert"),
        "tflite-runtime": "unknown",
        "openvino": version("openvino"),
        "onnxruntime": version("onnxruntime"),
        "edgetpu": "unknown",
        "edgetpu-litert": version("ai-edge-litert"),
    }
    (tmp_path / "tflite_runtime-2.5.0.post1.egg-info").touch()  # as Coral's Debian package has it
    assert runtimes.version("tflite-runtime") == "2.5.0.post1"
    assert "tflite_runtime" not in sys.modules


def test_a_build_for_gpus_goes_by_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    (tmp_path / "onnxruntime_gpu-1.23.0.dist-info").mkdir()
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert runtimes.version("onnxruntime") == "1.23.0"


def test_a_device_that_a_runtime_does_not_know() -> None:
    with pytest.raises(Unsupported, match="litert knows no device CUDA"):
        runtimes.load("litert", ["gone.tflite"], 1, device="CUDA")


def test_what_is_not_installed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runtimes.RUNTIMES, "none", runtimes.Entry("no_such_package", "no-such", "tflite"))
    assert runtimes.version("none") is None
    assert "none" not in runtimes.found()


def test_tflite_tensors_are_described_and_run(models: Path) -> None:
    runtime = runtimes.load("litert", [str(models / "two_in_two_out.tflite")], 1)
    b, a = runtime.inputs
    assert (a.shape, a.dtype, b.shape) == ((1, 4), "int8", (1, 2, 2))
    assert [tensor.dtype for tensor in runtime.outputs] == ["int8", "int64"]
    assert runtime.outputs[1].scale is None
    runtime.set(0, encode(b, np.full((1, 2, 2), 2.0, "f4")))
    runtime.set(1, encode(a, np.array([[0.5, -0.5, 0.9, 0]], "f4")))
    runtime.invoke()
    np.testing.assert_allclose(decode(runtime.outputs[0], runtime.get(0)), [[2.5, 1.5, 2.9, 2]], atol=0.05)
    assert runtime.get(1).tolist() == [2]
    assert (runtime.name, runtime.version, runtime.own_ns) == ("litert", version("ai-edge-litert"), None)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("dynamic", r"dynamic shape \[1, -1\]; give `input_shape`"),
        ("text", "type bytes"),
        ("bfloat16", "type (bfloat16|that cannot be fed)"),
    ],
)
def test_tflite_inputs_that_cannot_be_fed(models: Path, model: str, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        runtimes.load("litert", [str(models / f"{model}.tflite")], 1)


def test_the_delegate_is_named_when_it_took_part(models: Path, assets: Path) -> None:
    kws = runtimes.load("litert", [str(assets / "kws" / "kws_ref_model_int8.tflite")], 1)
    assert kws.delegate == "XNNPACK"
    int4 = runtimes.load("litert", [str(models / "int4.tflite")], 1)
    assert int4.delegate is None


def save_ir(path: Path, shape: list[int], kind: ov.Type = ov.Type.f32) -> list[str]:
    x = ops.parameter(ov.PartialShape(shape), kind, name="x")
    doubled = ops.add(x, x)
    ov.save_model(ov.Model([ops.result(doubled), ops.result(ops.convert(x, "i32"))], [x]), path, False)
    return [str(path), str(path.with_suffix(".bin"))]


def test_openvino_runs_an_ir_whose_batch_is_dynamic(tmp_path: Path) -> None:
    runtime = runtimes.load("openvino", save_ir(tmp_path / "m.xml", [-1, 3]), 1)
    assert [(one.shape, one.dtype, one.scale) for one in runtime.inputs] == [((1, 3), "float32", None)]
    assert [one.dtype for one in runtime.outputs] == ["float32", "int32"]
    runtime.set(0, np.array([[1, 2, 3]], "f4"))
    runtime.invoke()
    first = runtime.get(0)
    runtime.set(0, np.array([[4, 5, 6]], "f4"))
    runtime.invoke()
    assert (first.tolist(), runtime.get(0).tolist(), runtime.get(1).tolist()) == (
        [[2, 4, 6]],
        [[8, 10, 12]],
        [[4, 5, 6]],
    )
    assert runtime.own_ns is not None
    assert 0 < runtime.own_ns() < 10**9
    assert runtime.version == version("openvino")


@pytest.mark.parametrize(("device", "told"), [("CPU", "CPU"), ("AUTO", "AUTO: CPU")])
def test_openvino_on_a_device_that_was_asked_for(tmp_path: Path, device: str, told: str) -> None:
    """This machine has no other; AUTO hands the tensors on to what it chose."""
    runtime = runtimes.load("openvino", save_ir(tmp_path / "m.xml", [1, 3]), 1, device=device)
    runtime.set(0, np.array([[1, 2, 3]], "f4"))
    runtime.invoke()
    runtime.set(0, np.array([[4, 5, 6]], "f4"))
    runtime.invoke()
    assert (runtime.get(0).tolist(), runtime.get(1).tolist()) == ([[8, 10, 12]], [[4, 5, 6]])
    assert (runtime.delegate or "").split(" bf16")[0] == told
    profiled = runtimes.load("openvino", save_ir(tmp_path / "p.xml", [1, 3]), 1, profile=True, device=device)
    profiled.invoke()
    assert any(one.ms is not None for one in profiled.operators())


def test_openvino_says_which_devices_there_are(tmp_path: Path) -> None:
    if len(ov.Core().available_devices) > 1:
        pytest.skip("this machine has more than its CPU")
    for device in ("GPU", "NPU"):
        with pytest.raises(Unsupported, match=f"OpenVINO finds no {device} on this board, only CPU; "):
            runtimes.load("openvino", save_ir(tmp_path / "m.xml", [1, 3]), 1, device=device)


class Core:
    """The one thing of OpenVINO's Core that is asked for devices."""

    def __init__(self, *devices: str) -> None:
        self.available_devices = list(devices)


def test_a_device_of_several_is_one_of_its_kind() -> None:
    openvinodevices.check(Core("CPU", "GPU.0", "GPU.1"), "GPU")
    with pytest.raises(Unsupported, match=r"no NPU on this board, only CPU, GPU\.0"):
        openvinodevices.check(Core("CPU", "GPU.0"), "NPU")


def test_what_a_device_lacks_is_told_by_its_file(tmp_path: Path) -> None:
    def refused() -> str:
        with pytest.raises(Unsupported) as caught:
            openvinodevices.check(Core("CPU"), "GPU", str(tmp_path))
        return str(caught.value)

    assert "there is no /dev/dri/renderD*: the kernel drives none" in refused()
    file = tmp_path / "dev" / "dri" / "renderD128"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert "renderD128 is there: what may be missing is Intel's OpenCL driver" in refused()
    file.chmod(0)
    if os.geteuid() != 0:  # root may open everything
        assert "may not be opened: the user has to be in the group `render`" in refused()


def test_openvino_inputs_that_cannot_be_fed(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="`x` has the dynamic shape"):
        runtimes.load("openvino", save_ir(tmp_path / "a.xml", [1, -1]), 1)
    with pytest.raises(Unsupported, match="type bf16"):
        runtimes.load("openvino", save_ir(tmp_path / "b.xml", [1, 3], ov.Type.bf16), 1)


@pytest.mark.parametrize(
    ("tensor", "value", "put"),
    [
        (Tensor("x", (1, 3), "int8", 0.5, 10), np.array([[0.0, 1.0, 1e9]], "f4"), [[10, 12, 127]]),
        (Tensor("x", (1, 3), "uint8", 1 / 255, 0), np.array([[-1.0, 0.501, 1.0]], "f4"), [[0, 128, 255]]),
        (Tensor("x", (1, 2), "int16", 1.0, 0), np.array([[2.6, -40000]], "f4"), [[3, -32768]]),
        (Tensor("x", (1, 2), "int8", 0.5, 10), np.array([[3, 4]], "i1"), [[3, 4]]),
        (Tensor("x", (1, 2), "uint8", 0.5, 10), np.array([[3, 4]], "i8"), [[16, 18]]),
        (Tensor("x", (1, 2), "int64"), np.array([[3.0, 4.0]], "f4"), [[3, 4]]),
        (Tensor("x", (1, 2, 1), "float32"), np.array([[3, 4]], "u1"), [[[3], [4]]]),
        (Tensor("x", (2,), "float32"), np.array([[3, 4]], "f4"), [3, 4]),
        (Tensor("x", (), "float32"), np.array([3.0]), 3.0),
    ],
)
def test_real_values_become_what_the_tensor_takes(tensor: Tensor, value: np.ndarray, put: object) -> None:
    encoded = encode(tensor, value)
    assert (encoded.dtype.name, encoded.shape) == (tensor.dtype, tensor.shape)
    assert encoded.tolist() == put


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 192), (1, 8, 8), (2, 8, 8, 3)])
def test_data_of_another_shape_are_not_bent(shape: tuple[int, ...]) -> None:
    with pytest.raises(Mismatch) as caught:
        encode(Tensor("image", (1, 8, 8, 3), "float32"), np.zeros(shape, "f4"))
    assert "`image` takes shape 1×8×8×3, a sample has " + "×".join(map(str, shape)) in str(caught.value)


def test_outputs_become_real_values() -> None:
    quantised = decode(Tensor("y", (1, 2), "int8", 0.5, -128), np.array([[-128, 127]], "i1"))
    assert (quantised.dtype.name, quantised.tolist()) == ("float32", [[0.0, 127.5]])
    assert decode(Tensor("y", (1,), "float16"), np.array([1.5], "f2")).dtype.name == "float32"
    assert decode(Tensor("y", (1,), "int64"), np.array([5])).dtype.name == "int64"


def test_tensors_of_other_kinds_are_refused() -> None:
    with pytest.raises(Unsupported, match="`y` is of type complex64"):
        Tensor("y", (1,), "complex64")
    with pytest.raises(Unsupported, match="quantised to int64"):
        Tensor("y", (1,), "int64", 0.5, 0)
