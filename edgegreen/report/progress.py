"""What goes on while it runs, on stderr: calm live lines on a terminal, one line a step elsewhere."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from edgegreen.report import liveview
from edgegreen.report.liveview import Doing

EVERY_S = 0.25


class LiveProgress:
    """A line a target, and one for the models being built; gone when it ends.

    It draws only when a line has changed: whatever it takes is taken from what runs on this machine.
    """

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._doings: dict[str, Doing] = {}
        self._frame = Text()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """`who` (a target, or the models) is `doing` this; `done` is a share, None when not known."""
        text = f"{doing}: {stage}" if stage else doing
        with self._lock:
            began_s = self._doings[who].began_s if who in self._doings else time.monotonic()
            self._doings[who] = Doing(who, text, done, began_s)

    def note(self, who: str, text: str) -> None:
        """A line above the live ones, which stays."""
        self._live.console.print(f"{who}: {text}", markup=False)

    def finish(self, who: str, doing: str) -> None:
        """`who` is through, with this result; its line stays until all are."""
        self.step(who, doing)
        with self._lock:
            self._doings[who] = replace(self._doings[who], ended_s=time.monotonic())

    def draw(self) -> None:
        """Bring the screen up to date, if it is not."""
        with self._lock:
            doings = list(self._doings.values())
        # Two lines are left, one of them for the last newline: nothing scrolls.
        width, height = self._live.console.size
        frame = Text("\n").join(liveview.lines(doings, time.monotonic(), width, height - 2))
        if frame != self._frame:
            self._frame = frame
            self._live.update(frame, refresh=True)

    def _tick(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.draw()

    def __enter__(self) -> Self:
        self._live.start()
        self._ticker.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        self._ticker.join()
        self._live.stop()


class PlainProgress:
    """A line whenever somebody does something else; for pipes, logs and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:  # noqa: ARG002
        """`who` is `doing` this; its stages are not worth a line each."""
        with self._lock:
            if self._last.get(who) != doing:
                self._last[who] = doing
                # On one line however long.
                self._console.print(f"{who}: {doing}", markup=False, soft_wrap=True)

    def note(self, who: str, text: str) -> None:
        """A line of its own."""
        with self._lock:
            self._console.print(f"{who}: {text}", markup=False, soft_wrap=True)

    def finish(self, who: str, doing: str) -> None:
        """`who` is through, with this result."""
        self.step(who, doing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass


def progress(console: Console) -> LiveProgress | PlainProgress:
    """The one that fits the console: a dumb terminal cannot take a line back."""
    live = console.is_terminal and not console.is_dumb_terminal
    return LiveProgress(console) if live else PlainProgress(console)
