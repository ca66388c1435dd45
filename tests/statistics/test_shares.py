"""Differences of shares: against published figures, and against samples whose true shares are known."""

from __future__ import annotations

import numpy as np
import pytest

from edgegreen.statistics import shares
from edgegreen.statistics.shares import Share


@pytest.mark.parametrize(
    ("one", "two", "low", "high"),
    [  # Newcombe 1998, table II, method 10: its difference is that of the first less the second
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_the_published_intervals(one: tuple[int, int], two: tuple[int, int], low: float, high: float) -> None:
    found = shares.gap(Share(two[0] / two[1], two[1]), Share(one[0] / one[1], one[1]))
    assert found.ci95 == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("before", "after", "n"), [(0.9, 0.88, 900), (0.97, 0.97, 100), (0.6, 0.7, 50)])
def test_it_covers_and_sees_as_it_says(before: float, after: float, n: int) -> None:
    random = np.random.default_rng(n)
    hits = random.binomial(n, (before, after), (2000, 2)) / n
    found = [shares.gap(Share(one, n), Share(two, n)) for one, two in hits]
    inside = [gap.ci95[0] <= after - before <= gap.ci95[1] for gap in found]
    assert 0.935 <= np.mean(inside) <= 0.975
    least = shares.gap(Share(before, n), Share(after, n)).detectable
    drawn = random.binomial(n, (before, before - least), (2000, 2)) / n
    seen = np.mean([shares.gap(Share(one, n), Share(two, n)).differs for one, two in drawn])
    assert 0.6 < seen < 0.95


def test_all_right_is_not_sure() -> None:
    found = shares.gap(Share(1.0, 20), Share(1.0, 20))
    assert not found.differs
    assert found.ci95 == pytest.approx((-0.1611, 0.1611), abs=1e-3)
