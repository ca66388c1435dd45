"""Names of many boards in few characters: `pi-001 … pi-199 (199)`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

PARTS_MOST = 6
RUN_LEAST = 3
"""Names that follow one another, from which on the first and the last stand for all."""
NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)", re.DOTALL)


def compact(names: Iterable[str], at_most: int = PARTS_MOST) -> str:
    """Those that are counted up as first and last, the others one by one; and how many, from three on.

    Of more than `at_most` such parts, the first ones, and how many names there are besides.
    """
    known = sorted(dict.fromkeys(names), key=_key)
    parts = [part for run in _runs(known) for part in _parts(run)]
    shown, left = parts[:at_most], len(known) - sum(count for _, count in parts[:at_most])
    text = ", ".join(part for part, _ in shown) + (f" and {left} more" if left else "")
    return f"{text} ({len(known)})" if len(known) >= RUN_LEAST else text


def _parts(run: list[str]) -> list[tuple[str, int]]:
    """What is said of a run, each with the number of names it stands for."""
    if len(run) < RUN_LEAST:
        return [(name, 1) for name in run]
    return [(f"{run[0]} … {run[-1]}", len(run))]


def _runs(names: Iterable[str]) -> Iterator[list[str]]:
    """Names that are alike but for a number, which is one more each time."""
    run: list[str] = []
    for name in names:
        if run and not _follows(run[-1], name):
            yield run
            run = []
        run.append(name)
    if run:
        yield run


def _follows(name: str, other: str) -> bool:
    first, second = NUMBERED.fullmatch(name), NUMBERED.fullmatch(other)
    if first is None or second is None or first["before"] != second["before"]:
        return False
    following = str(int(first["number"]) + 1).zfill(len(first["number"]))  # 09 → 10, and not 009 → 10
    return (second["number"], second["after"]) == (following, first["after"])


def _key(name: str) -> tuple[list[tuple[int, str]], str, list[tuple[int, str]]]:
    """As people count: `pi-2` before `pi-10`; and by what follows the number, so that runs stay whole."""
    found = NUMBERED.fullmatch(name)
    if found is None:
        return _counted(name), "", []
    return _counted(found["before"]), found["after"], _counted(found["number"])


def _counted(text: str) -> list[tuple[int, str]]:
    """Numbers by their size, and before other text."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), part) if index % 2 else (-1, part) for index, part in enumerate(parts)]
