"""torch.export programs → ONNX, TFLite, OpenVINO: by the real torch, in the environment made for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import onnx
import pytest
from cli.harness import Shell
from filelock import FileLock
from places import REPO

from edgegreen.errors import ConversionError, InputError
from edgegreen.sources import host, load, torch, torchtool
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import compare
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request
from edgegreen.sources.samples import rows
from edgegreen.workers.report import silent
from sources.test_pt2file import PROGRAM, changed

DATA = REPO / "recipes" / "digits"
RECIPE = f"""
name: torch
model: digits.pt2
data: {{calibration: {DATA}/calibration.npz, evaluation: {DATA}/evaluation.npz}}
variants:
  float: {{format: tflite, precision: fp32}}
  int8: {{format: tflite, precision: int8}}
  openvino: {{format: openvino, precision: int8}}
  onnx: {{format: onnx, precision: int8}}
benchmark: {{duration_s: 0.1, min_runs: 5}}
budgets: {{accuracy_drop_max: 0.01}}
"""


def test_why_an_exporter_failed_is_what_is_behind_its_advice() -> None:
    error = RuntimeError("Next steps: create an issue")
    error.__cause__ = TypeError("no function\n for svd")
    assert torchtool.reason(error) == "TypeError: no function for svd"


def test_an_input_of_a_type_that_cannot_be_fed(shop: Workshop, home: Path, tmp_path: Path) -> None:
    def bfloat16(tree: Any) -> None:
        tree["graph_module"]["graph"]["tensor_values"]["given_more"]["dtype"] = 13

    path = changed(tmp_path, PROGRAM, bfloat16)
    with pytest.raises(InputError, match="tensor `given_more` is of type bfloat16, which cannot be fed"):
        load.load(Request.of(path), shop, silent)
    assert not (home / "tools").exists()


def would_bring_cuda() -> bool:
    """Whether installing torch here would fetch 5.7 GB, because nobody says where its CPU wheels are."""
    folders = (os.environ.get(name, "") for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"))
    near = [path for text in folders for path in text.replace(",", " ").split()]
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    at_hand = any(list(Path(path).glob(f"torch-{torch.TORCH}+cpu-{tag}-*.whl")) for path in near)
    return sys.platform == "linux" and not (at_hand or os.environ.get("UV_TORCH_BACKEND") == "cpu")


@pytest.fixture(scope="session")
def torch_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EDGEGREEN_HOME with the one environment that all tests share, and torch_models.py's `models`.

    EDGEGREEN_TORCH_HOME names one that is there already.
    """
    if "EDGEGREEN_TORCH_HOME" not in os.environ and would_bring_cuda():
        pytest.skip("torch for CUDA takes 5.7 GB: name CPU wheels (docs/torch.md) or EDGEGREEN_TORCH_HOME")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "torch"
    folder = Path(os.environ.get("EDGEGREEN_TORCH_HOME", folder))
    with FileLock(folder.with_suffix(".lock")), pytest.MonkeyPatch.context() as patch:
        if not (folder / "models").is_dir():
            patch.setenv("EDGEGREEN_HOME", str(folder))
            python = torch.TOOL.ensure(Event())
            making = folder / "making"
            making.mkdir(exist_ok=True)
            maker = [str(python), "-I", str(REPO / "tests" / "torch_models.py")]
            subprocess.run([*maker, str(making), str(DATA / "training.npz")], check=True, capture_output=True)
            making.rename(folder / "models")
    return folder


@pytest.fixture
def models(torch_home: Path, home: Path) -> Path:
    """The models; torch is there for the code under test."""
    (home / "tools").symlink_to(torch_home / "tools")
    return torch_home / "models"


@pytest.mark.slow
@pytest.mark.timeout(900)  # whichever comes first installs torch
def test_inputs_and_outputs_keep_order_and_layout(models: Path, shop: Workshop, tmp_path: Path) -> None:
    with np.load(models / "expected.npz") as told:
        given = {"x0": told["x0"], "x1": told["x1"]}
        expected = [told[name] for name in ("scores", "maps", "best")]
    data = tmp_path / "data.npz"
    np.savez(data, **given)
    request = Request.of(models / "nested.pt2", calibration=data)
    source = load.load(request, shop, silent)
    assert [spec.name for spec in source.outputs] == ["linear", "relu", "argmax"]
    hub = load.tflite_hub(request, source, shop, silent)
    assert hub.built_by == "litert-torch 0.10.0"
    onnx_hub = load.onnx_hub(request, source, shop, silent)
    assert onnx_hub.built_by == "torch 2.13.0"
    written = onnx.load(onnx_hub.files[0])
    assert (written.ir_version, written.opset_import[0].version) == (8, 18)
    older = load.tensorrt_hub(request, source, shop, silent)
    assert onnx.load(older.files[0]).opset_import[0].version == 13
    for model in (source.model, hub, onnx_hub, older):
        found = map(np.concatenate, zip(*host.outputs(model, rows(data, "calibration"), 1), strict=True))
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dynamic_batch_and_torchs_own_onnx(models: Path, shop: Workshop) -> None:
    checks = []
    for name in ("digits.pt2", "digits.onnx"):
        request = Request.of(models / name, calibration=DATA / "calibration.npz")
        source = load.load(request, shop, silent)
        assert source.inputs[0].shape == (1, 1, 8, 8)
        checks.append(source.check)
    found = compare(*(stored.rows(check) for check in checks))
    assert (found.fault, found.top1) == (None, 1.0)
    assert found.sqnr_db
    assert found.sqnr_db > 80


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_pickle_is_not_executed(
    models: Path, shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the example inputs torch expects a pickle; of nothing but tensors, as it is run here."""
    monkeypatch.chdir(tmp_path)
    python = torch.TOOL.python
    unpickle = "import sys, torch; torch.export.load(sys.argv[1])"
    subprocess.run(
        [str(python), "-c", unpickle, str(models / "pickle.pt2")], capture_output=True, check=False
    )
    assert (tmp_path / "executed").exists()  # torch by itself does execute it
    (tmp_path / "executed").unlink()
    with pytest.raises(ConversionError, match="a pickle in it holds more than tensors, and is not loaded"):
        load.load(Request.of(models / "pickle.pt2"), shop, silent)
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_deployed_it_is_as_accurate_as_in_torch(models: Path, home: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path, home)
    (tmp_path / "digits.pt2").symlink_to(models / "digits.pt2")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = shell.run("deploy", "recipe.yaml", "--json", "-", limit_s=200)
    assert done.code == 0, done.err
    accuracies = {row["variant"]: row["accuracy"]["value"] for row in done.json["results"]}
    assert accuracies.keys() == {"float", "int8", "openvino", "onnx"}
    assert min(accuracies.values()) > 0.95
    made = {row["variant"]: row["artifact"]["built_by"] for row in done.json["results"]}
    assert made["onnx"].endswith("← torch 2.13.0")  # not by way of a .tflite
