from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

import pytest

from agent.meters.conftest import nobody
from edgegreen.agent.meters import tree
from edgegreen.agent.meters.tree import Attribute, Unreadable


def test_a_root_is_the_whole_tree_or_a_sysfs(tmp_path: Path) -> None:
    whole, sysfs = tmp_path / "whole", tmp_path / "sysfs"
    (whole / "sys/class/hwmon").mkdir(parents=True)
    (sysfs / "class/hwmon").mkdir(parents=True)
    assert tree.at(str(whole), "sys/class/hwmon") == str(whole / "sys/class/hwmon")
    assert tree.at(str(whole), "proc/stat") == str(whole / "proc/stat")
    assert tree.at(str(sysfs), "sys/class/hwmon") == str(sysfs / "class/hwmon")
    assert tree.at(str(sysfs), "proc/stat") == "/proc/stat"
    assert (tree.slash(str(whole)), tree.slash(str(sysfs))) == (str(whole), "/")
    assert tree.at("/", "sys/class") == "/sys/class"


def test_paths_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    root = tmp_path / "odd[1]*root"
    for number in (10, 2, 1):
        (root / f"sys/class/hwmon/hwmon{number}").mkdir(parents=True)
    names = [Path(path).name for path in tree.found(str(root), "sys/class/hwmon/hwmon*")]
    assert names == ["hwmon1", "hwmon2", "hwmon10"]


def test_small_files(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5\0\n")
    (tmp_path / "number").write_text(" 42500 \n")
    (tmp_path / "infinite").write_text("inf\n")
    assert tree.text(str(tmp_path / "model")) == "Raspberry Pi 5"
    assert tree.number(str(tmp_path / "number")) == 42500
    assert tree.number(str(tmp_path / "model")) is None
    assert tree.number(str(tmp_path / "infinite")) is None
    assert tree.text(str(tmp_path / "absent")) is None
    assert tree.text(str(tmp_path)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_one_descriptor_reads_a_kernel_file_anew_each_time() -> None:
    uptime = Attribute("/proc/uptime")
    first = float(uptime.text().split()[0])
    descriptor = uptime._fd
    time.sleep(0.05)
    assert float(uptime.text().split()[0]) > first
    assert uptime._fd == descriptor
    uptime.close()


def test_a_file_that_is_written_or_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "power1_input"
    path.write_text("1\n")
    power = Attribute(str(path))
    assert power.number() == 1
    path.write_text("2\n")
    assert power.number() == 2
    (tmp_path / "next").write_text("3\n")
    (tmp_path / "next").replace(path)
    assert power.number() == 3
    power.close()


def attribute(path: Path, answers: list[bytes | int], patience: bool = True) -> Attribute:
    """An attribute whose reads answer with these bytes, or fail with these error numbers."""

    def pread(fd: int, size: int, offset: int) -> bytes:
        assert offset == 0
        answer = answers.pop(0)
        if isinstance(answer, int):
            raise OSError(answer, os.strerror(answer))
        return answer

    path.touch()
    return Attribute(str(path), "ask the owner", patience, pread)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EIO, errno.ENODEV])
def test_what_passes_is_tried_again(tmp_path: Path, number: int) -> None:
    with_faults = attribute(tmp_path / "temp", [number, number, b"", b"41500\n"])
    assert with_faults.number() == 41500
    with_faults.close()


def test_what_does_not_pass_is_said(tmp_path: Path) -> None:
    again = attribute(tmp_path / "temp", [errno.EAGAIN] * 9)
    with pytest.raises(Unreadable, match=r"temp: Resource temporarily unavailable$"):
        again.number()
    at_once = attribute(tmp_path / "temp", [errno.EAGAIN, b"1"], patience=False)
    with pytest.raises(Unreadable):
        at_once.number()
    assert at_once.number() == 1
    with pytest.raises(Unreadable, match="temp: empty"):
        attribute(tmp_path / "temp", [b"\n"] * 9).number()
    with pytest.raises(Unreadable, match="temp: no number but 'VDD_IN'"):
        attribute(tmp_path / "temp", [b"VDD_IN\n"]).number()
    with pytest.raises(Unreadable, match="no number but 'nan'"):
        attribute(tmp_path / "temp", [b"nan\n"]).number()
    with pytest.raises(Unreadable, match="absent: No such file"):
        Attribute(str(tmp_path / "absent")).number()


def test_what_is_denied_says_how_to_get_it(open_folder: Path) -> None:
    path = open_folder / "energy_uj"
    path.write_text("1\n")
    path.chmod(0)
    with nobody(), pytest.raises(Unreadable) as caught:
        Attribute(str(path), "ask the owner").number()
    assert str(caught.value) == f"{path}: Permission denied; ask the owner"


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvpmodel"
    program.write_text("#!/bin/sh\necho mode $1\necho trouble >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tree.run(["nvpmodel", "-q"]) == (3, "mode -q\ntrouble\n")
    with pytest.raises(Unreadable, match="command `vcgencmd`: No such file or directory"):
        tree.run(["vcgencmd", "get_throttled"])
    program.write_text("#!/bin/sh\nexec /bin/sleep 5\n")
    with pytest.raises(Unreadable, match="took too long"):
        tree.run(["nvpmodel", "-q"], timeout_s=0.1)
