"""What a job says while it works, and what the end of its log says when it fails."""

from __future__ import annotations

from typing import Protocol

LOG_TAIL_BYTES = 2000


class Report(Protocol):
    """How a job says what it is doing: a stage in a word, and the share done where that is known."""

    def __call__(self, stage: str, done: float | None = None) -> None:
        """Say it. Cheap; may be called for every sample."""


def silent(stage: str, done: float | None = None) -> None:
    """A Report that nobody reads."""


def tail(said: str) -> str:
    """The last lines of a program's output as further lines of an error's message."""
    # Of a progress bar, which goes back to the line's start again and again, what it said last.
    lines = [line.rstrip().rpartition("\r")[2][:300] for line in said[-LOG_TAIL_BYTES:].split("\n")]
    return "".join(f"\n    {line}" for line in [line for line in lines if line][-12:])
