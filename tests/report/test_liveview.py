"""The live view: calm lines that stay within the window, and leave nothing behind in a real one."""

from __future__ import annotations

import io
from dataclasses import replace

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from edgegreen.report import liveview
from edgegreen.report.liveview import Doing
from edgegreen.report.progress import LiveProgress


def doings(count: int, through: int = 0) -> list[Doing]:
    every = [Doing(f"board-{n}", f"{n}/6 int8-tflite: latency", 0.5, 10.0) for n in range(count)]
    return [replace(one, ended_s=40.0, text="done") for one in every[:through]] + every[through:]


def shown(of: list[Doing], width: int = 80, height: int = 23) -> list[str]:
    return [text.plain.rstrip() for text in liveview.lines(of, 75.0, width, height)]


def test_who_how_far_how_long_and_what() -> None:
    assert shown(doings(2, 1)) == [
        "board-0  ━━━━━━━━━━   0:30  done",
        "board-1  ━━━━━─────   1:05  1/6 int8-tflite: latency",
    ]


def test_many_targets_stay_within_the_window() -> None:
    lines = shown(doings(30, 12))
    assert len(lines) == 23
    assert lines[-1] == "… and 8 through"
    assert sum("latency" in line for line in lines) == 18
    assert shown(doings(30), height=5)[-1] == "… and 26 at work"
    assert shown(doings(30, 29), height=2) == [
        "board-29  ━━━━━─────   1:05  29/6 int8-tflite: latency",
        "… and 29 through",
    ]


def test_those_that_failed_are_counted_apart() -> None:
    every = [replace(one, text="failed: no answer") if n < 3 else one for n, one in enumerate(doings(30, 10))]

    assert shown(every, height=5)[-1] == "… and 16 at work, 7 through, 3 failed"


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200), st.integers(0, 30))
def test_no_size_is_too_small(count: int, through: int, width: int, height: int) -> None:
    lines = shown(doings(count, min(count, through)), width, height)
    assert len(lines) <= max(height, 0)
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("targets", [2, 8, 30])
def test_nothing_scrolls_and_nothing_is_left(targets: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, highlight=False, markup=False)
    window = pyte.HistoryScreen(80, 24)
    terminal = pyte.Stream(window)
    console.print("$ edgegreen deploy recipe.yaml")
    with LiveProgress(console) as live:
        for share in range(5):
            for n in range(targets):
                live.step(f"board-{n}", "1/2 int8", "latency", share / 5)
            live.draw()
            terminal.feed(out.getvalue().replace("\n", "\r\n"))
            out.seek(0)
            out.truncate()
            assert window.display[1].startswith("board-0 ")  # each frame is where the last one was
        for n in range(targets):
            live.finish(f"board-{n}", "done")
        live.draw()
    terminal.feed(out.getvalue().replace("\n", "\r\n"))
    assert not window.history.top
    assert [line.rstrip() for line in window.display if line.strip()] == ["$ edgegreen deploy recipe.yaml"]


def test_it_draws_only_what_has_changed() -> None:
    out = io.StringIO()
    with LiveProgress(Console(file=out, force_terminal=True, width=80, height=24)) as live:
        live.step("pi5", "sending")
        live.draw()
        before = len(out.getvalue())
        began_s = live._doings["pi5"].began_s
        for _ in range(50):
            live.step("pi5", "sending")
            live.draw()
        assert live._doings["pi5"].began_s == began_s
        assert len(out.getvalue()) - before <= 300  # one more frame at most, if a second went by
