"""How an emulated board is reached: a target file, and a .ssh folder that trusts it and nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sshd import Sshd

from device_tests.emulator import machine, overlay, running
from device_tests.emulator.boards import BOARDS
from device_tests.emulator.machine import Machine, Process
from edgegreen import target
from edgegreen.errors import DeviceError
from edgegreen.transport.ssh import SSHTransport


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """A process that has ended, with words on its console."""
    console = tmp_path / "console.log"
    console.write_text("booting\n\nno disk\n")
    popen = subprocess.Popen([sys.executable, "-c", ""])
    popen.wait()
    return Process(popen, console)


@pytest.fixture
def board(process: Process, tmp_path: Path) -> running.Running:
    (tmp_path / ".ssh").mkdir()
    return running.Running("jetson-orin", BOARDS["jetson-orin"], 2222, tmp_path, process, 5.0)


def test_the_target_file_says_what_the_target_is(board: running.Running, tmp_path: Path) -> None:
    (tmp_path / "emulated-jetson.yaml").write_text(board.target_yaml())
    read = target.load(tmp_path / "emulated-jetson.yaml")
    assert read.model_dump() == board.target().model_dump()
    assert read.name == board.target().name == "emulated-jetson"
    assert (read.family, read.power and read.power.meter) == ("jetson-orin", "ina3221")


def test_the_ssh_folder_trusts_the_board(board: running.Running, openssh: None, sshd: Sshd) -> None:
    running.trust(board.ssh_config.parent, sshd.port, sshd.host_key.with_suffix(".pub").read_text())
    with SSHTransport.connect(sshd.target(), config_files=[board.ssh_config]) as transport:
        assert transport.run("echo here").stdout == b"here\n"


def test_a_home_for_commands_has_all_but_the_keys(tmp_path: Path) -> None:
    for path in (".ssh/id_ed25519", ".config/pip/pip.conf"):
        (tmp_path / "real" / path).parent.mkdir(parents=True)
        (tmp_path / "real" / path).write_text("mine")
    home = running.a_home_like(tmp_path / "real", tmp_path / "home")
    assert (home / ".config/pip/pip.conf").read_text() == "mine"
    assert list((home / ".ssh").iterdir()) == []
    assert running.a_home_like(tmp_path / "none", tmp_path / "other").is_dir()


def test_the_consoles_of_the_last_boots_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGREEN_EMULATOR_CACHE", str(tmp_path))
    for port in range(1, running.CONSOLES_KEPT + 5):
        log = running.console_log("jetson-orin", port)
        log.write_text("up")
        os.utime(log, (port, port))
    assert log.name == f"jetson-orin-{port}.log"
    kept = sorted(int(path.stem.split("-")[-1]) for path in log.parent.iterdir())
    assert kept == list(range(5, running.CONSOLES_KEPT + 5))


def test_a_board_that_ends_while_it_boots_is_told_with_its_last_words(process: Process) -> None:
    with pytest.raises(DeviceError, match=r"ended while it booted(?s:.*)no disk"):
        running.wait_for_ssh(process, running.free_port(), 5.0)


@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="QEMU is not installed")
def test_nobody_but_this_machine_reaches_it_and_it_reaches_nobody(tmp_path: Path) -> None:
    command = Machine(tmp_path / "k", tmp_path / "i", tmp_path / "a,b", tmp_path / "c", port=2222).command()
    assert "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22" in command
    assert any(f"file={tmp_path}/a,,b,format=raw" in word and "snapshot=on" in word for word in command)
    assert machine.CONSOLE in command


def test_a_board_gets_its_meter_and_no_other(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("key\n")
    jetson = overlay.of(BOARDS["jetson-orin"], key, key)
    pi = overlay.of(BOARDS["raspberry-pi-5"], key, key)
    assert [driver.split(".")[0] for driver in jetson.drivers] == ["i2c-dev", "i2c-stub", "ina3221"]
    assert pi.drivers == ()
    assert "usr/bin/vcgencmd" in pi.files
    assert "usr/bin/vcgencmd" not in jetson.files
    assert jetson.files["etc/ssh/ssh_host_ed25519_key"] == (b"key\n", 0o600)
