"""Ratios of medians: held against series whose true ratio is known, with noise as a board has it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from edgegreen.measurement import median_interval
from edgegreen.statistics import ratio
from edgegreen.statistics.ratio import Floats, Reading


def calls(random: np.random.Generator, n: int, *, memory: float, median: float = 1e6) -> Floats:
    """Call times of this median, ns: alike over about `memory` calls, one in 30 of them held up."""
    rho = math.exp(-1 / memory) if memory else 0.0
    lead = int(20 * memory) + 10
    noise = lfilter([math.sqrt(1 - rho**2)], [1, -rho], random.standard_normal(n + lead))[lead:]
    # What is held up is never below the median: of the others, 15 in 29 are.
    level = 1.0 + 0.05 * (noise - 0.0432)
    held_up = random.random(n) < 1 / 30
    return median * np.where(held_up, np.maximum(level, 1.0) * (1.001 + random.pareto(1.5, n)), level)


def covered(n: int, memory: float, times: int, *, change: float = 1.0) -> tuple[float, float]:
    """Shares of pairs whose interval has the true ratio, and which are said to differ."""
    random = np.random.default_rng(n + round(1000 * memory))
    inside = differ = 0
    for _ in range(times):
        # The two are not alike but in what is asked for: the second remembers for half as long.
        before = calls(random, n, memory=memory)
        found = ratio.of_medians(before, calls(random, n, memory=memory / 2, median=change * 1e6))
        inside += found.ci95[0] <= change <= found.ci95[1]
        differ += found.differs
    return inside / times, differ / times


def test_the_synthetic_calls_have_the_median_they_should() -> None:
    assert np.median(calls(np.random.default_rng(1), 1_000_000, memory=3)) == pytest.approx(1e6, rel=1e-3)


def test_equal_distributions_are_rarely_called_different() -> None:
    inside, differ = covered(600, memory=6, times=120)
    assert differ == pytest.approx(1 - inside)
    assert differ <= 0.1  # 5 % at most, and what chance makes of that in 120


def test_a_plain_mean_of_the_spread_would_call_them_different() -> None:
    """The test above has teeth: as if calls were independent, more than twice as many are said to differ."""
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(60):
        series = [calls(random, 600, memory=6) for _ in range(2)]
        shuffled = [random.permutation(one) for one in series]
        wrong += ratio.of_medians(*shuffled).differs
    assert wrong / 60 > 0.2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "memory"), [(50, 0), (80, 0.5), (150, 1.5), (600, 0), (600, 6), (2000, 20), (20_000, 200)]
)
def test_coverage_is_95_percent(n: int, memory: float) -> None:
    inside, _ = covered(n, memory, times=1000, change=1.07)
    assert 0.93 <= inside <= 0.985


@pytest.mark.slow
def test_the_detectable_change_is_seen_in_8_cases_of_10() -> None:
    n, random = 1000, np.random.default_rng(2)
    least = np.median(
        [
            ratio.of_medians(*(calls(random, n, memory=n / 100) for _ in range(2))).detectable
            for _ in range(50)
        ]
    )
    seen = 0
    for _ in range(300):
        before, after = (calls(random, n, memory=n / 100, median=m) for m in (1e6, 1e6 * (1 + float(least))))
        seen += ratio.of_medians(before, after).differs
    assert 0.7 < seen / 300 < 0.92


def test_a_scaled_series_has_the_ratio_it_was_scaled_by() -> None:
    series = calls(np.random.default_rng(3), 3000, memory=5)
    found = ratio.of_medians(series, series * 0.8)
    assert found.value == pytest.approx(0.8)
    assert found.differs
    assert found.ci95[0] < 0.8 < found.ci95[1]
    turned = ratio.of_medians(series * 0.8, series)
    assert turned.value == pytest.approx(1 / 0.8)
    assert found == ratio.of_medians(series, series * 0.8)  # the draws are the same every time


def test_resamples_have_the_spread_of_the_median_of_independent_calls() -> None:
    """Against the textbook: the median of n has a standard error of 1/(2·f(median)·√n)."""
    series = np.exp(0.1 * np.random.default_rng(4).standard_normal(10_000))
    medians, blocks = ratio._medians(series, np.random.default_rng(0))
    assert blocks == ratio.BLOCKS
    assert medians.std() == pytest.approx(0.1 * math.sqrt(math.pi / 2 / 10_000), rel=0.35)
    assert medians.mean() == pytest.approx(0.0, abs=0.004)


def test_a_coarse_clock_and_calls_all_alike() -> None:
    alike = np.full(100, 1000)
    assert ratio.of_medians(alike, alike) == ratio.Ratio(1.0, (1.0, 1.0), 0.0)
    steps = np.array([52, 104] * 100)
    found = ratio.of_medians(steps, steps)
    assert found.ci95[0] <= 1 <= found.ci95[1]


@pytest.mark.parametrize("wrong", [np.ones(49), np.zeros(100), np.array([])])
def test_what_has_no_ratio(wrong: Floats) -> None:
    with pytest.raises(ValueError, match="no ratio"):
        ratio.of_medians(np.ones(100), wrong)


def test_intervals_without_calls() -> None:
    one = Reading(10.0, (9.0, 11.0))
    found = ratio.of_intervals(one, one)
    assert found.value == 1.0
    # Two errors of a tenth add up to about a seventh.
    assert found.ci95 == pytest.approx((math.exp(-math.hypot(0.1054, 0.0953)), math.exp(0.1421)), rel=1e-3)
    assert found.detectable == pytest.approx(math.expm1((2.093 + 0.861) * 0.1421 / 2.093), rel=1e-3)
    exact = Reading(5.0, (5.0, 5.0))
    assert ratio.of_intervals(exact, one).ci95 == pytest.approx((1.8, 2.2))  # the other one's, scaled
    with pytest.raises(ValueError, match="no ratio"):
        ratio.of_intervals(one, Reading(0.3, (-0.1, 0.7)))


def test_both_ways_agree() -> None:
    random = np.random.default_rng(6)
    series = [calls(random, 4000, memory=10, median=m) for m in (1e6, 0.9e6)]
    by_calls = ratio.of_medians(*series)
    by_intervals = ratio.of_intervals(
        *(Reading(float(np.median(one)), median_interval(one)) for one in series)
    )
    assert by_intervals.value == pytest.approx(by_calls.value)
    assert by_intervals.ci95 == pytest.approx(by_calls.ci95, rel=0.005)
