"""Ratios over several starts: held against starts that differ by a known amount."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from edgegreen.measurement import T_975_19DF
from edgegreen.statistics import ratio
from edgegreen.statistics.ratio import Reading

CHANGE = 1.1


def start(random: np.random.Generator, median: float, between: float, within: float) -> Reading:
    """What one start reads: off by what differs between starts, and by the noise its interval knows of."""
    value = median * math.exp(between * random.standard_normal() + within * random.standard_normal())
    reach = math.exp(T_975_19DF * within)
    return Reading(value, (value / reach, value * reach))


def covered(counts: tuple[int, int], between: tuple[float, float], within: float = 0.003) -> float:
    random = np.random.default_rng(sum(counts))
    inside = 0
    for _ in range(1500):
        before, after = (
            [start(random, median, spread, within) for _ in range(count)]
            for median, spread, count in zip((1.0, CHANGE), between, counts, strict=True)
        )
        found = ratio.of_starts(before, after)
        inside += found.ci95[0] <= CHANGE <= found.ci95[1]
    return inside / 1500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "between"),
    [
        ((2, 2), (0.03, 0.03)), ((2, 2), (0.03, 0.01)), ((3, 3), (0.03, 0.03)), ((3, 3), (0.03, 0.01)),
        ((5, 5), (0.03, 0.01)), ((2, 5), (0.03, 0.03)), ((1, 3), (0.03, 0.03)), ((5, 1), (0.03, 0.03)),
        ((10, 10), (0.03, 0.03)), ((5, 5), (0.0, 0.0)),
    ],
)  # fmt: skip
def test_coverage_is_95_percent_or_more(counts: tuple[int, int], between: tuple[float, float]) -> None:
    assert 0.92 <= covered(counts, between) <= 0.995


def test_the_intervals_of_single_starts_would_not_cover() -> None:
    """What this is for: two starts that differ by 3 % hardly ever have the true ratio within their noise."""
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        found = ratio.of_intervals(*(start(random, median, 0.03, 0.003) for median in (1.0, CHANGE)))
        inside += found.ci95[0] <= CHANGE <= found.ci95[1]
    assert inside / 200 < 0.4


def exact(*values: float) -> list[Reading]:
    return [Reading(value, (value, value)) for value in values]


def test_it_is_welchs_interval_of_logarithms() -> None:
    before, after = (1.0, 1.1, 1.05), (0.9, 0.8, 0.85, 0.87)
    found = ratio.of_starts(exact(*before), exact(*after))
    theirs = stats.ttest_ind(np.log(after), np.log(before), equal_var=False).confidence_interval(0.95)
    assert found.ci95 == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)))
    assert found.value == pytest.approx(stats.gmean(after) / stats.gmean(before))
    assert found.differs


def test_a_side_that_was_started_once_differs_as_the_other_does() -> None:
    once = ratio.of_starts(exact(1.0), exact(0.9, 1.0, 1.1))
    assert ratio.of_starts(exact(0.9, 1.0, 1.1), exact(1.0)).detectable == pytest.approx(once.detectable)
    assert once.detectable > ratio.of_starts(exact(0.9, 1.0, 1.1), exact(0.9, 1.0, 1.1)).detectable


def test_starts_that_agree_by_chance_are_no_surer_than_their_readings() -> None:
    alike = [Reading(1.0, (0.9, 1.1))] * 2
    low, high = ratio.of_starts(alike, alike).ci95
    assert low < 0.85
    assert high > 1.15


def test_what_has_no_ratio() -> None:
    with pytest.raises(ValueError, match="no ratio"):
        ratio.of_starts(exact(1.0, 1.0), [Reading(0.3, (-0.1, 0.7))])
    with pytest.raises(ValueError, match="one start of either"):
        ratio.of_starts(exact(1.0), exact(1.0))
