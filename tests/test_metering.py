"""From a sampler's words to energy, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgegreen import metering
from edgegreen.agent import sampler
from edgegreen.client.observed import RECORD, About, MeterFound, Observed, Summary
from edgegreen.target import PowerMeter, Target

S = 10**9
EDGES = {"idle_before": (10 * S, 20 * S), "active": (21 * S, 51 * S), "idle_after": (52 * S, 62 * S)}
ABOUT = About("hwmon", "5V", "board", "an INA226", "", "power", True, 0.0, 0.0, None, None)
METERED = Target(host="b", power=PowerMeter()).called("pi")


def observed(about: About | None = ABOUT, *, power: bool = True, took_ms: float = 0.1) -> Observed:
    """2 W idle and 5 W active, with 50 mW of noise, read ten times a second at random moments."""
    random = np.random.default_rng(3)
    t_s = np.arange(5, 67, 0.1) + random.uniform(0, 0.1, 620)
    watts = np.where((t_s > 21) & (t_s < 51), 5.0, 2.0) + random.normal(0, 0.05, 620)
    values = (
        watts if about is None or about.quantity == "power" else np.cumsum(watts * np.diff(t_s, prepend=5))
    )
    records = np.zeros(620 if power else 0, RECORD)
    if power:
        records["t_ns"], records["value"], records["took_ns"] = t_s * S, values, took_ms * 1e6
    found = (
        MeterFound("t1", about, "as asked", 0.1) if about else MeterFound("t1", None, "no such luck", None)
    )
    return Observed(
        meter=found,
        records=records, polls=(), before=None, after=None, summary=None, error=None,
    )  # fmt: skip


@pytest.mark.parametrize("quantity", ["power", "energy"])
def test_the_energy_of_an_inference(quantity: str) -> None:
    about = replace(ABOUT, quantity=quantity)
    found = metering.measure(METERED, observed(about), EDGES, 3000)
    assert found.absent is None
    assert found.power
    assert found.energy
    low, high = found.energy.ci95_mj
    assert low < 30.0 < high  # 3 W for 10 ms
    assert high - low < 1.0
    assert found.energy.gross_mj == pytest.approx(50.0, rel=0.01)
    assert (found.power.source, found.power.rail, found.power.scope) == ("hwmon: an INA226", "5V", "board")


def test_without_a_meter_in_the_target_the_line_to_add_is_told() -> None:
    found = metering.measure(Target(host="b").called("pi"), observed(None), EDGES, 10)
    assert (
        found.absent
        == "target `pi` names no meter; `power: {meter: auto}` in its file has the board's own read"
    )
    none = Target(host="b", power=PowerMeter(meter="none")).called("pi")
    assert "`meter: none`" in str(metering.measure(none, observed(None), EDGES, 10).absent)


def test_a_meter_the_board_does_not_have() -> None:
    assert metering.measure(METERED, observed(None), EDGES, 10).absent == "no such luck"
    assert "said nothing" in str(metering.measure(METERED, None, EDGES, 10).absent)
    gone = replace(observed(), meter=None, error="the power sampler ended early: SyntaxError")
    assert metering.measure(METERED, gone, EDGES, 10).absent == gone.error


def test_a_sampler_that_died_is_the_reason_beside_the_gap_it_left() -> None:
    whole = observed()
    cut = replace(whole, records=whole.records[:300], error="the power sampler ended early: exit code -9")
    absent = str(metering.measure(METERED, cut, EDGES, 10).absent)
    assert "has no readings" in absent
    assert absent.endswith("; the power sampler ended early: exit code -9")


def test_what_the_meter_said_of_its_failures_is_told_with_them() -> None:
    said = Summary(0.1, 620, 620, 0, 0, 0.0, 0.1, 0.1, 0.1, 60.0, "power1_input: Input/output error", [])
    failed = replace(observed(power=False), summary=said)
    assert metering.measure(METERED, failed, EDGES, 10).absent == (
        "the meter gave no readings; power1_input: Input/output error"
    )


def test_a_slow_reading_is_no_better_known_in_time_than_it_took() -> None:
    at_once, slow = (metering.measure(METERED, observed(took_ms=ms), EDGES, 3000) for ms in (0.1, 800.0))
    assert at_once.power
    assert slow.power
    assert at_once.power.n - slow.power.n == pytest.approx(8, abs=1)  # 0.4 s are left out at either end


def test_what_a_sampler_is_asked() -> None:
    assert metering.spec(Target(host="b"))["meter"] == "none"
    power = PowerMeter(meter="hwmon", rail="5V", scope="board")
    asked = sampler.Spec(
        **metering.spec(Target(host="b", family="coral-usb", power=power, sysfs_root="/host"))
    )
    assert (asked.root, asked.family, asked.meter) == ("/host", "coral-usb", "hwmon")
    assert (asked.rail, asked.scope, asked.watch) == ("5V", "board", True)
