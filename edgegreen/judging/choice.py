"""What a sweep is for: the row that takes the least energy and keeps to the budgets. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgegreen.judging.comparison import Row
from edgegreen.measurement import Energy


@dataclass(frozen=True)
class Choice:
    """The answer for one target.

    `best` takes the least energy of all rows that qualify; None when none does. `alike` are those that
    cannot be told apart from it: their 95 % intervals overlap with its own. The others are counted, each
    under the first thing that is against it: `invalid` are not to be trusted, `over` miss a budget,
    `unmetered` have no energy.
    """

    best: Row | None
    alike: tuple[Row, ...]
    invalid: int
    over: int
    unmetered: int


def least_energy(rows: Sequence[Row]) -> Choice | None:
    """The choice among one target's rows; None where there is none to make.

    That is when fewer than two rows were measured on a real board, or none has energy. A row qualifies when
    it is valid, misses no budget (of latency, accuracy, whatever the recipe names) and has energy.
    """
    rows = [row for row in rows if not row.measurement.emulated]
    if len(rows) < 2 or all(row.measurement.energy is None for row in rows):
        return None
    invalid = [row for row in rows if row.measurement.verdict != "valid"]
    trusted = [row for row in rows if row.measurement.verdict == "valid"]
    over = [row for row in trusted if row.missed]
    within = [row for row in trusted if not row.missed]
    metered = sorted(
        ((row.measurement.energy, row) for row in within if row.measurement.energy),
        key=lambda pair: pair[0].per_inference_mj,
    )
    counts = len(invalid), len(over), len(within) - len(metered)
    if not metered:
        return Choice(None, (), *counts)
    (least, best), *others = metered
    return Choice(best, tuple(row for energy, row in others if _overlap(least, energy)), *counts)


def _overlap(one: Energy, other: Energy) -> bool:
    return one.ci95_mj[0] <= other.ci95_mj[1] and other.ci95_mj[0] <= one.ci95_mj[1]
