from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from power_signals import BOOT_NS, CAUTIOUS, EXACT, JETSON, UNTOLD, Drawn, Scenario, coverage

from edgegreen.measurement import Energy, Power
from edgegreen.statistics import energy
from edgegreen.statistics.energy import Windows
from edgegreen.statistics.trace import Readings, Window

# Every run draws the same: what holds here holds always.
REPETITIONS, SEED = 300, 5


def drawn(seed: int = 1, scenario: Scenario = JETSON) -> Drawn:
    return scenario.draw(np.random.default_rng(seed))


def changed(given: Drawn, power_w: NDArray[np.float64]) -> Drawn:
    return replace(given, seen=Readings(given.seen.t_ns, power_w))


def seconds(given: Drawn) -> NDArray[np.float64]:
    """Time of each reading, from the first window on. The model runs from 11 s to 71 s."""
    return (given.seen.t_ns - BOOT_NS) / 1e9


@pytest.mark.parametrize("name", EXACT)
def test_the_truth_lies_in_the_interval_95_times_in_100(name: str) -> None:
    found = coverage(EXACT[name], REPETITIONS, SEED)
    assert found.absent == 0
    assert 0.90 <= found.covered <= 0.99
    assert abs(found.bias) < 0.005
    assert abs(found.gross_bias) < 0.005
    assert found.half_width < 3.2 * found.deviation  # and it is not so by saying nothing
    assert found.doubted <= (0.15 if EXACT[name].active_s < 60 else 0.01)


@pytest.mark.parametrize("name", CAUTIOUS)
def test_what_is_not_random_is_never_underrated(name: str) -> None:
    found = coverage(CAUTIOUS[name], REPETITIONS // 2, SEED)
    assert found.absent == 0
    assert found.covered >= 0.96
    assert abs(found.bias) < 0.005
    assert found.half_width < 0.09
    assert found.doubted <= 0.02


@pytest.mark.parametrize("name", UNTOLD)
def test_how_slow_a_meter_is_shows_in_its_record(name: str) -> None:
    found = coverage(UNTOLD[name], REPETITIONS // 2, SEED)
    assert found.absent == 0
    assert found.covered >= 0.90
    assert abs(found.bias) < 0.005
    assert found.doubted <= 0.02


@given(
    idle_w=st.floats(0, 20), added_w=st.floats(0.1, 20), period_s=st.floats(0.02, 0.4),
    inferences=st.integers(1, 10**6),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=40)
def test_constant_power_gives_its_energy_exactly(
    idle_w: float, added_w: float, period_s: float, inferences: int
) -> None:
    t_ns = (np.arange(-1, 23, period_s) * 1e9).astype(np.int64) + BOOT_NS
    windows = Windows(
        *(Window(BOOT_NS + a * 10**9, BOOT_NS + b * 10**9) for a, b in ((0, 5), (6, 16), (17, 22)))
    )
    running = (t_ns >= windows.active.start_ns) & (t_ns < windows.active.end_ns)
    meter = replace(JETSON.meter, period_s=period_s, averaging_s=0.0, update_s=0.0, resolution_w=0.0)
    found = energy.measure(Readings(t_ns, idle_w + added_w * running), windows, inferences, meter)
    assert found.energy is not None
    assert found.energy.per_inference_mj == pytest.approx(added_w * 10e3 / inferences, rel=1e-9)
    assert found.energy.gross_mj == pytest.approx((idle_w + added_w) * 10e3 / inferences, rel=1e-9)
    assert found.energy.ci95_mj == pytest.approx((found.energy.per_inference_mj,) * 2, rel=1e-6)
    assert found.power is not None
    assert (found.power.idle_w, found.power.active_w) == pytest.approx((idle_w, idle_w + added_w))
    assert found.reasons == ()


def shifted(windows: Windows, by_ns: int) -> Windows:
    def moved(window: Window) -> Window:
        return Window(window.start_ns + by_ns, window.end_ns + by_ns)

    return Windows(moved(windows.idle_before), moved(windows.active), moved(windows.idle_after))


@given(
    seed=st.integers(0, 10**6), factor=st.floats(0.01, 100), extra_w=st.floats(-50, 50),
    by_ns=st.integers(-(10**17), 10**17),
)  # fmt: skip
@settings(derandomize=True, deadline=None, max_examples=30)
def test_units_offsets_and_clocks_do_not_matter(seed: int, factor: float, extra_w: float, by_ns: int) -> None:
    before = drawn(seed)
    was = before.measure().energy
    assert was is not None
    assert isinstance(before.seen, Readings)

    scaled = changed(before, before.seen.power_w * factor).measure().energy
    assert scaled is not None
    assert scaled.gross_mj == pytest.approx(was.gross_mj * factor)
    assert scaled.ci95_mj == pytest.approx([edge * factor for edge in was.ci95_mj])

    raised = changed(before, before.seen.power_w + extra_w).measure().energy
    assert raised is not None
    assert raised.per_inference_mj == pytest.approx(was.per_inference_mj)
    assert raised.ci95_mj == pytest.approx(was.ci95_mj)
    assert raised.gross_mj == pytest.approx(was.gross_mj + extra_w * 20)  # 60 s, 3000 inferences

    seen = Readings(before.seen.t_ns + by_ns, before.seen.power_w)
    assert replace(before, seen=seen, windows=shifted(before.windows, by_ns)).measure().energy == was


def test_reading_a_slow_meter_more_often_tells_nothing_new() -> None:
    often = coverage(replace(JETSON, period_s=0.02), 100)
    seldom = coverage(replace(JETSON, period_s=0.2), 100)
    assert often.half_width == pytest.approx(seldom.half_width, rel=0.1)
    one = drawn(scenario=replace(JETSON, period_s=0.02)).measure().power
    assert one is not None
    assert one.n == pytest.approx(59.14 / 0.02, rel=0.01)
    assert one.n_effective < 140  # 430 ms each


def test_readings_that_hang_together_count_for_less() -> None:
    def effective(correlation_s: float) -> float:
        powers = [drawn(seed, Scenario(correlation_s=correlation_s)).measure().power for seed in range(50)]
        return float(np.median([power.n_effective for power in powers if power]))

    assert effective(0.0) > 450  # of 600
    # A correlation time τ leaves T/2τ independent samples: 60 and 30.
    assert effective(0.5) == pytest.approx(60, rel=0.25)
    assert effective(1.0) == pytest.approx(30, rel=0.25)


def test_a_steady_drift_of_the_models_power_is_not_noise() -> None:
    given = drawn()
    rise_w = 0.4 * np.clip((seconds(given) - 41) / 60, -0.5, 0.5) * (abs(seconds(given) - 41) < 30)
    flat, found = given.measure().energy, changed(given, given.seen.power_w + rise_w).measure().energy
    assert flat is not None
    assert found is not None
    width = flat.ci95_mj[1] - flat.ci95_mj[0]
    assert found.ci95_mj[1] - found.ci95_mj[0] == pytest.approx(width, rel=0.01)
    # Those readings begin 0.86 s into the window: their middle lies 0.43 s after its own.
    assert found.per_inference_mj - flat.per_inference_mj == pytest.approx(20 * 0.4 * 0.43 / 60, abs=0.01)


def test_clocks_that_may_be_off_widen_the_interval_when_power_drifts() -> None:
    t_s = np.arange(-3, 86, 0.1)
    power_w = np.where((t_s >= 11) & (t_s < 71), 5 + 0.01 * (t_s - 41), 3.0)
    late = replace(JETSON.meter, averaging_s=0.0, update_s=0.0, resolution_w=0.0, alignment_s=2.0)
    seen = Readings((t_s * 1e9).astype(np.int64) + BOOT_NS, power_w)
    found = energy.measure(seen, drawn().windows, 3000, late).energy
    assert found is not None
    # Uniform within ±2 s, at 10 mW a second; 20 mJ for each W.
    reach_mj = 20 * 1.96 * 0.01 * 2 / np.sqrt(3)
    assert (found.ci95_mj[1] - found.ci95_mj[0]) / 2 == pytest.approx(reach_mj, rel=0.01)


def test_gaps_widen_the_interval() -> None:
    whole = drawn(scenario=Scenario(period_s=0.05))
    holed = whole.seen.power_w.copy()
    holed[(seconds(whole) > 40) & (seconds(whole) < 42)] = np.nan
    widths = [
        energy_.ci95_mj[1] - energy_.ci95_mj[0]
        for energy_ in (whole.measure().energy, changed(whole, holed).measure().energy)
        if energy_
    ]
    assert widths[0] < widths[1] < 2 * widths[0]


def test_long_gaps_leave_no_number() -> None:
    given = drawn()
    holed = given.seen.power_w.copy()
    holed[(seconds(given) > 40) & (seconds(given) < 44)] = np.nan
    found = changed(given, holed).measure()
    assert (found.power, found.energy, found.reasons) == (None, None, ())
    assert found.absent is not None
    assert "7 % of the time the model ran has no readings: the longest gap is 4." in found.absent


def test_without_idle_afterwards_there_is_no_number() -> None:
    given = drawn()
    early = seconds(given) < 72
    found = replace(given, seen=Readings(given.seen.t_ns[early], given.seen.power_w[early])).measure()
    assert found.energy is None
    assert found.absent is not None
    assert "the idle time after the model ran" in found.absent


def test_a_window_too_short_for_the_meter_says_how_long_it_must_be() -> None:
    found = drawn(scenario=replace(JETSON, idle_s=2.5)).measure()
    assert (
        found.absent
        == "too few readings of the idle time before the model ran: this meter needs 3.0 s at least"
    )
    assert drawn(scenario=replace(JETSON, idle_s=3.4)).measure().energy is not None


def test_a_meter_that_stands_still_leaves_no_number() -> None:
    given = drawn()
    stuck = given.seen.power_w.copy()
    stuck[seconds(given) > 30] = 5.0
    found = changed(given, stuck).measure()
    assert found.energy is None
    assert found.absent is not None
    assert "stood still at 5.000 W" in found.absent


def test_a_good_record_gives_the_records_of_the_contract() -> None:
    given = drawn(scenario=replace(JETSON, step_w=0.04))
    found = given.measure()
    assert isinstance(found.power, Power)
    assert isinstance(found.energy, Energy)
    assert (found.power.source, found.power.rail, found.power.scope) == ("synthetic", "VDD_IN", "module")
    low, high = found.energy.ci95_mj
    assert low < found.energy.per_inference_mj < high < found.energy.gross_mj
    assert (found.absent, found.reasons) == (None, ())


# Reasons for doubt: each with the figures that gave it.


@pytest.mark.parametrize("seed", range(5))
def test_idle_power_that_drifts(seed: int) -> None:
    given = drawn(seed, replace(JETSON, drift_w=0.6))
    found = given.measure()
    reason = found.reasons[-1]  # the power of the active window has drifted along, and may say so too
    assert reason.startswith("idle power drifted from ")
    assert reason.endswith(" % of what the model adds")
    assert found.energy is not None
    # And the interval already knows: it is wider than without.
    steady = drawn(seed).measure().energy
    assert steady is not None
    assert found.energy.ci95_mj[1] - found.energy.ci95_mj[0] > 2 * (steady.ci95_mj[1] - steady.ci95_mj[0])


@pytest.mark.parametrize("seed", range(5))
def test_power_that_changes_while_the_model_runs(seed: int) -> None:
    given = drawn(seed)
    slower = given.seen.power_w - 0.8 * ((seconds(given) > 40) & (seconds(given) < 71))
    (reason,) = changed(given, slower).measure().reasons
    assert reason.startswith("power changed while the model ran: ")


SMALL = replace(JETSON, idle_w=10.0, added_w=0.5, noise_w=0.02)  # a model that adds little to a lot


def unsteady(given: Drawn) -> list[str]:
    """What is said of power that changed; other doubts may come with it."""
    reasons = given.measure().reasons
    return [reason for reason in reasons if reason.startswith("power changed while the model ran: ")]


@pytest.mark.parametrize(("start_s", "end_s"), [(20, 70), (11, 40), (40, 71), (15, 66), (30, 50)], ids=str)
@pytest.mark.parametrize("extra_w", [0.9, 0.1])
def test_what_comes_or_goes_is_weighed_against_what_the_model_adds(
    start_s: float, end_s: float, extra_w: float
) -> None:
    # A fan of 0.9 W is 9 % of all power, and 180 % of the model's.
    for seed in range(5):
        given = drawn(seed, SMALL)
        assert given.measure().reasons == ()
        fan_w = extra_w * ((seconds(given) > start_s) & (seconds(given) < end_s))
        (reason,) = unsteady(changed(given, given.seen.power_w + fan_w))
        assert reason.endswith(" % of what the model adds")


@pytest.mark.parametrize("noise_w", [0.02, 0.1])
def test_a_ramp_is_weighed_against_what_the_model_adds(noise_w: float) -> None:
    for seed in range(5):
        given = drawn(seed, replace(SMALL, noise_w=noise_w))
        ramp_w = 0.9 * np.clip((seconds(given) - 11) / 60, 0, 1) * (seconds(given) < 71)
        assert len(unsteady(changed(given, given.seen.power_w + ramp_w))) == 1


@pytest.mark.parametrize("scenario", [SMALL, replace(SMALL, noise_w=0.1), replace(SMALL, correlation_s=1.0)])
def test_a_quiet_model_that_adds_little_is_not_doubted(scenario: Scenario) -> None:
    assert sum(len(unsteady(drawn(seed, scenario))) for seed in range(150)) <= 1


def test_power_that_changes_little_is_not_worth_a_word() -> None:
    given = drawn()
    slower = given.seen.power_w - 0.15 * ((seconds(given) > 40) & (seconds(given) < 71))
    assert changed(given, slower).measure().reasons == ()


BATTERY = Scenario(period_s=1.0, update_s=15.0)  # and says that it updates every second


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("idle_s", [10.0, 200.0])
def test_a_meter_that_is_slower_than_it_says(seed: int, idle_s: float) -> None:
    given = drawn(seed, replace(BATTERY, idle_s=idle_s, active_s=60.0 if idle_s < 100 else 300.0))
    found = replace(given, meter=replace(given.meter, averaging_s=None, update_s=1.0)).measure()
    assert (found.energy is None) == (idle_s < 100)
    words = found.absent or found.reasons[0]
    assert "the meter is slow: readings every 1" in words
    assert words.endswith("and its update time is said to be 1 s")
    if found.energy:
        assert found.energy.per_inference_mj == pytest.approx(given.above_idle_mj, rel=0.1)


def test_a_meter_far_slower_than_its_readings_is_doubted() -> None:
    found = drawn(1, Scenario(idle_s=40, averaging_s=3.0, update_s=3.0, active_s=120, told_times=False))
    (reason,) = found.measure().reasons
    assert reason.startswith("the meter is slow: readings every 0.1 s repeat for about 3.")
    rolling = drawn(1, Scenario(idle_s=40, averaging_s=3.0, active_s=120, told_times=False, noise_w=0.03))
    # The record cannot tell the load's own settling from the meter's: it shows inside a window alone.
    late = replace(rolling, windows=without_pauses(rolling.windows))
    assert late.measure().reasons[0].startswith("power took ")


def without_pauses(windows: Windows) -> Windows:
    """Idle time begins at once when the model ends."""
    active, after = windows.active, windows.idle_after
    return Windows(windows.idle_before, active, Window(active.end_ns, after.end_ns))


def test_a_sampler_that_falls_behind() -> None:
    given = drawn(scenario=Scenario())
    kept = (seconds(given) < 11) | (seconds(given) > 71) | (np.arange(len(given.seen.t_ns)) % 3 == 0)
    found = replace(given, seen=Readings(given.seen.t_ns[kept], given.seen.power_w[kept])).measure()
    (reason,) = found.reasons
    assert reason.startswith("the power sampler fell behind: a reading every 0.3")
    assert reason.endswith(" s instead of 0.1 s")


def test_too_few_effective_samples() -> None:
    found = drawn(scenario=replace(JETSON, active_s=4.5, idle_s=5)).measure()
    assert found.energy is not None
    assert any(reason.startswith("too few effective samples of power: ") for reason in found.reasons)


def test_power_that_cannot_be_told_from_idle() -> None:
    given = drawn(scenario=Scenario(noise_w=0.5))
    level = given.seen.power_w - 1.98 * ((seconds(given) >= 11) & (seconds(given) < 71))
    found = changed(given, level).measure()
    assert found.energy is not None
    assert any(reason.startswith("power cannot be told from idle: it adds ") for reason in found.reasons)


def test_false_doubts_are_rare() -> None:
    scenarios = (JETSON, Scenario(correlation_s=1.0), Scenario(heavy=True), Scenario(counter_range_j=200.0))
    doubted = sum(coverage(scenario, 150, seed=11).doubted * 150 for scenario in scenarios)
    assert doubted <= 6  # 1 % of 600


def test_windows_in_the_wrong_order() -> None:
    windows = drawn().windows
    with pytest.raises(ValueError, match="out of order"):
        Windows(windows.active, windows.idle_before, windows.idle_after)


def test_no_inference_no_energy() -> None:
    with pytest.raises(ValueError, match="0 inferences"):
        replace(drawn(), inferences=0).measure()
