"""From a sampler's words to energy, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgegreen.agent import sampler
from edgegreen.client.observed import RECORD, About, MeterFound, Observed, Summary
from edgegreen.config.meterkeys import Shelly
from edgegreen.measuring import metering
from edgegreen.meters.record import Record
from edgegreen.statistics.clocks import Exchange
from edgegreen.statistics.energy import EnergyReading
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


def measure(target: Target, heard: Observed | None, edges: metering.Edges, inferences: int) -> EnergyReading:
    """As of a meter on the board."""
    return metering.measure(target, metering.of_board(heard), edges, inferences)


@pytest.mark.parametrize("quantity", ["power", "energy"])
def test_the_energy_of_an_inference(quantity: str) -> None:
    about = replace(ABOUT, quantity=quantity)
    found = measure(METERED, observed(about), EDGES, 3000)
    assert found.absent is None
    assert found.power
    assert found.energy
    low, high = found.energy.ci95_mj
    assert low < 30.0 < high  # 3 W for 10 ms
    assert high - low < 1.0
    assert found.energy.gross_mj == pytest.approx(50.0, rel=0.01)
    assert (found.power.source, found.power.rail, found.power.scope) == ("hwmon: an INA226", "5V", "board")


def test_without_a_meter_in_the_target_the_line_to_add_is_told() -> None:
    found = measure(Target(host="b").called("pi"), observed(None), EDGES, 10)
    assert (
        found.absent
        == "target `pi` names no meter; `power: {meter: auto}` in its file has the board's own read"
    )
    none = Target(host="b", power=PowerMeter(meter="none")).called("pi")
    assert "`meter: none`" in str(measure(none, observed(None), EDGES, 10).absent)


def test_a_meter_the_board_does_not_have() -> None:
    assert measure(METERED, observed(None), EDGES, 10).absent == "no such luck"
    assert "said nothing" in str(measure(METERED, None, EDGES, 10).absent)
    gone = replace(observed(), meter=None, error="the power sampler ended early: SyntaxError")
    assert measure(METERED, gone, EDGES, 10).absent == gone.error


def test_a_sampler_that_died_is_the_reason_beside_the_gap_it_left() -> None:
    whole = observed()
    cut = replace(whole, records=whole.records[:300], error="the power sampler ended early: exit code -9")
    absent = str(measure(METERED, cut, EDGES, 10).absent)
    assert "has no readings" in absent
    assert absent.endswith("; the power sampler ended early: exit code -9")


def test_what_the_meter_said_of_its_failures_is_told_with_them() -> None:
    said = Summary(0.1, 620, 620, 0, 0, 0.0, 0.1, 0.1, 0.1, 60.0, "power1_input: Input/output error", [])
    failed = replace(observed(power=False), summary=said)
    assert measure(METERED, failed, EDGES, 10).absent == (
        "the meter gave no readings; power1_input: Input/output error"
    )


def test_a_slow_reading_is_no_better_known_in_time_than_it_took() -> None:
    at_once, slow = (measure(METERED, observed(took_ms=ms), EDGES, 3000) for ms in (0.1, 800.0))
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


def test_of_a_meter_that_the_host_reads_the_board_is_asked_nothing_but_to_watch() -> None:
    plug = Target(host="b", power=Shelly(meter="shelly", address="plug.invalid"), sysfs_root="/host").called(
        "b"
    )
    asked = sampler.Spec(**metering.spec(plug))
    assert (asked.meter, asked.rail, asked.scope, asked.root, asked.watch) == (
        "none",
        None,
        None,
        "/host",
        True,
    )


def host_record(board: Record, **changes: object) -> Record:
    return replace(board, read_on="host", **changes)


def test_a_record_is_the_same_whoever_has_read_it() -> None:
    board = metering.of_board(observed())
    one, other = (metering.measure(METERED, of, EDGES, 3000) for of in (board, host_record(board)))
    assert one == other


def test_what_the_clocks_may_be_off_by_is_left_out_of_the_windows() -> None:
    board = metering.of_board(observed())
    near, far = (
        metering.measure(METERED, host_record(board, alignment_s=bound_s), EDGES, 3000)
        for bound_s in (0.0, 1.0)
    )
    assert near.power
    assert far.power
    assert near.power.n - far.power.n == pytest.approx(20, abs=1)


def test_what_went_wrong_meanwhile_stands_beside_the_reason() -> None:
    board = metering.of_board(observed(power=False))
    found = metering.measure(METERED, host_record(board, troubles=("`m` ended with exit code 1",)), EDGES, 10)
    assert found.absent == "the meter gave no readings; `m` ended with exit code 1"


def test_the_recording_of_a_target_is_its_own_meters() -> None:
    asked = []

    def clock() -> Exchange:
        asked.append(1)
        return Exchange(0, 0, 0)

    with metering.recording(METERED, clock) as recorded:
        assert recorded(observed()).read_on == "board"
    assert asked == []
    plug = Target(host="b", power=Shelly(meter="shelly", address="plug.invalid")).called("b")
    with metering.recording(plug, clock) as recorded:
        record = recorded(observed())
    assert (record.read_on, record.about) == ("host", None)
    assert record.why.startswith("plug.invalid cannot be asked: ")
    assert len(asked) == 20  # right before, right after
