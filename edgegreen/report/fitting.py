"""What gives way on a narrow terminal, in every table that has a row a variant.

Columns go by rank, then names are cut, then figures go. What tells two rows of a variant apart stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from rich.console import Console, RenderableType
from rich.measure import Measurement as Width

from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement
from edgegreen.report import words

NAME_WIDTHS = (30, 24, 20, 16, 12, 8)
# Columns that tell rows of one variant apart, and by what.
TELLING: dict[str, Callable[[Measurement], object]] = {
    "Runtime": lambda item: item.runtime.name,
    "Threads": lambda item: item.threads,
    "Mode": lambda item: item.tuning and item.tuning.power_mode,
    "Governor": lambda item: item.tuning and item.tuning.governor,
}


class Ranked(Protocol):
    """A column: `rank` says how early it goes, the highest first; 0: only when nothing else is left."""

    @property
    def heading(self) -> str:
        """What stands above it."""

    @property
    def rank(self) -> int:
        """How early it goes."""


AnyColumn = TypeVar("AnyColumn", bound=Ranked)
Made = TypeVar("Made", bound=RenderableType)


def telling(rows: Sequence[Row]) -> list[str]:
    """Headings of the columns without which some rows would read alike."""
    return [
        name
        for name, what in TELLING.items()
        if any(words.differ(row.measurement, rows, what) for row in rows)
    ]


def fitted(
    out: Console,
    columns: Sequence[AnyColumn],
    kept: Collection[str],
    short: Mapping[str, AnyColumn],
    made: Callable[[Sequence[AnyColumn], int], Made],
) -> tuple[Made, list[AnyColumn]]:
    """The first table that fits, of `made(columns, name_width)`, and the columns it has.

    `kept` are the headings that stay; `short` has narrower columns in their place, for when it matters.
    """
    for left, name_width in _layouts(columns, kept, short):
        table = made(left, name_width)
        if Width.get(out, out.options.update(width=1000), table).maximum <= out.width:
            break
    return table, left


def _layouts(
    columns: Sequence[AnyColumn], kept: Collection[str], short: Mapping[str, AnyColumn]
) -> Iterator[tuple[list[AnyColumn], int]]:
    """Columns and the room for a name, from the most generous to the narrowest."""
    left = list(columns)
    yield left, 100
    for column in sorted(columns, key=lambda column: -column.rank):
        yield left, NAME_WIDTHS[0]
        if column.rank and column.heading not in kept:
            left = [other for other in left if other is not column]
    for width in NAME_WIDTHS[:2]:
        yield left, width
    figures = [column for column in left[1:] if column.heading not in kept]
    left = [short.get(column.heading, column) for column in left]
    for width in NAME_WIDTHS:
        yield left, width
    for figure in figures[:-1]:
        left = [other for other in left if other is not figure]
        for width in NAME_WIDTHS:
            yield left, width


def cut(name: str, width: int) -> str:
    """`name`, or as much of it as there is room for."""
    return name if len(name) <= width else f"{name[: width - 1]}…"
