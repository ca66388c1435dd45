"""What goes on while it runs, on stderr: calm live lines on a terminal, one line a step elsewhere."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

NEARLY = 0.999  # a bar at 1 is over for rich, and its clock stops


class LiveProgress:
    """A line a target, and one for the models being built; gone when it ends."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[who]}", style="bold", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=5,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """`who` (a target, or the models) is `doing` this; `done` is a share, None when not known."""
        with self._lock:
            if who not in self._tasks:
                self._tasks[who] = self._progress.add_task("", total=None, who=who)
            task = next(task for task in self._progress.tasks if task.id == self._tasks[who])
            task.total = None if done is None else 1.0  # `update` takes None for "as it was"
            text = f"{doing}: {stage}" if stage else doing
            completed = 0.0 if done is None else min(done, NEARLY)
            self._progress.update(task.id, description=text, completed=completed)

    def note(self, who: str, text: str) -> None:
        """A line above the live ones, which stays."""
        self._progress.console.print(f"{who}: {text}", markup=False)

    def finish(self, who: str, doing: str) -> None:
        """`who` is through, with this result; its line stays until all are."""
        self.step(who, doing)
        with self._lock:
            self._progress.update(self._tasks[who], total=1.0, completed=1.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()


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
    """The one that fits the console."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)
