from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edgegreen.agent import system

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def board(tmp_path: Path) -> str:
    """A board's /proc, as recorded on a Raspberry Pi Zero 2 W (shortened)."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal:         427976 kB\nMemAvailable:     301232 kB\nHugePages_Total:  0\n"
    )
    (tmp_path / "proc/loadavg").write_text("0.42 0.30 0.12 1/142 1203\n")
    (tmp_path / "proc/vmstat").write_text("nr_free_pages 1234\noom_kill 3\n")
    (tmp_path / "proc/self/status").write_text(
        "Name:\tpython3\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t1\n"
    )
    return str(tmp_path)


def test_facts_are_read_below_the_root(board: str) -> None:
    facts = system.facts(board)
    assert facts["memory_total_bytes"] == 427976 * 1024
    assert facts["memory_available_bytes"] == 301232 * 1024
    assert facts["load_average"] == 0.42
    assert facts["executable"] == sys.executable
    assert facts["cpu_count"] == len(psutil.Process().cpu_affinity()) if sys.platform == "linux" else True
    assert (system.oom_kills(board), system.rss_bytes(board), system.peak_rss_bytes(board)) == (
        3,
        10 << 20,
        20 << 20,
    )


@pytest.mark.parametrize(
    ("line", "known"),
    [
        # A Raspberry Pi 4, a Pi 5, and an Intel processor (shortened).
        ("Features\t: fp asimd evtstrm crc32 cpuid", ["asimd"]),
        ("Features\t: fp asimd fphp asimdhp cpuid asimddp", ["asimd", "asimddp", "fphp", "asimdhp"]),
        ("flags\t\t: fpu sse4_1 avx2 avx512f avx_vnni", ["sse4_1", "avx2", "avx512f", "avx_vnni"]),
    ],
)  # fmt: skip
def test_what_the_processor_can_do_with_8_bits(tmp_path: Path, line: str, known: list[str]) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\n{line}\n\nprocessor\t: 1\n{line} i8mm\n")
    assert system.facts(str(tmp_path))["cpu_features"] == known


def test_what_a_machine_does_not_tell_is_none(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert system.cpu_features(root) is None
    assert system.oom_kills(root) is None
    assert system.facts(root)["memory_available_bytes"] is None
    assert system.facts(root)["memory_total_bytes"] > 0  # sysconf knows
    assert abs(system.peak_rss_bytes(root) - psutil.Process().memory_info().rss) < 1 << 30  # ru_maxrss
    system.reset_peak_rss(root)  # nothing to do, no error


@LINUX
def test_the_peak_counts_from_its_reset() -> None:
    size = 64 << 20
    with mmap.mmap(-1, size) as block:
        block.write(b"x" * size)
        held = system.rss_bytes()
    assert held - system.rss_bytes() > size * 0.9  # given back
    before_reset = system.peak_rss_bytes()
    system.reset_peak_rss()
    assert before_reset - system.peak_rss_bytes() > size * 0.5
    assert abs(system.rss_bytes() - psutil.Process().memory_info().rss) < 4 << 20


PREFIX = "import sys; sys.path.insert(0, '.'); from edgegreen.agent import system;"


@LINUX
def test_the_oom_killer_is_offered_this_process() -> None:
    script = PREFIX + "import os; system.offer_to_oom_killer(os.getpid())"
    script += "; print(open('/proc/self/oom_score_adj').read())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 1000


@LINUX
def test_a_process_whose_parent_is_gone_already_ends() -> None:
    run = [sys.executable, "-c", PREFIX + "system.die_with_parent(int(sys.argv[1])); print('alive')"]
    assert subprocess.run([*run, str(os.getpid())], capture_output=True, check=False).stdout == b"alive\n"
    assert subprocess.run([*run, "1"], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("files", "emulated"),
    [
        ({"compatible": b"linux,dummy-virt\0"}, True),
        (
            {"compatible": b"raspberrypi,5-model-b\0", "fw-cfg@9020000/compatible": b"qemu,fw-cfg-mmio\0"},
            True,
        ),
        ({"compatible": b"raspberrypi,5-model-b\0brcm,bcm2712\0"}, False),
        ({}, False),
    ],
)
def test_an_emulated_board_says_so(tmp_path: Path, files: dict[str, bytes], emulated: bool) -> None:
    for name, content in files.items():
        path = tmp_path / "proc" / "device-tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert system.facts(str(tmp_path))["emulated"] is emulated
