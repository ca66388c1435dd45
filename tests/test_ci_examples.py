"""The CI files of the docs: their shell lines, run as a runner would, against a board on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import REPO
from ruamel.yaml import YAML
from sshd import Sshd

pytestmark = pytest.mark.slow
RECIPE = f"""\
name: digits
model: {REPO}/recipes/digits/model.keras
data: {{evaluation: {REPO}/recipes/digits/evaluation.npz}}
variants: {{fp32: {{format: tflite, precision: fp32}}}}
benchmark: {{duration_s: 0.5}}
budgets: {{size_bytes_max: LIMIT}}
"""


def example(name: str) -> Any:
    return YAML(typ="safe").load(REPO / "docs" / "ci" / name)


def lines_of(service: str) -> tuple[list[str], list[str]]:
    """What measures, and what runs afterwards in any case; but for the installation, which is done."""
    if service == "gitlab":
        job = example("gitlab.yaml")["boards"]
        return ["\n".join(job["script"])], ["\n".join(job["after_script"])]
    steps = {one.get("name"): one for one in example("github.yaml")["jobs"]["boards"]["steps"]}
    return [steps["Measure"]["run"]], [steps["Report"]["run"]]


@pytest.fixture
def workplace(sshd: Sshd, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A checkout with a recipe, and the environment of a runner beside a board."""
    checkout = tmp_path / "checkout"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "edgegreen").write_text(
        f'#!/bin/sh\nexec {sys.executable} -m edgegreen "$@"\n'
    )
    (checkout / ".venv" / "bin" / "edgegreen").chmod(0o755)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "bench-1.yaml").write_text(
        f"host: 127.0.0.1\nport: {sshd.port}\nuser: {sshd.user}\nidentity_file: {sshd.identity}\n"
        f"python: {sys.executable}\ntags: [ci]\n"
    )
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "known_hosts").write_text(sshd.known_hosts.read_text())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return checkout, environment | {
        "HOME": str(home), "RECIPE": "recipe.yaml", "CI": "true", "PYTHONPATH": str(REPO),
        "EDGEGREEN_TARGETS": str(tmp_path / "targets"), "EDGEGREEN_HOME": str(tmp_path / "edgegreen"),
    }  # fmt: skip


@pytest.mark.parametrize(("limit", "code"), [(1_000_000, 0), (1_000, 1)], ids=["kept", "missed"])
@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_budgets_decide_and_reports_are_there(
    service: str, limit: int, code: int, workplace: tuple[Path, dict[str, str]]
) -> None:
    checkout, environment = workplace
    (checkout / "recipe.yaml").write_text(RECIPE.replace("LIMIT", str(limit)))
    if service == "github":
        environment |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(checkout / "summary.md")}
    measure, afterwards = lines_of(service)

    def run(script: str) -> subprocess.CompletedProcess[str]:
        shell = ["bash", "-eo", "pipefail", "-c", script]  # as both services have it
        return subprocess.run(
            shell, cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )

    measured = [run(script) for script in measure]
    reported = [run(script) for script in afterwards]

    assert [one.returncode for one in measured] == [code], measured[0].stderr
    assert [one.returncode for one in reported] == [0], reported[0].stderr
    assert (checkout / "report.html").read_text().startswith("<!doctype html>")
    assert "<testcase" in (checkout / "junit.xml").read_text()
    if service == "github":
        assert "fp32" in (checkout / "summary.md").read_text()
        assert ("::error title=Budget missed" in measured[0].stderr) == bool(code)


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_a_regression_fails_the_job_and_is_in_its_reports(
    service: str, workplace: tuple[Path, dict[str, str]]
) -> None:
    checkout, environment = workplace
    limits = "regression: {energy_more_max: 0.1}\n"  # no meter is there, so none keeps to it
    (checkout / "recipe.yaml").write_text(RECIPE.replace("LIMIT", "1000000") + limits)
    measure, afterwards = lines_of(service)

    def run(scripts: list[str]) -> list[int]:
        shell = ["bash", "-eo", "pipefail", "-c"]
        return [
            subprocess.run([*shell, one], cwd=checkout, env=environment, check=False).returncode
            for one in scripts
        ]

    assert run(measure) == [0]
    (checkout / "run.json").rename(checkout / "baseline.json")
    assert (run(measure), run(afterwards)) == ([1], [0])
    assert 'type="regression"' in (checkout / "junit.xml").read_text()
    if service == "github":
        assert "worse than before" in (checkout / "comment.md").read_text()


def test_files_hold_what_the_services_ask_for() -> None:
    """The keys that make them work: the runner, the gate on forks, what is uploaded."""
    github, gitlab = example("github.yaml"), example("gitlab.yaml")["boards"]
    job = github["jobs"]["boards"]
    assert "self-hosted" in job["runs-on"]
    assert "head.repo.full_name == github.repository" in job["if"]
    assert any(step.get("uses", "").startswith("actions/upload-artifact") for step in job["steps"])
    assert gitlab["artifacts"]["reports"]["junit"] == "junit.xml"
    assert gitlab["artifacts"]["when"] == "always"
