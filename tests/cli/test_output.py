"""Output that goes nowhere: what a command does it does all the same, and what is wrong is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import measurement, run

from cli.harness import Shell

FULL = "error: cannot write to standard output: No space left on device\n"


def ended(*arguments: str, stdout: int) -> tuple[int, str]:
    """How a command ended, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "edgegreen", *arguments],
        env=os.environ | {"NO_COLOR": "1"}, text=True, check=False, timeout=60,
        stdout=stdout, stderr=subprocess.PIPE,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.fixture
def full() -> Iterator[int]:
    """A file on a disk that is full."""
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


@pytest.fixture
def closed() -> Iterator[int]:
    """A pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    yield writes
    os.close(writes)


@pytest.fixture
def kept(tmp_path: Path) -> str:
    file = tmp_path / "run.json"
    file.write_text(run(measurement("fp32", p50=2.0)).to_json(), encoding="utf-8")
    return str(file)


def test_a_full_disk_is_one_line(full: int, kept: str) -> None:
    assert ended("--version", stdout=full) == (2, FULL)
    assert ended("show", kept, stdout=full) == (2, FULL)


def test_a_closed_pipe_is_no_mistake(closed: int, kept: str) -> None:
    assert ended("show", kept, stdout=closed) == (0, "")


def test_what_is_measured_is_kept_and_written(shell: Shell, full: int, closed: int) -> None:
    """Nor do messages that nobody reads end a measurement."""
    shell.env["NO_COLOR"] = "1"
    command = [sys.executable, "-m", "edgegreen", "deploy", str(shell.recipe()), "--variant", "fp32"]
    done = subprocess.run(
        [*command, "--json", "run.json"],
        env=shell.env, cwd=shell.folder, stdout=full, stderr=closed, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert [one["results"][0]["variant"] for one in shell.runs] == ["fp32"]
    assert (shell.folder / "run.json").is_file()
