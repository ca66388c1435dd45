"""`edgegreen deploy` to an emulated board as it comes: no runtime, no pip, no internet, and known watts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device_tests.emulator import Running

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(1800)]

REPO = Path(__file__).parent.parent
VARIANTS = ("int8-tflite", "int8-openvino")


def edgegreen(board: Running, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of edgegreen's that knows the board, in the repository."""
    return subprocess.run(
        [sys.executable, "-m", "edgegreen", *arguments],
        cwd=REPO, env=os.environ | board.environment() | {"EDGEGREEN_HOME": str(home)},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


def true_mj(board: Running, result: dict[str, Any]) -> float:
    """The energy of an inference above idle, from the board's own log of what it drew."""
    known = board.known_power()
    drawn_w = {name: known.mean_w(*edges) for name, edges in result["conditions"]["windows_ns"].items()}
    idle_w = (drawn_w["idle_before"] + drawn_w["idle_after"]) / 2
    return 1e3 * (drawn_w["active"] - idle_w) / result["throughput_ips"]


def test_from_bare_to_energy_per_inference(emulated: Running, tmp_path: Path) -> None:
    name = emulated.board.target_name
    only = [word for variant in VARIANTS for word in ("--variant", variant)]
    file = tmp_path / "run.json"
    done = edgegreen(
        emulated,
        tmp_path / "home",
        "deploy",
        "recipes/digits.yaml",
        "--target",
        name,
        *only,
        "--json",
        str(file),
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"{name}: provisioning" in done.stderr
    assert "◇ emulated: times and energies here are those of no board" in done.stdout
    results = json.loads(file.read_text())["results"]
    assert [result["variant"] for result in results] == list(VARIANTS)
    for result in results:
        assert result["conditions"]["board"]["emulated"] is True
        assert result["accuracy"]["value"] > 0.97
        assert f"{result['variant']}" in done.stdout
    if emulated.board.load.meter != "ina3221":
        return  # vcgencmd is a process for each reading here: too few of them in so short a time
    for result in results:
        assert result["energy_absent"] is None
        low, high = result["energy"]["ci95_mj"]
        # In 95 of 100 runs the truth is in the interval; in twice the interval, in all but one of thousands.
        assert result["energy"]["per_inference_mj"] == pytest.approx(
            true_mj(emulated, result), abs=high - low
        )
        assert high - low < 0.3 * result["energy"]["per_inference_mj"]
        assert (result["power"]["rail"], result["power"]["scope"]) == ("VDD_IN", "module")

    again = edgegreen(emulated, tmp_path / "home", "targets", "provision", name)
    assert "was there" in again.stdout, again.stderr
    cleaned = edgegreen(emulated, tmp_path / "home", "targets", "clean", name)
    assert " freed" in cleaned.stdout, cleaned.stderr
    assert emulated.ssh("ls -A /home/pi").split() == []
