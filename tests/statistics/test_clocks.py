"""Two clocks side by side: whatever they do that is assumed of them, the truth lies within the bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.statistics import clocks
from edgegreen.statistics.clocks import RATE_MAX, Exchange, align
from edgegreen.statistics.trace import Unusable

S = 10**9
delays = st.integers(1_000, 400_000_000)  # ns, of one way


class Other:
    """A clock that goes straight between knots of (our time, its rate until then), as NTP would have it."""

    def __init__(self, offset_ns: int, rates: list[float], until_ns: int) -> None:
        knots = np.linspace(0, until_ns, len(rates) + 1)
        shown = np.concatenate(([0.0], np.cumsum(np.diff(knots) * rates)))
        self._apart = lambda t_ns: np.interp(t_ns, knots, shown)
        self._offset_ns = offset_ns

    def shows(self, t_ns: np.ndarray | int) -> np.ndarray:
        return np.asarray(t_ns, np.int64) + self._offset_ns + np.rint(self._apart(t_ns)).astype(np.int64)

    def asked(self, t_ns: int, there_ns: int, back_ns: int) -> Exchange:
        """At `t_ns`; the question takes so long to get there, the answer so long to come back."""
        return Exchange(t_ns, int(self.shows(t_ns + there_ns)), t_ns + there_ns + back_ns)


@given(
    offset_ns=st.integers(-(10**18), 2 * 10**18),
    rates=st.lists(st.floats(-RATE_MAX, RATE_MAX), min_size=1, max_size=6),
    delay=st.tuples(delays, delays, delays, delays),
    trial_s=st.floats(1, 3600),
)
def test_the_truth_lies_within_the_bound(
    offset_ns: int, rates: list[float], delay: tuple[int, ...], trial_s: float
) -> None:
    end_ns = int(trial_s * 1e9) + 2 * S
    other = Other(offset_ns, rates, end_ns + 2 * S)
    line = align(other.asked(S, *delay[:2]), other.asked(end_ns, *delay[2:]), "its")
    ours = np.linspace(2 * S, end_ns, 50).astype(np.int64)
    assert np.abs(line.there(ours) - other.shows(ours)).max() <= line.bound_ns
    assert np.abs(line.ours(other.shows(ours)) - ours).max() <= line.bound_ns * (1 + RATE_MAX) + 2
    assert line.bound_ns <= (max(sum(delay[:2]), sum(delay[2:])) + RATE_MAX * (end_ns + S)) / 2


def test_the_bound_is_reached_so_it_is_no_larger_than_it_need_be() -> None:
    """A clock that goes fast up to the middle and slow from there, and answers that were all on one side."""
    other = Other(5 * S, [RATE_MAX, -RATE_MAX], 100 * S)
    line = align(other.asked(0, 10_000_000, 0), other.asked(100 * S - 10_000_000, 10_000_000, 0), "its")
    off_ns = abs(int(line.there(np.array([50 * S]))[0]) - int(other.shows(50 * S)))
    assert off_ns > 0.95 * line.bound_ns - 10_000_000
    assert line.bound_ns == pytest.approx(5_000_000 + RATE_MAX * 50 * S, rel=0.001)


def test_the_shortest_round_trip_is_taken() -> None:
    other = Other(3 * S, [0.0], 10 * S)
    asked = [other.asked(n * S, 100 * n, 50_000_000 // (n + 1)) for n in range(5)]
    assert clocks.closest(asked) == asked[4]


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.5, -40.0])
def test_a_clock_that_was_set_meanwhile_is_not_followed(step_s: float) -> None:
    first, last = Exchange(0, 7 * S, 1000), Exchange(60 * S, 67 * S + int(step_s * 1e9), 60 * S + 1000)
    with pytest.raises(
        Unusable, match=r"the wall clock cannot be followed: it went [+-][\d.]+ s against"
    ) as no:
        align(first, last, "the wall")
    assert f"{step_s:+.3f} s" in str(no.value)


def test_wall_clocks_keep_their_nanoseconds() -> None:
    """1.8e18 ns since 1970 do not fit a float."""
    wall = align(
        Exchange(0, 1_800_000_000_123_456_789, 2), Exchange(S, 1_800_000_001_123_456_789, S + 2), "the"
    )
    assert wall.ours(np.array([1_800_000_000_623_456_789])).tolist() == [S // 2 + 1]
