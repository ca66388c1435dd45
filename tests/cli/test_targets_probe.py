"""`edgegreen targets probe`, `add` and `doctor` as their users have them, against a real SSH server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from agent.meters import boards
from sshd import Sshd, free_port

from cli.conftest import add_board
from cli.harness import Shell


@pytest.fixture
def pi(empty: Shell, sshd: Sshd, tmp_path: Path) -> str:
    """A target that is a Raspberry Pi 5 by the files it shows."""
    root = tmp_path / "pi-root"
    boards.lay_out("raspberry-pi-5", root)
    return add_board(empty, sshd, "pi", sysfs_root=root, family="jetson-nano", power="{meter: auto}")


def address(sshd: Sshd, shell: Shell) -> str:
    config = f"{sshd.config.read_text()}  IdentityFile {sshd.identity}\n"
    (shell.home / ".ssh" / "config").write_text(config)
    return f"ssh://{sshd.user}@127.0.0.1:{sshd.port}"


def test_a_board_is_probed_by_address_and_added(empty: Shell, sshd: Sshd) -> None:
    spec = address(sshd, empty)
    shown = empty.run("targets", "probe", spec)
    assert shown.code == 0, shown.err
    assert shown.err == ""
    assert {"System", "Processor", "Python", "Meters", "Clock"} <= shown.rows.keys()
    done = empty.run("targets", "add", "bench", spec)
    assert done.code == 0, done.err
    assert done.out.startswith("targets/bench.yaml: ")
    text = (empty.folder / "targets" / "bench.yaml").read_text()
    assert f"host: 127.0.0.1\nport: {sshd.port}\nuser: {sshd.user}\n" in text
    assert empty.run("validate", "targets/bench.yaml").code == 0
    again = empty.run("targets", "add", "bench", spec)
    assert again.code == 2
    assert "--force" in again.err
    assert empty.run("targets", "add", "bench", "local", "--force").code == 0
    assert "host: local" in (empty.folder / "targets" / "bench.yaml").read_text()


def test_yaml_and_json_go_to_stdout(empty: Shell, pi: str) -> None:
    told = empty.run("targets", "probe", pi, "--json")
    assert told.json["identity"]["family"] == "raspberry-pi-5"
    assert told.json["facts"]["model"] == "Raspberry Pi 5 Model B Rev 1.1"
    yaml = empty.run("targets", "probe", pi, "--yaml")
    assert "\nfamily: raspberry-pi-5  # from the device tree\n" in yaml.out
    assert empty.run("targets", "probe", pi, "--yaml", "--json").code == 2


def test_the_doctor_says_what_would_spoil_a_run(empty: Shell, pi: str) -> None:
    done = empty.run("targets", "doctor", pi)
    assert done.code == 0, done.out
    assert "! governor ondemand" in done.out
    assert "! the target says `family: jetson-nano`" in done.out
    assert "\n✓ fine: link, python" in done.out
    assert done.err == ""


def test_the_doctor_ends_with_5_when_a_run_would_be_stopped(empty: Shell, sshd: Sshd) -> None:
    add_board(empty, sshd, "bare", python="no-such-python")
    done = empty.run("targets", "doctor", "bare")
    assert done.code == 5
    assert "✗ there is no `no-such-python` on the board → " in done.out
    told = empty.run("targets", "doctor", "bare", "--json")
    assert told.code == 5
    assert told.json["findings"][0]["check"] == "python"


def test_the_doctor_ends_with_4_when_nobody_answers(empty: Shell) -> None:
    empty.target("off", host="127.0.0.1", port=free_port())
    done = empty.run("targets", "doctor", "off")
    assert done.code == 4
    assert "✗ " in done.out
    assert "nothing listens on port" in done.out
    assert empty.run("targets", "probe", "off").code == 4


def test_a_host_key_never_seen_is_told_whole(empty: Shell, sshd: Sshd) -> None:
    add_board(empty, sshd, "new", python=sys.executable)
    (empty.home / ".ssh" / "config").unlink()
    done = empty.run("targets", "doctor", "new")
    assert done.code == 4
    assert "unknown host key ED25519" in done.out
    assert f"ssh -p {sshd.port}" in done.out


def test_mistakes_of_the_user(empty: Shell) -> None:
    unknown = empty.run("targets", "doctor", "no-such-board")
    assert unknown.code == 2
    assert "no target called `no-such-board`" in unknown.err
    name = empty.run("targets", "add", "../x", "local")
    assert name.code == 2
    assert "cannot be a target's name" in name.err
    assert "Traceback" not in unknown.err + name.err
