"""Ratios as bars around 1."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edgegreen.report import intervals

RATIOS = st.floats(1e-6, 1e6)


def test_below_at_and_above_one() -> None:
    to = math.log(1.2)
    assert intervals.bar(1 / 1.2, (1 / 1.2, 1 / 1.1), 11, to) == "●━━  │     "
    assert intervals.bar(1.0, (0.999, 1.001), 11, to) == "     ●     "
    assert intervals.bar(1.1, (1.05, 1.2), 11, to) == "     │━━●━━"


def test_what_goes_on_beyond_the_scale() -> None:
    assert intervals.bar(3.0, (0.9, 4.0), 11, math.log(2)) == "    ━│━━━━›"
    assert intervals.bar(0.1, (0.0, 0.2), 11, math.log(2)) == "‹    │     "


def test_the_scale_is_that_of_all_within_bounds() -> None:
    assert math.exp(intervals.reach([(0.999, 1.001)])) == 1.05
    assert math.isclose(math.exp(intervals.reach([(0.999, 1.001), (0.8, 0.9)])), 1.25)
    assert math.isclose(math.exp(intervals.reach([(0.0, math.inf), (9.0, 10.0)])), 2.0)
    assert intervals.heading(11, intervals.reach([])) == "0.95 1 1.05"


@given(RATIOS, RATIOS, RATIOS, st.sampled_from((11, 15, 21, 31)))
def test_always_as_wide_as_it_should_be(one: float, two: float, three: float, width: int) -> None:
    low, ratio, high = sorted((one, two, three))
    to = intervals.reach([(low, high)])
    assert len(intervals.bar(ratio, (low, high), width, to)) == width
    assert len(intervals.heading(width, to)) == width
