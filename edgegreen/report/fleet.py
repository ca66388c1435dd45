"""A run on many boards, summed up: a row a variant over all of them, and which boards are missing.

A board's table says what to ship there; this says whether the same variant does for all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.judging.comparison import Row
from edgegreen.judging.limits import LIMITED
from edgegreen.measurement import Measurement, Run
from edgegreen.report import words

MANY = 3
"""Targets with results, from which on the terminal has a table over all of them below their own.

A page that is read elsewhere begins with one from two on.
"""
HEADING = "median over boards (lowest … highest)"
COUNTED = {
    "!": ("red", "over budget", lambda row: bool(row.missed)),
    "?": ("yellow", "not to be trusted", lambda row: row.measurement.verdict != "valid"),
}
"""What is counted of rows: mark → its style, in words, whether a row is one."""


@dataclass(frozen=True)
class Line:
    """A kind of trial over all boards: cells by heading, and how many rows have each of the `marks`."""

    name: str
    cells: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """What a run comes to over all its boards. `lost` are those that have no results."""

    measured: tuple[str, ...]
    lost: tuple[str, ...]
    headings: tuple[str, ...]
    marks: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def told_of_lost(self) -> str | None:
        """In words, which boards have no results; None when all have some."""
        have = "has" if len(self.lost) == 1 else "have"
        count = f"{len(self.lost)} of {len(self.measured) + len(self.lost)} boards {have} no results"
        return f"{count}: {words.some(self.lost)}" if self.lost else None


def of(run: Run, rows: Sequence[Row], least: int = 2) -> Summary | None:
    """A line for each kind of trial; None for fewer boards with results than `least`.

    Rows not to be trusted, and those of emulated boards, are counted and not summed up.
    """
    measured = tuple(dict.fromkeys(row.measurement.target for row in rows))
    if len(measured) < least:
        return None
    lost = dict.fromkeys(one.target for one in run.failures if one.target and one.target not in measured)
    readings: dict[str, Callable[[Measurement], float | None]] = {"p50 ms": lambda item: item.latency_ms.p50}
    if any(row.measurement.energy for row in rows):
        readings["mJ/inference"] = _energy
    marks = tuple(mark for mark, (_, _, is_one) in COUNTED.items() if any(map(is_one, rows)))
    lines = []
    for name, alike in _kinds(rows).items():
        counted = [row.measurement for row in alike if _counts(row)]
        boards = f"{len({item.target for item in counted})}/{len(measured)}"
        spreads = (_spread([reading(item) for item in counted]) for reading in readings.values())
        counts = tuple(sum(map(COUNTED[mark][2], alike)) for mark in marks)
        worst = _worst_accuracy(alike, higher_is_better=run.higher_is_better)
        lines.append(Line(name, (boards, worst, *spreads), counts))
    worst = f"{'lowest' if run.higher_is_better else 'highest'} {words.metric(rows).lower()}"
    headings = ("Boards", worst, *readings)
    return Summary(measured, tuple(lost), headings, marks, tuple(lines))


def show(run: Run, rows: Sequence[Row], out: Console) -> None:
    """Print a line on how many boards were measured, and a row for each kind of trial over all of them."""
    found = of(run, rows, MANY)
    if found is None:
        return
    out.print(Text.assemble((f"{len(found.measured)} boards", "bold"), f"  {HEADING}"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Variant", no_wrap=True)
    for heading in found.headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for mark in found.marks:
        table.add_column(mark, justify="right", style=COUNTED[mark][0])
    for line in found.lines:
        table.add_row(line.name, *line.cells, *(str(count or "") for count in line.counts))
    out.print(table)
    if found.told_of_lost:
        out.print(Text.assemble(("✗ ", "red"), found.told_of_lost))
    out.print()


def _kinds(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by what tells them apart on one board."""
    by_board: dict[str, list[Row]] = {}
    for row in rows:
        by_board.setdefault(row.measurement.target, []).append(row)
    found: dict[str, list[Row]] = {}
    for mine in by_board.values():
        for row in mine:
            found.setdefault(words.trial(row.measurement, mine), []).append(row)
    return found


def _worst_accuracy(rows: Sequence[Row], *, higher_is_better: bool) -> str:
    """Accuracy does not depend on speed: every row counts whose outputs are not doubted."""
    doubted = LIMITED["accuracy_drop_max"].doubted
    scored = {
        row.measurement.accuracy.value: row
        for row in rows
        if row.measurement.accuracy and not doubted(row.measurement)
    }
    worst = min if higher_is_better else max
    return words.accuracy(scored[worst(scored)]) if scored else words.ABSENT


def _counts(row: Row) -> bool:
    return row.measurement.verdict == "valid" and not row.measurement.emulated


def _energy(item: Measurement) -> float | None:
    return item.energy.per_inference_mj if item.energy else None


def _spread(values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return words.ABSENT
    low, high = words.number(min(there)), words.number(max(there))
    middle = words.number(statistics.median(there))
    return middle if low == high else f"{middle} ({low} … {high})"
