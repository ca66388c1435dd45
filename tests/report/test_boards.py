"""What `targets probe` and `targets doctor` print, and their JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from edgegreen.probe import Probed, identify
from edgegreen.probe.doctor import Checkup, Finding
from edgegreen.probe.facts import (
    Accelerator,
    BoardFacts,
    Cpu,
    Disk,
    Libc,
    Library,
    Memory,
    Meter,
    Package,
    Policy,
    PowerMode,
    Python,
    Release,
    Supply,
    System,
    Tegra,
    Zone,
)
from edgegreen.probe.identity import Identity
from edgegreen.report import boards
from edgegreen.target import Target

PYTHON = Python("/usr/bin/python3", (3, 10, 12), packages=(Package("numpy", "1.21.5"),))
FACTS = BoardFacts(
    model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    compatible=("nvidia,p3767-0005", "nvidia,tegra234"),
    system=System(
        "orin", "Linux 5.15.148-tegra", "aarch64", 64, "arm64", "me", False, ("me", "sudo"), 200_000.0, 0.2
    ),
    release=Release("ubuntu", "22.04", "Ubuntu 22.04.5 LTS"),
    tegra=Tegra(36, "4.3"),
    libc=Libc("glibc", (2, 35)),
    cpu=Cpu(("Cortex-A78AE",), 6, (Policy("schedutil", 1728.0, 1510.4, 729.6),)),
    memory=Memory(8_000_000_000, 5_000_000_000, 4_000_000_000, 3_900_000_000),
    root=Disk("/home/me/.edgegreen", "/home/me", True, 40_000_000_000, "/", "ext4", ("rw",)),
    home=Disk("/home/me", "/home/me", True, 3_000_000_000, "/home", "xfs", ("rw",)),
    zones=(Zone("cpu-thermal", 48.25), Zone("gpu-thermal", None), Zone("tj-thermal", 49.5)),
    alerts=("cpu",),
    supply=Supply(("undervoltage",), ("throttled",)),
    power_mode=PowerMode("MAXN_SUPER", 2),
    meters=(Meter("ina3221", ("VDD_IN", "VDD_SOC")), Meter("rapl", (), False, "sudo chmod")),
    accelerators=(Accelerator("gpu", "Jetson GPU", False),),
    libedgetpu=Library("/usr/lib/libedgetpu.so.1", "16.0"),
    python=PYTHON,
    pythons=(PYTHON, Python("/opt/broken/bin/python3")),
    clock_s=1.0,
    clock_ahead_s=-90.0,
    untold=("heat",),
)
PROBED = Probed(Target(host="orin").called("orin"), FACTS, identify(FACTS))


def printed(width: int, probed: Probed = PROBED) -> str:
    out = io.StringIO()
    boards.show_board(probed, Console(file=out, width=width, highlight=False, markup=False, emoji=False))
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_board_fits_the_terminal(width: int) -> None:
    lines = printed(width).splitlines()
    assert max(map(len, lines)) <= width
    flat = " ".join(printed(width).split())
    for word in (
        "jetson-orin · Tegra234 (Orin)",
        "L4T 36.4.3 (JetPack 6)",
        "Cortex-A78AE",
        "MAXN_SUPER",
        "3.10.12",
    ):
        assert word in flat, word


def test_each_line_of_a_board() -> None:
    lines = {line.split("  ")[0]: line for line in printed(200).splitlines()}
    assert (
        "6 × Cortex-A78AE · up to 1728 MHz · governor schedutil · power mode MAXN_SUPER" in lines["Processor"]
    )
    assert "5.00 GB of 8.00 GB available · swap 100 MB of 4.00 GB used" in lines["Memory"]
    assert "40.0 GB free for /home/me/.edgegreen on / (ext4)" in lines["Disk"]
    assert "3.00 GB free for /home/me on /home (xfs)" in printed(200)
    assert "numpy 1.21.5, no runtime  ← the target's" in lines["Python"]
    assert "Jetson GPU, not readable by this user" in lines["Accelerators"]
    assert "tj-thermal 49.5 °C · cpu-thermal 48.2 °C" in lines["Heat"]
    assert "now: undervoltage, cpu · since boot: throttled" in lines["Throttled"]
    assert "90 s behind this machine's" in lines["Clock"]
    assert "0.20 · up 2.3 days" in lines["Load"]
    text = printed(200)
    assert "/opt/broken/bin/python3 cannot be run" in text
    assert "rapl – not readable; sudo chmod" in text
    assert "! the reply was cut short: nothing of heat" in text


def test_what_is_not_known_is_a_dash() -> None:
    empty = Probed(Target(host="x").called("x"), BoardFacts(), identify(BoardFacts()))
    lines = printed(80, empty).splitlines()[2:]
    assert {line.split()[-1] for line in lines} == {"–"}


def test_a_board_as_json() -> None:
    told = json.loads(boards.board_json(PROBED))
    assert told["schema"] == 1
    assert told["target"] == "orin"
    assert told["identity"] == {
        "family": "jetson-orin", "name": FACTS.model, "soc": "Tegra234 (Orin)",
        "emulated": False, "virtual": None,
    }  # fmt: skip
    assert told["facts"]["python"]["version"] == [3, 10, 12]
    assert told["facts"]["dmi"]["vendor"] is None


CHECKUP = Checkup(
    "orin",
    Identity("jetson-orin", "Orin"),
    (
        Finding("python", "stops", "there is no `python3` on the board", "sudo apt install python3"),
        Finding("load", "spoils", "load 3.00 over the last minute [red]"),
        Finding("heat", "unknown"),
        Finding("disk", "fine"),
        Finding("clock", "fine"),
    ),
    5,
)


def findings(checkup: Checkup) -> list[str]:
    out = io.StringIO()
    boards.show_findings(checkup, Console(file=out, width=120, highlight=False, markup=False, emoji=False))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_findings_are_a_line_each_and_the_rest_one() -> None:
    assert findings(CHECKUP) == [
        "orin  Orin",
        "✗ there is no `python3` on the board → sudo apt install python3",
        "! load 3.00 over the last minute [red]",
        "– not told by this board: heat",
        "✓ fine: disk, clock",
    ]


def test_findings_as_json() -> None:
    told = json.loads(boards.findings_json(CHECKUP))
    assert told["findings"][1] == {
        "check": "load", "gravity": "spoils", "text": "load 3.00 over the last minute [red]", "advice": None,
    }  # fmt: skip
    unreached = Checkup("off", None, (Finding("link", "stops", "nothing listens", "is it on?"),), 4)
    assert json.loads(boards.findings_json(unreached))["identity"] is None
    assert findings(unreached) == ["off", "✗ nothing listens → is it on?"]
