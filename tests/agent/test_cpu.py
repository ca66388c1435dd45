from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent import cpu
from edgegreen.agent.meters.tree import Unreadable

STAT = (
    "cpu  4705 356 584 3699176 23060 0 277 0 12 0\ncpu0 1393 89 150 924000 5700\ncpu1 1 1 1 1 1 1 1 1 6 0\n"
)
BURN = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


def process(pid: int, name: str, ticks: int) -> str:
    return f"{pid} ({name}) R 1 {pid} {pid} 0 -1 4194304 106 0 0 0 {ticks - 1} 1 0 0 20 0 1 0 6412\n"


def test_busy_time_leaves_out_idling_waiting_and_what_guests_count_twice() -> None:
    assert cpu.parse_stat(STAT) == (4705 + 356 + 584 + 277, 4705 + 356 + 584 + 3699176 + 23060 + 277, 2)


@pytest.mark.parametrize("name", ["python3", "a b", "((", "evil) R 1 2", "été"])
def test_processes_have_any_name(name: str) -> None:
    assert cpu.parse_process(process(412, name, 1000)) == (412, name, 1000)


@given(st.text())
def test_garbage_is_unreadable_at_worst(text: str) -> None:
    for parse in (cpu.parse_stat, cpu.parse_process):
        with contextlib.suppress(Unreadable):
            parse(text)
    with pytest.raises(Unreadable):
        cpu.parse_stat("cpu " + text.replace("\n", " ") + " x 1 2 3 4 5")


def test_shares_of_all_cores(tmp_path: Path) -> None:
    """Two cores for 1000 ticks each: 900 ticks of work, of which 500 ours."""
    root = tmp_path
    for pid in (10, 11, 12):
        (root / f"proc/{pid}").mkdir(parents=True)

    def look(busy: int, idle: int, ticks: dict[int, int]) -> cpu.Look | None:
        (root / "proc/stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n")
        for pid, count in ticks.items():
            (root / f"proc/{pid}/stat").write_text(process(pid, f"p{pid}", count))
        return cpu.look(str(root))

    before = look(100, 5000, {10: 50, 11: 70, 12: 90})
    after = look(1000, 6100, {10: 550, 11: 370, 12: 190})
    seen = cpu.shares(before, after, {10}, top=1)
    assert (seen["cpu_busy"], seen["cpu_foreign"]) == (0.45, 0.2)
    assert seen["cpu_top"] == [{"name": "p11", "cores": pytest.approx(0.3)}]
    assert cpu.shares(before, before, set())["cpu_busy"] is None
    assert cpu.shares(None, after, set())["cpu_foreign"] is None


def test_children_are_family(tmp_path: Path) -> None:
    (tmp_path / "proc/7/task/7").mkdir(parents=True)
    (tmp_path / "proc/7/task/7/children").write_text("71 72 ")
    assert cpu.family(str(tmp_path), [7, 8]) == {7, 8, 71, 72}


def test_children_are_family_also_where_the_kernel_keeps_no_list_of_them(tmp_path: Path) -> None:
    for pid, parent in ((7, 1), (71, 7), (72, 7), (9, 1)):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/stat").write_text(process(pid, "p", 5).replace(") R 1 ", f") R {parent} "))
    assert cpu.family(str(tmp_path), [7]) == {7, 71, 72}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_busy_process_of_others_is_named_and_ours_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", BURN]) as burning:
        try:
            time.sleep(0.2)
            before = cpu.look("/")
            time.sleep(0.5)
            after = cpu.look("/")
        finally:
            burning.kill()
    foreign = cpu.shares(before, after, {os.getpid()}, top=3)
    assert any(user["name"].startswith("python") and user["cores"] > 0.2 for user in foreign["cpu_top"])
    ours = cpu.shares(before, after, {os.getpid(), burning.pid}, top=3)
    assert foreign["cpu_foreign"] - ours["cpu_foreign"] > 0.2 / (os.cpu_count() or 1)
