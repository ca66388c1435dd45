"""Differences of shares of the same samples: against published figures, and against known true ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.statistics import shares
from edgegreen.statistics.shares import Share, Table

COUNTS = st.integers(0, 400)
TABLES = st.builds(Table, COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda table: table.n > 0)


def unpaired(of: Table) -> shares.Gap:
    return shares.gap(Share((of.both + of.lost) / of.n, of.n), Share((of.both + of.gained) / of.n, of.n))


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        (Table(59, 16, 6, 80), -0.1186, -0.0046),  # tests of the R package `contingencytables`, chapter 8
        (Table(1, 7, 1, 12), -0.507, -0.026),  # Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33
    ],
)
def test_the_published_intervals(table: Table, low: float, high: float) -> None:
    assert shares.paired_gap(table).ci95 == pytest.approx((low, high), abs=5e-4)


@given(TABLES)
def test_what_holds_of_every_table(table: Table) -> None:
    found = shares.paired_gap(table)
    low, high = found.ci95
    assert -1 - 1e-9 <= low <= found.value <= high <= 1 + 1e-9
    assert found.value == pytest.approx((table.gained - table.lost) / table.n)
    flipped = shares.paired_gap(Table(table.neither, table.gained, table.lost, table.both))
    assert flipped.ci95 == pytest.approx((-high, -low), abs=1e-9)  # right and wrong have no part of their own
    if table.both * table.neither >= table.lost * table.gained:  # right on the same ones, mostly
        assert high - low <= sum(np.abs(np.subtract(unpaired(table).ci95, found.value))) + 1e-9


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_where_all_agree_it_is_hardly_wider_than_the_rule_for_none_of_n(right: int, wrong: int) -> None:
    """None of n parted: with 97.5 % fewer than 3.69 / n of all do (Clopper & Pearson 1934)."""
    table = Table(right, 0, 0, wrong)
    if table.n < 20:
        return
    found = shares.paired_gap(table)
    assert not found.differs
    assert 0 < found.ci95[1] <= min(4.31 / table.n, unpaired(table).ci95[1] + 1e-12)


def test_a_table_counts_who_was_right() -> None:
    before, after = np.array([1, 1, 1, 0, 0, 0, 0], bool), np.array([1, 0, 0, 1, 0, 0, 0], bool)
    assert Table.of(before, after) == Table(both=1, lost=2, gained=1, neither=3)


@pytest.mark.parametrize(
    ("n", "right", "lost", "gained"),
    [
        (100, 0.9, 0.05, 0.03),
        (300, 0.6, 0.10, 0.10),
        (450, 0.989, 0.006, 0.002),
        (1000, 0.9, 0.01, 0.005),
        (1000, 0.7, 0.05, 0.02),
        (1000, 0.98, 0.001, 0.001),
        (200, 0.95, 0.02, 0.0),
    ],
)
def test_it_covers(n: int, right: float, lost: float, gained: float) -> None:
    """At least as it says; with a handful of samples that part, more (Newcombe 1998)."""
    cells = [right - lost, lost, gained, 1 - right - gained]
    drawn = np.random.default_rng(n).multinomial(n, cells, 2000)
    found = [shares.paired_gap(Table(*map(int, counts))).ci95 for counts in drawn]
    inside = np.mean([low <= gained - lost <= high for low, high in found])
    assert inside >= 0.94
    if n * (lost + gained) > 10:
        assert inside <= 0.975


def test_it_sees_as_it_says_and_what_the_unpaired_one_does_not() -> None:
    """A model that loses a point of 90 %, on 4000 samples."""
    cells, random = (0.885, 0.015, 0.005, 0.095), np.random.default_rng(1)
    drawn = [Table(*map(int, counts)) for counts in random.multinomial(4000, cells, 1000)]
    least = np.mean([shares.paired_gap(table).detectable for table in drawn])
    assert least == pytest.approx(0.0064, rel=0.1)
    assert np.mean([shares.paired_gap(table).differs for table in drawn]) > 0.95
    assert np.mean([unpaired(table).differs for table in drawn]) < 0.4
    halves = np.array([-least / 2, least / 2])
    cells = (0.885, *(0.01 - halves), 0.095)
    drawn = [Table(*map(int, counts)) for counts in random.multinomial(4000, cells, 1000)]
    assert 0.7 < np.mean([shares.paired_gap(table).differs for table in drawn]) < 0.9
