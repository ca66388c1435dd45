"""What goes on while it runs: calm lines on a terminal, one line a step elsewhere."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from edgegreen.report import progress
from edgegreen.report.progress import LiveProgress, PlainProgress


def plain() -> tuple[PlainProgress, io.StringIO]:
    out = io.StringIO()
    return PlainProgress(Console(file=out, width=40, highlight=False)), out


class TestPlain:
    """Pipes, logs, CI."""

    def test_a_line_whenever_somebody_does_something_else(self) -> None:
        shown, out = plain()
        with shown:
            for who, doing, stage, done in (
                ("pi5", "connecting", "", None), ("pi5", "sending", "", 0.1), ("pi5", "sending", "", 0.9),
                ("jetson", "sending", "", 0.1), ("pi5", "1/3 int8", "load", 0.0),
                ("pi5", "1/3 int8", "latency", 0.5),
            ):  # fmt: skip
                shown.step(who, doing, stage, done)
            shown.finish("pi5", "done")
        assert out.getvalue().splitlines() == [
            "pi5: connecting", "pi5: sending", "jetson: sending", "pi5: 1/3 int8", "pi5: done",
        ]  # fmt: skip

    def test_a_long_line_stays_one_line(self) -> None:
        shown, out = plain()
        shown.step("pi5", "word " * 50 + "end")
        assert len(out.getvalue().splitlines()) == 1

    def test_what_others_wrote_is_printed_as_it_is(self) -> None:
        shown, out = plain()
        shown.step("ssh://[fe80::1]", "[red]sending[/red]")
        shown.finish("pi5", "[/]")
        assert out.getvalue() == "ssh://[fe80::1]: [red]sending[/red]\npi5: [/]\n"

    def test_threads_do_not_tear_lines(self) -> None:
        shown, out = plain()
        threads = [
            threading.Thread(target=lambda who=who: [shown.step(who, f"step {n}") for n in range(50)])
            for who in ("a", "b", "c", "d")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = out.getvalue().splitlines()
        assert sorted(lines) == sorted(f"{who}: step {n}" for who in "abcd" for n in range(50))


class TestLive:
    """A terminal."""

    def console(self) -> tuple[Console, io.StringIO]:
        out = io.StringIO()
        return Console(file=out, force_terminal=True, width=100, highlight=False, markup=False), out

    def test_a_line_a_target_gone_at_the_end(self) -> None:
        console, out = self.console()
        with LiveProgress(console) as shown:
            shown.step("pi5", "sending", done=0.5)
            shown.step("ssh://[fe80::1]", "2/3 int8", "[red]latency[/red]")
            shown.finish("jetson", "[b]done[/b]")
            shown.draw()
            seen = out.getvalue()
        for text in ("pi5", "sending", "ssh://[fe80::1]", "2/3 int8: [red]latency[/red]", "[b]done[/b]"):
            assert text in seen
        assert out.getvalue().endswith("\x1b[2K")  # erased

    def test_it_ends_when_the_work_raises(self) -> None:
        console, out = self.console()

        def work() -> None:
            with LiveProgress(console) as shown:
                shown.step("pi5", "sending")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            work()
        assert "\x1b[?25h" in out.getvalue()  # the cursor is back


def test_the_one_that_fits_the_console() -> None:
    assert isinstance(progress.progress(Console(file=io.StringIO())), PlainProgress)
    assert isinstance(progress.progress(Console(file=io.StringIO(), force_terminal=True)), LiveProgress)
