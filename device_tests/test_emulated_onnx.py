"""int8 in Q/DQ form on an emulated board: MLPerf Tiny's keyword spotting in ONNX Runtime, brought along."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from device_tests.emulator import Running
from device_tests.test_emulated_deploy import edgegreen

KWS = Path(os.environ.get("EDGEGREEN_ASSETS", "")) / "mlperf-tiny" / "kws"
RECIPE = """
name: kws-onnx
model: {folder}/kws_ref_model
data: {{calibration: {folder}/kws01_calibration.npz, evaluation: {folder}/kws01_evaluation.npz}}
variants:
  int8-onnx: {{format: onnx, precision: int8}}
  int8-symmetric: {{format: onnx, precision: int8, quantizer: onnxruntime-symmetric}}
benchmark: {{duration_s: 1, idle_s: 1}}
"""
pytestmark = [
    pytest.mark.emulated,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not KWS.is_dir(), reason="$EDGEGREEN_ASSETS has no mlperf-tiny/kws"),
]


def test_keyword_spotting_is_right_in_nine_of_ten(emulated: Running, tmp_path: Path) -> None:
    recipe, file, home = tmp_path / "kws.yaml", tmp_path / "run.json", tmp_path / "home"
    recipe.write_text(RECIPE.format(folder=KWS.resolve()), encoding="utf-8")
    name = emulated.board.target_name
    done = edgegreen(emulated, home, "deploy", str(recipe), "--target", name, "--json", str(file))
    assert done.returncode == 0, done.stderr + done.stdout
    print(done.stdout)  # noqa: T201  (the figures, with -s)
    plain, symmetric = json.loads(file.read_text())["results"]
    for result in (plain, symmetric):
        assert result["runtime"]["name"] == "onnxruntime"
        assert (result["accuracy"]["n"], result["accuracy"]["value"] >= 0.90) == (900, True)
        assert set(result["execution"]["compute"]) == {"i8"}
        assert result["execution"]["delegated"] is None
    cleaned = edgegreen(emulated, home, "targets", "clean", name)
    assert " freed" in cleaned.stdout, cleaned.stderr
