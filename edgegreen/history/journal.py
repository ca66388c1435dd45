"""What was measured since a run's file was written: a line for each result and each failure, beside the file.

Writing a whole run after each of its thousands of results would cost more than measuring them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from edgegreen.measurement import Failure, Measurement, Record, Run

R = TypeVar("R", bound=Record)


class Line(Record):
    """One of the two."""

    result: Measurement | None = None
    failure: Failure | None = None


def of_file(run: Path) -> Path:
    """The journal of the run whose JSON is this file."""
    return run.with_suffix(".more.jsonl")


def add(run: Path, one: Measurement | Failure) -> None:
    """Append a result or a failure. Raises OSError."""
    line = Line(result=one) if isinstance(one, Measurement) else Line(failure=one)
    with of_file(run).open("a", encoding="utf-8") as stream:
        stream.write("\n" + line.model_dump_json(by_alias=True))  # first: the one before may be cut off


def merged(of: Run, run: Path) -> Run:
    """The run with what its journal has besides; as it is without one. Raises OSError.

    What both have is there once: while one thread writes the file, another adds what is in it already.
    """
    try:
        lines = list(_lines(of_file(run)))
    except FileNotFoundError:
        return of
    results = _each_once((*of.results, *(line.result for line in lines if line.result)))
    failures = _each_once((*of.failures, *(line.failure for line in lines if line.failure)))
    return of.model_copy(update={"results": results, "failures": failures})


def _each_once(records: Iterable[R]) -> tuple[R, ...]:
    return tuple({one.model_dump_json(): one for one in records}.values())


def _lines(path: Path) -> Iterator[Line]:
    """Those that are whole: a process that was killed may have left half of the last one."""
    for text in path.read_bytes().split(b"\n"):
        try:
            yield Line.model_validate_json(text)
        except ValidationError:
            continue
