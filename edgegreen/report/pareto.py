"""Which rows are worth a choice at all: those that no other of their target beats in everything. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgegreen.judging.comparison import COLUMNS, Row

WEIGHED = ("accuracy", "p50", "energy")
"""Columns of a comparison; all are to be small there."""


def front(rows: Sequence[Row], *, higher_is_better: bool = True) -> frozenset[int]:
    """The places of those rows; of rows that are valid, not emulated, and have all that their target has.

    What none of a target's rows has (energy without a meter) is not weighed there. Fewer than two rows to
    weigh, or fewer than two things to weigh them by, make no front.
    """
    found: set[int] = set()
    for target in {row.measurement.target for row in rows}:
        points = {
            index: tuple(COLUMNS[what](row.measurement, higher_is_better) for what in WEIGHED)
            for index, row in enumerate(rows)
            if row.measurement.target == target and _counts(row)
        }
        had = [at for at in range(len(WEIGHED)) if any(point[at] is not None for point in points.values())]
        whole = {
            index: tuple(value for at in had if (value := point[at]) is not None)
            for index, point in points.items()
            if all(point[at] is not None for at in had)
        }
        if len(had) > 1 and len(whole) > 1:
            found |= {index for index, mine in whole.items() if not _is_beaten(mine, whole.values())}
    return frozenset(found)


def _counts(row: Row) -> bool:
    return row.measurement.verdict == "valid" and not row.measurement.emulated


def _is_beaten(mine: tuple[float, ...], others: Iterable[tuple[float, ...]]) -> bool:
    """Whether another is worse in nothing and better in something."""
    return any(
        other != mine and all(theirs <= own for theirs, own in zip(other, mine, strict=True))
        for other in others
    )
