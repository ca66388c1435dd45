"""A run on many boards, summed up: a row a variant over all of them, and which boards are missing.

A board's table says what to ship there; this says whether the same variant does for all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement, Run
from edgegreen.report import words

MANY = 3
"""Targets with results, from which on a table over all of them says more than theirs side by side."""


def show(run: Run, rows: Sequence[Row], out: Console) -> None:
    """Print a line on how many boards were measured, and a row for each kind of trial over all of them.

    Rows not to be trusted, and those of emulated boards, are counted and not summed up.
    """
    measured = list(dict.fromkeys(row.measurement.target for row in rows))
    if len(measured) < MANY:
        return
    lost = [
        name for name in dict.fromkeys(one.target for one in run.failures) if name and name not in measured
    ]
    title = Text.assemble((f"{len(measured)} boards", "bold"), "  median over boards, lowest … highest")
    out.print(title)
    out.print(_table(rows))
    if lost:
        share = f"{len(lost)} of {len(measured) + len(lost)} boards have no results"
        out.print(Text.assemble(("✗ ", "red"), f"{share}: {words.some(lost)}"))
    out.print()


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    metered = any(row.measurement.energy for row in rows)
    columns: list[tuple[str, Callable[[Measurement], float | None]]] = [
        ("p50 ms", lambda item: item.latency_ms.p50),
        *([("mJ/inference", _energy)] if metered else []),
    ]
    table.add_column("Variant", no_wrap=True)
    table.add_column("Boards", justify="right", no_wrap=True)
    table.add_column(f"lowest {words.metric(rows).lower()}", justify="right", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    marks = {
        "!": ("red", [row for row in rows if row.missed]),
        "?": ("yellow", [row for row in rows if row.measurement.verdict != "valid"]),
    }
    marks = {mark: (style, marked) for mark, (style, marked) in marks.items() if marked}
    for mark, (style, _) in marks.items():
        table.add_column(mark, justify="right", style=style)
    for name, alike in _kinds(rows).items():
        counted = [row.measurement for row in alike if _counts(row)]
        cells = [_spread([value(item) for item in counted]) for _, value in columns]
        counts = [str(sum(row in marked for row in alike) or "") for _, marked in marks.values()]
        boards = f"{len({item.target for item in counted})}/{len({row.measurement.target for row in rows})}"
        table.add_row(name, boards, _lowest_accuracy(alike), *cells, *counts)
    return table


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


def _lowest_accuracy(rows: Sequence[Row]) -> str:
    """Accuracy does not depend on speed: every row has a say that has one."""
    scored = [row for row in rows if row.accuracy_change is not None]
    return words.accuracy(min(scored, key=lambda row: row.accuracy_change or 0.0)) if scored else words.ABSENT


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
    return middle if low == high else f"{middle}  {low} … {high}"
