from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgegreen.statistics import trace
from edgegreen.statistics.trace import Counter, Meter, Readings, Unusable, Window

METER = Meter("test", None, "board", period_s=0.1, averaging_s=0.0, update_s=0.0)
WHOLE = Window(0, 10 * 10**9)


def every(period_s: float, until_s: float = 10.0) -> NDArray[np.int64]:
    return (np.arange(0, until_s, period_s) * 1e9).astype(np.int64)


def readings(power_w: NDArray[np.float64], period_s: float = 0.1) -> Readings:
    return Readings(every(period_s, len(power_w) * period_s)[: len(power_w)], power_w)


def noisy(n: int = 100, seed: int = 0) -> NDArray[np.float64]:
    return 5 + np.random.default_rng(seed).normal(0, 0.1, n)


@pytest.mark.parametrize(
    ("averaging_s", "update_s", "memory_s"),
    [(0.43, 0.43, 0.86), (0.0, None, 0.0), (None, 1.0, 2.0), (None, None, 0.2), (0.5, 0.0, 0.5)],
)
def test_how_far_back_a_reading_reaches(
    averaging_s: float | None, update_s: float | None, memory_s: float
) -> None:
    meter = Meter("test", None, "board", 0.1, averaging_s, update_s)
    assert meter.memory_s == pytest.approx(memory_s)


def test_the_trapezoid_rule_on_uneven_timestamps() -> None:
    record = trace.read(Readings(np.array([0, 10**9, 4 * 10**9]), np.array([2.0, 4.0, 10.0])), METER)
    assert record.power_w.tolist() == [3.0, 7.0]
    assert record.t_s.tolist() == [0.0, 1.0, 4.0]


def test_times_are_exact_however_long_the_board_has_been_up() -> None:
    t_ns = np.array([0, 1, 2]) + 2**62
    assert trace.read(Readings(t_ns, np.array([1.0, 2.0, 3.0])), METER).t_s.tolist() == [0.0, 1e-9, 2e-9]


def test_failed_readings_and_repeated_timestamps_are_left_out() -> None:
    seen = Readings(np.array([0, 1, 1, 2, 3]), np.array([1.0, 2.0, 9.0, np.nan, 3.0]))
    assert trace.read(seen, METER).readings_w.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("t_ns", "power_w", "said"),
    [
        ([], [], "no readings"),
        ([0, 1], [np.nan, np.nan], "no readings"),
        ([0, 1], [4.0, np.nan], "one reading only"),
        ([0, 2, 1], [1.0, 2.0, 3.0], "run backwards"),
        ([0, 1, 2], [3.1, 3.1, 3.1], r"never moved: it read 3\.100 W"),
    ],
)
def test_records_that_say_nothing(t_ns: list[int], power_w: list[float], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        trace.read(Readings(np.array(t_ns), np.array(power_w)), METER)


def test_a_step_that_is_not_known_is_the_smallest_one_seen() -> None:
    assert trace.read(readings(np.array([3.0, 3.08, 3.04, 3.2])), METER).step_w == pytest.approx(0.04)


def test_readings_that_remember_what_was_before_the_window_are_left_out() -> None:
    meter = Meter("test", None, "board", 0.1, averaging_s=0.43, update_s=0.43, alignment_s=0.05)
    record = trace.read(readings(noisy(200)), meter)
    part = record.within(Window(5 * 10**9, 15 * 10**9), "it")
    first, last = part.middle_s[0] - 0.05, part.middle_s[-1] + 0.05
    assert first == pytest.approx(6.0)  # 5 s, 0.86 s of memory and 0.05 s of clock: 5.91 s
    assert last == pytest.approx(14.9)
    assert part.n == 90


def test_a_window_without_readings() -> None:
    record = trace.read(readings(noisy()), METER)
    with pytest.raises(Unusable, match="too few readings of the idle time"):
        record.within(Window(20 * 10**9, 30 * 10**9), "the idle time")
    with pytest.raises(Unusable, match="too few readings"):
        record.within(Window(10**9, 10**9 + 10**8), "it")


@pytest.mark.parametrize(("lost", "refused"), [(0, False), (3, False), (4, False), (6, True), (40, True)])
def test_gaps(lost: int, refused: bool) -> None:
    # A gap is longer than five periods: four readings lost leave one of exactly five.
    values = noisy()
    values[30 : 30 + lost] = np.nan
    record = trace.read(readings(values), METER)
    if refused:
        with pytest.raises(
            Unusable, match=rf"{lost + 1} % of it has no readings: the longest gap is {(lost + 1) / 10} s"
        ):
            record.within(WHOLE, "it")
    else:
        assert record.within(WHOLE, "it").missing == 0


def test_small_gaps_are_cut_out_and_counted() -> None:
    values = noisy(1000)
    values[300:308] = np.nan
    part = trace.read(readings(values), METER).within(Window(0, 100 * 10**9), "it")
    assert part.missing == pytest.approx(0.009)
    assert part.width_s.max() == pytest.approx(0.1)
    assert part.n == 992


def test_a_record_that_ends_early_is_a_gap() -> None:
    record = trace.read(readings(noisy(50)), METER)
    with pytest.raises(Unusable, match=r"51 % of it has no readings"):
        record.within(WHOLE, "it")


def test_a_meter_that_stands_still() -> None:
    values = noisy()
    values[40:60] = values[40]
    with pytest.raises(Unusable, match=r"stood still at \d\.\d+ W for 1\.9 s of it"):
        trace.read(readings(values), METER).within(WHOLE, "it")


def test_steps_as_coarse_as_the_noise_may_show_one_value_for_long() -> None:
    values = np.round(noisy() / 0.1) * 0.1
    values[40:60] = values[40]
    trace.read(readings(values), METER).within(WHOLE, "it")


def test_a_quiet_meter_that_has_settled_has_not_stopped() -> None:
    values = np.round((5 + np.exp(-np.arange(100) / 8)) / 0.04) * 0.04
    assert (values[40:] == values[-1]).all()
    trace.read(readings(values), METER).within(WHOLE, "it")


def test_a_meter_polled_faster_than_it_updates_has_not_stopped() -> None:
    trace.read(readings(np.repeat(noisy(), 43), 0.01), Meter("t", None, "board", 0.01, 0.43, 0.43)).within(
        WHOLE, "it"
    )


@given(
    st.lists(st.floats(0.01, 40), min_size=3, max_size=60), st.floats(0, 99), st.sampled_from([100.0, 262.1])
)
@settings(derandomize=True, deadline=None)
def test_a_counter_that_wraps_counts_the_same(steps_j: list[float], first_j: float, range_j: float) -> None:
    energy_j = first_j + np.concatenate(([0.0], np.cumsum(steps_j)))
    t_ns = every(0.1)[: len(energy_j)]
    plain = trace.read(Counter(t_ns, energy_j, 1e-6), METER)
    wrapped = trace.read(Counter(t_ns, energy_j % range_j, 1e-6, range_j), METER)
    np.testing.assert_allclose(plain.power_w, np.array(steps_j) / 0.1)
    np.testing.assert_allclose(wrapped.power_w, plain.power_w, rtol=1e-9)


@pytest.mark.parametrize(
    ("energy_j", "range_j", "said"),
    [
        ([5.0, 6.0, 1.0, 2.0], 262.0, None),  # could be a wrap: 257 J are more than half the range
        ([5.0, 6.0, 1.0, 2.0], None, None),
        ([5.0, 5.0, 5.0, 5.0], None, "stood still"),
        ([0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 10.0], None, r"stood still for 0\.6 s"),
    ],
)
def test_counters_that_cannot_be_believed(
    energy_j: list[float], range_j: float | None, said: str | None
) -> None:
    with pytest.raises(Unusable, match=said or "reset, or wrapped more than once"):
        trace.read(Counter(every(0.1)[: len(energy_j)], np.array(energy_j), 1e-6, range_j), METER)


def test_a_coarse_counter_stands_still_between_its_steps() -> None:
    energy_j = np.floor(np.arange(100) * 0.5 / 6) * 6  # 5 W in steps of 6 J
    for resolution_j in (6.0, None):
        record = trace.read(Counter(every(0.1), energy_j, resolution_j), METER)
        assert record.step_j == pytest.approx(6.0)


@pytest.mark.parametrize("end_ns", [0, -1])
def test_a_window_must_last(end_ns: int) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Window(0, end_ns)
