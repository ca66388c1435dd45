"""A listing: a line each, never broken. Where it is narrow columns give way, and a note names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgegreen.report import fitting
from edgegreen.report.terminal import note

Line = Sequence[str | Text]
"""A cell for each column; those of what cannot be read may be fewer."""


@dataclass(frozen=True)
class Column:
    """One column. `rank` says how early it goes, the highest first, 0 never; a `name` may be cut."""

    heading: str
    rank: int = 0
    name: bool = False
    right: bool = False


def show(columns: Sequence[Column], lines: Sequence[Line], out: Console, *, indent: int = 0) -> None:
    """Print as many of the columns as there is room for."""
    table, left = fitting.fitted(
        out,
        columns,
        [column.heading for column in columns if not column.rank],
        {},
        lambda left, width: Padding(_table(columns, left, lines, width), (0, 0, 0, indent), expand=False),
    )
    out.print(table)
    gone = [column.heading for column in columns if column not in left]
    if gone:
        out.print(note("…", f"too narrow for {', '.join(gone)}; a pipe has all", "dim"))


def _table(columns: Sequence[Column], left: Sequence[Column], lines: Sequence[Line], width: int) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in left:
        made.add_column(column.heading, justify="right" if column.right else "left", no_wrap=True)
    for line in lines:
        cells = zip(columns, line, strict=False)
        made.add_row(*(_cell(cell, column, width) for column, cell in cells if column in left))
    return made


def _cell(cell: str | Text, column: Column, width: int) -> str | Text:
    if not column.name:
        return cell
    return (
        fitting.cut(cell, width)
        if isinstance(cell, str)
        else Text(fitting.cut(cell.plain, width), cell.style)
    )
