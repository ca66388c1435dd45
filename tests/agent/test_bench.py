from __future__ import annotations

import gc
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent import bench


class Clock:
    """Time that passes when a call takes some, and 1 ns each time it is read."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1
        return self.now

    def takes(self, *durations_ns: int):
        """A call that takes these durations, one after another and over again."""
        state = {"calls": 0}

        def call() -> None:
            self.now += durations_ns[state["calls"] % len(durations_ns)]
            state["calls"] += 1

        return call


def test_times_hold_the_call_and_nothing_else() -> None:
    clock = Clock()
    busy = clock.takes(10**6)
    window = bench.measure(
        clock.takes(100, 250), bench.buffer(10), seconds=0, min_runs=6, clock=clock, tick=lambda _: busy()
    )
    assert list(window.times_ns) == [101, 251, 101, 251, 101, 251]  # 1 ns for reading the clock
    assert window.runs == 6


@pytest.mark.slow
@given(
    duration_ns=st.integers(1, 10**9),
    seconds=st.floats(0, 30),
    min_runs=st.integers(1, 300),
    capacity=st.sampled_from([2, 8, 100]),
)
def test_a_window_lasts_for_both_duration_and_runs(
    duration_ns: int, seconds: float, min_runs: int, capacity: int
) -> None:
    duration_ns = max(duration_ns, int(seconds * 1e9) // 500)  # to keep the test itself short
    clock = Clock()
    window = bench.measure(
        clock.takes(duration_ns), bench.buffer(capacity), seconds=seconds, min_runs=min_runs, clock=clock
    )
    assert window.end_ns - window.start_ns >= int(seconds * 1e9)
    assert window.runs >= min_runs
    assert 1 <= len(window.times_ns) <= min(capacity, window.runs)
    assert set(window.times_ns) == {duration_ns + 1}
    # No longer than needed: a call (or two groups of calls, when thinned out) earlier, one was not reached.
    group = window.runs // max(len(window.times_ns), 1) + 1
    before = window.end_ns - window.start_ns - group * 2 * (duration_ns + 2)
    assert before < seconds * 1e9 or window.runs - 2 * group < min_runs


def test_a_full_buffer_keeps_an_even_sample_of_the_whole_window() -> None:
    clock = Clock()
    durations = range(1000, 1000 + 64)  # each call a nanosecond longer than the one before
    window = bench.measure(clock.takes(*durations), bench.buffer(8), seconds=0, min_runs=64, clock=clock)
    assert window.runs >= 64
    kept = [time - 1001 for time in window.times_ns]
    steps = {later - earlier for earlier, later in pairwise(kept)}
    assert len(kept) >= 4
    assert kept[0] == 0
    assert max(steps) <= 2 * min(steps)
    assert kept[-1] >= 48


@pytest.mark.parametrize(
    ("own", "recorded"),
    [(70, 70), (0, 101), (-5, 101), (10**12, 101)],
    ids=["own", "zero", "negative", "absurd"],
)
def test_a_runtimes_own_clock_is_taken_when_it_can_be_true(own: int, recorded: int) -> None:
    clock = Clock()
    window = bench.measure(
        clock.takes(100), bench.buffer(4), seconds=0, min_runs=3, clock=clock, own_ns=lambda: own
    )
    assert list(window.times_ns) == [recorded] * 3


def test_ticks_come_about_once_a_second_with_the_share_done() -> None:
    clock, shares = Clock(), []
    bench.measure(
        clock.takes(10**8), bench.buffer(100), seconds=4, min_runs=1, clock=clock, tick=shares.append
    )
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=0.03)


def test_no_garbage_collection_inside_a_window() -> None:
    seen = []
    assert gc.isenabled()
    bench.measure(lambda: seen.append(gc.isenabled()), bench.buffer(4), seconds=0, min_runs=3)
    assert seen == [False] * 3
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        bench.measure(lambda: 1 / 0, bench.buffer(4), seconds=0, min_runs=3)
    assert gc.isenabled()


def test_warm_up_lasts_for_both_seconds_and_runs() -> None:
    clock = Clock()
    assert bench.warm_up(clock.takes(10**8), seconds=0.5, min_runs=2, clock=clock) == 5
    assert bench.warm_up(clock.takes(10**8), seconds=0.1, min_runs=10, clock=clock) == 10


def test_the_buffer_is_made_of_touched_memory() -> None:
    room = bench.buffer(10)
    assert room == array("q", [0] * 10)
    assert bench.timed(lambda: None, Clock()) == 1


def test_idling_sleeps_and_says_so_once_a_second() -> None:
    clock, slept, told = Clock(), [], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += round(seconds * 1e9)

    start, end = bench.idle(2.5, clock=clock, sleep=sleep, tick=told.append)
    assert end - start == pytest.approx(2.5e9, abs=10)
    assert slept[:3] == pytest.approx([1.0, 1.0, 0.5])
    assert told[:3] == pytest.approx([0.4, 0.8, 1.0])
    assert bench.idle(0, clock=clock, sleep=sleep) == (clock.now, clock.now)
