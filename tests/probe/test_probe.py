"""The round trip: over a real SSH server, with a shell that greets, and on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sshd import Sshd

from edgegreen import probe
from edgegreen.errors import DeviceError
from edgegreen.probe.facts import BoardFacts
from edgegreen.target import Target
from edgegreen.transport import Completed, connect
from probe.conftest import Recorded


@pytest.fixture(autouse=True)
def own_ssh(monkeypatch: pytest.MonkeyPatch, sshd: Sshd, tmp_path: Path) -> None:
    """The server is a known host; nothing of the user's takes part."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(sshd.config.read_text())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def test_one_command_over_ssh_tells_all(sshd: Sshd) -> None:
    before, there = sshd.log().count("Starting session: command"), set(sshd.home.rglob("*"))
    probed = probe.probe(sshd.target(python=sys.executable))
    assert sshd.log().count("Starting session: command") == before + 1
    facts = probed.facts
    assert facts.untold == ()
    assert facts.python
    assert facts.python.version == sys.version_info[:3]
    assert facts.python.executable == sys.executable
    assert facts.system.user == sshd.user
    assert facts.home
    assert facts.home.path == str(sshd.home)
    assert facts.cpu.cores
    assert facts.memory.total_bytes
    assert facts.clock_ahead_s is not None
    assert abs(facts.clock_ahead_s) < 3
    assert {"numpy", "ai_edge_litert"} <= {package.name for package in facts.python.packages}
    assert set(sshd.home.rglob("*")) == there  # nothing was left behind


def test_a_recorded_board_behind_ssh(sshd: Sshd, recorded: Callable[[str], Recorded]) -> None:
    board = recorded("jetson-thor")
    probed = probe.probe(sshd.target(sysfs_root=str(board.root), python=str(board.commands / "python3")))
    assert probed.identity.family == "jetson-thor"
    assert probed.facts.python
    assert probed.facts.python.version == (3, 12, 3)


def test_a_container_that_shows_the_boards_sysfs(recorded: Callable[[str], Recorded]) -> None:
    board = recorded("jetson-agx-orin")
    target = Target(host="local", sysfs_root=f"{board.root}/sys", python=sys.executable).called("inside")
    facts = probe.probe(target).facts
    assert [meter.kind for meter in facts.meters] == ["ina3221"]
    assert facts.system.load_1min is not None  # of /proc, where there is one


def test_this_machine() -> None:
    facts = probe.probe(Target(host="local").called("local")).facts
    assert facts.python
    assert facts.python.executable == sys.executable
    assert facts.cpu.cores == os.cpu_count()
    assert facts.python == facts.pythons[0]


def test_a_python_below_the_home_folder(sshd: Sshd) -> None:
    place = sshd.home / "my venv" / "bin"
    place.mkdir(parents=True)
    (place / "python").symlink_to(sys.executable)
    try:
        facts = probe.probe(sshd.target(python="~/my venv/bin/python")).facts
        assert facts.python
        assert facts.python.path == str(place / "python")
        assert facts.python_asked == str(place / "python")
    finally:
        shutil.rmtree(place.parent)


def test_a_python_that_is_not_there(sshd: Sshd) -> None:
    facts = probe.probe(sshd.target(python="no-such-python; touch /tmp/owned")).facts
    assert facts.python is None
    assert facts.python_asked == "no-such-python; touch /tmp/owned"
    assert facts.pythons


def test_a_board_whose_shell_answers_nothing() -> None:
    class Silent:
        name = "board"

        def run(self, command: str, **_: object) -> object:
            return Completed(127, b"", b"sh: cat: not found\n")

    with pytest.raises(DeviceError, match="did not answer the probe: sh: cat: not found"):
        probe.ask(Silent(), Target(host="h").called("board"))  # type: ignore[arg-type]


def test_facts_are_told_apart_from_a_login_shells_greeting(sshd: Sshd) -> None:
    with connect(sshd.target()) as link:
        recited = probe.recite(link, sshd.target())
    assert recited.text.startswith(b"\n@@ clock\n")
    assert isinstance(probe.parse(recited.text, recited.host_s), BoardFacts)
