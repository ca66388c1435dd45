"""Sixty-four boards at once: real OpenSSH servers, the real agent; some off, some that refuse us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleet import servers

ROOT = Path(__file__).parent.parent.parent
BOARDS = 64
RECIPE = f"""\
name: fleet
model: {ROOT}/recipes/digits/model.keras
variants: {{fp32: {{format: tflite, precision: fp32}}}}
benchmark: {{duration_s: 0.5, min_runs: 10, warmup_s: 0.1, min_warmup_runs: 2}}
"""


@pytest.mark.slow
def test_a_fleet_is_measured_at_once_and_what_is_lost_is_summed_up(openssh: None, tmp_path: Path) -> None:
    with servers.running(tmp_path, BOARDS) as fleet:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(RECIPE, encoding="utf-8")
        (tmp_path / "targets" / "broken.yaml").write_text("host: [", encoding="utf-8")
        for name in ("board-03", "board-40"):
            fleet.boards[name].stop()
        fleet.boards["board-07"].identity.with_suffix(".pub").write_text("")  # now it refuses our key

        done = _deploy(
            recipe, fleet, "--target", "board-*", "--tag", "fleet", "--json", str(tmp_path / "run.json")
        )

    run = json.loads((tmp_path / "run.json").read_text())
    assert done.returncode == 4, done.stderr
    assert len({row["target"] for row in run["results"]}) == BOARDS - 3
    assert "note: left out: " in done.stderr
    port = fleet.boards["board-03"].port
    assert f"board-03: failed: 127.0.0.1:{port}: nothing listens on port {port}" in done.stderr.splitlines()
    said = done.stdout.splitlines()
    assert any(line.startswith("✗ board-03, board-40 (connect, the first): 127.0.0.1:") for line in said)
    assert "✗ 3 of 64 boards have no results: " in done.stdout
    (total,) = [line.split() for line in said if line.startswith("fp32") and "/61" in line]
    assert total[1] == "61/61" or "?" in done.stdout  # a busy machine makes unsteady readings


def _deploy(recipe: Path, fleet: servers.Servers, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    environment |= {"HOME": str(fleet.home), "EDGEGREEN_HOME": str(fleet.home / "edgegreen")}
    command = [sys.executable, "-m", "edgegreen", "deploy", str(recipe), *arguments]
    return subprocess.run(
        command, cwd=fleet.folder, env=environment, capture_output=True, text=True, check=False
    )
