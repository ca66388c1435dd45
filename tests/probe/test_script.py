"""The script on recorded boards: in every shell, as root or not, and what it does to the board."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgegreen.probe import SCRIPT, reply
from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.parse import parse
from probe.conftest import NOBODY, SHELLS, Recorded

TEXT = SCRIPT.read_text(encoding="utf-8")


def lasting(facts: BoardFacts) -> BoardFacts:
    """What does not change from one moment to the next."""
    moving = replace(facts.system, uptime_s=None, load_1min=None)
    disks = [replace(disk, free_bytes=None) for disk in (facts.root, facts.home) if disk]
    return replace(facts, system=moving, clock_s=None, root=disks[0], home=disks[1])


@pytest.mark.skipif(len(SHELLS) < 2, reason=f"there is only {SHELLS}")
@pytest.mark.parametrize("name", ["raspberry-pi-5", "jetson-nano-jp4"])
def test_every_shell_gives_the_same_facts(recorded: Callable[[str], Recorded], name: str) -> None:
    board = recorded(name)
    told = {shell: lasting(parse(board.ask(shell))) for shell in SHELLS}
    assert told["dash"].model
    assert told["dash"].python
    assert all(facts == told["dash"] for facts in told.values()), told


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_finds_it_well_formed(shell: str) -> None:
    command = [shell, *(["sh"] if shell == "busybox" else []), "-n", str(SCRIPT)]
    assert subprocess.run(command, capture_output=True, check=False).stderr == b""


def test_host_and_script_name_the_same_sections() -> None:
    (listed,) = re.findall(r"^for name in ((?:[a-z_]+|\\\n|\s)+?); do\n  section", TEXT, re.MULTILINE)
    assert tuple(listed.replace("\\\n", " ").split()) == reply.SECTIONS
    assert {f"{name}() {{" for name in reply.SECTIONS} <= {
        line[: line.find("{") + 1] for line in TEXT.splitlines()
    }


def test_a_board_is_left_as_it_was(recorded: Callable[[str], Recorded]) -> None:
    board = recorded("raspberry-pi-5")
    before = sorted((path, path.lstat().st_mtime_ns) for path in board.root.rglob("*"))
    board.ask()
    assert sorted((path, path.lstat().st_mtime_ns) for path in board.root.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become somebody else")
@pytest.mark.parametrize(
    ("name", "closed", "meter", "hint"),
    [
        ("x86-rapl", "*/energy_uj", "rapl", "sudo chmod o+r /sys/class/powercap"),
        ("jetson-nano-jp4", "*/in_power*_input", "ina3221", "iio:device0/{in_power0_input,in_power1_input"),
        ("raspberry-pi-5", "*/dev/vcio", "pmic", "usermod -aG video"),
    ],
)
def test_what_a_user_may_not_read_is_told_with_the_fix(
    open_folder: Path, name: str, closed: str, meter: str, hint: str
) -> None:
    board = Recorded(open_folder, name)
    for path in board.root.rglob("*"):
        if path.match(closed) and not path.is_symlink():
            path.chmod(0o400)
    facts = parse(board.ask(user=NOBODY))
    (found,) = [found for found in facts.meters if found.kind == meter]
    assert not found.readable
    assert hint in (found.why_not or "")
    assert facts.system.is_root is False
    assert [found.readable for found in parse(board.ask()).meters if found.kind == meter] == [
        True
    ] or meter == "pmic"


def test_a_command_that_hangs_costs_itself_only(recorded: Callable[[str], Recorded]) -> None:
    board = recorded("raspberry-pi-5")
    limit = board.commands / "timeout"  # the real one, with less patience
    limit.write_text(f'#!/bin/sh\nshift\nexec {shutil.which("timeout")} 0.1 "$@"\n')
    limit.chmod(0o755)
    (board.commands / "vcgencmd").write_text("#!/bin/sh\nexec sleep 30\n")
    sleep = shutil.which("sleep")
    assert sleep
    (board.commands / "sleep").symlink_to(sleep)
    facts = parse(board.ask())
    assert facts.untold == ()
    assert facts.meters == ()
    assert facts.supply.now is None
    assert facts.model
    assert facts.release.id == "debian"


def test_without_timeout_and_head_it_still_answers(recorded: Callable[[str], Recorded]) -> None:
    board = recorded("raspberry-pi-5")
    for tool in ("timeout", "head"):
        (board.commands / tool).write_text("#!/bin/sh\nexit 1\n")
        (board.commands / tool).chmod(0o755)
    facts = parse(board.ask())
    assert facts.model == "Raspberry Pi 5 Model B Rev 1.1"
    assert facts.python
    assert facts.python.version == (3, 11, 2)
    assert facts.untold == ()


def test_intels_devices_are_told_from_others(recorded: Callable[[str], Recorded]) -> None:
    board = recorded("x86-rapl")
    board.lay("dev/dri/renderD128", "")
    board.lay("sys/class/drm/renderD128/device/vendor", "0x8086")
    board.lay("dev/dri/renderD129", "")
    board.lay("sys/class/drm/renderD129/device/vendor", "0x1002")
    board.lay("dev/accel/accel0", "")
    board.lay("sys/class/accel/accel0/device/vendor", "0x8086")
    board.lay("etc/OpenCL/vendors/intel.icd", "libigdrcl.so")
    facts = parse(board.ask())
    assert [(one.kind, one.name, one.readable) for one in facts.accelerators] == [
        ("gpu", "Intel GPU", True),
        ("gpu", "GPU with a DRM driver", True),
        ("npu", "Intel NPU", True),
    ]
    assert facts.intel_drivers == ("gpu",)
