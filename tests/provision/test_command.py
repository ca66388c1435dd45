"""The command line on a board whose Python has nothing: deploy brings what it needs, clean takes it away."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.harness import Shell
from sshd import Sshd

from edgegreen.provision.kit import PROOF

pytestmark = pytest.mark.slow  # whole runs that bring runtimes along


@pytest.fixture
def shell(tmp_path: Path, home: Path, sshd: Sshd, bare_python: Path, index: Path) -> Shell:
    """A user with a recipe for the proof's own model, and a board called bare."""
    made = Shell(tmp_path, home)
    (made.home / ".ssh" / "config").write_text(sshd.config.read_text())
    add(made, sshd, bare_python)
    return made


def add(shell: Shell, sshd: Sshd, python: Path, **more: object) -> str:
    whole = {"host": "127.0.0.1", "port": sshd.port, "user": sshd.user, "identity_file": sshd.identity}
    return shell.target("bare", **whole, python=python, root=shell.folder / "root", **more)


def recipe(shell: Shell) -> Path:
    variants = "{plain: {format: tflite}}"
    return shell.recipe(model=str(PROOF / "model.tflite"), data="", variants=variants, baseline="plain")


def test_the_first_deploy_brings_what_it_needs(shell: Shell, published: Path) -> None:
    first = shell.run("deploy", recipe(shell), "--target", "bare")
    assert first.code == 0, first.err
    assert "bare: provisioning" in first.err
    assert "litert 2.3.0" in first.rows["plain"]
    second = shell.run("deploy", recipe(shell), "--target", "bare")
    assert second.code == 0
    assert "provisioning" not in second.err


def test_brought_beforehand_and_taken_away(shell: Shell, published: Path) -> None:
    first = shell.run("targets", "provision", "bare", "--runtime", "litert")
    assert first.code == 0, first.err
    board, litert, sent = first.out.splitlines()
    assert board.startswith("bare  ")
    assert litert.startswith("litert 2.3.0  brought with numpy ")
    assert sent.endswith(" MB sent")
    again = shell.run("targets", "provision", "bare", "--runtime", "litert")
    assert again.out.splitlines()[1:] == ["litert 2.3.0  was there"]

    cleaned = shell.run("targets", "clean", "bare")
    assert (cleaned.code, cleaned.out.endswith(" kB freed\n")) == (0, True)
    assert not (shell.folder / "root").exists()
    assert shell.run("targets", "clean", "bare").out == "bare: nothing there\n"


def test_what_cannot_be_brought_is_a_note_unless_it_was_asked_for(shell: Shell, published: Path) -> None:
    """The index has no OpenVINO."""
    done = shell.run("targets", "provision", "bare")
    assert done.code == 0
    assert "litert 2.3.0  brought" in done.out
    assert "note: cannot fetch openvino==" in done.err
    asked = shell.run("targets", "provision", "bare", "-r", "openvino")
    assert asked.code == 5
    assert "error: cannot fetch openvino==" in asked.err


def test_a_deploy_says_why_there_is_no_runtime(shell: Shell, index: Path) -> None:
    done = shell.run("deploy", recipe(shell), "--target", "bare")
    assert done.code == 5
    assert "✗ bare (deploy): cannot fetch ai-edge-litert==2.3.0 numpy==" in done.out


def test_a_target_may_refuse(shell: Shell, sshd: Sshd, bare_python: Path, published: Path) -> None:
    add(shell, sshd, bare_python, provision="false")
    done = shell.run("deploy", recipe(shell), "--target", "bare")
    assert done.code == 5
    assert "has no litert or tflite-runtime (found: none) → install one there" in done.out
    asked = shell.run("targets", "provision", "bare")
    assert asked.code == 2
    assert "bare: the target says `provision: false`" in asked.err
