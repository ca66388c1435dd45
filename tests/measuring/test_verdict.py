"""What makes a reading one not to be trusted, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgegreen.client.observed import RECORD, Observed, Poll, Snapshot, Throttled
from edgegreen.measuring import metering, verdict

S = 10**9
WINDOW = (100 * S, 110 * S)
CALM = Poll(
    id="t1", t_ns=0, frequency_mhz={"policy0": 1500.0, "policy4": 2400.0}, temperature_c={"cpu": 50.0},
    throttled_bits=0, undervoltage_alarm=False, throttle_alerts={"cpu-throttle-alert": 0}, cpu_foreign=0.02,
)  # fmt: skip
QUIET = Snapshot(
    id="t1", when="before", t_ns=0, governor={}, frequency_mhz={}, frequency_min_mhz={},
    frequency_max_mhz={}, temperature_c={}, apex_temperature_c={}, throttled=None, undervoltage_alarm=None,
    power_mode=None, overcurrent_events=None, throttle_alerts={}, load_average=0.1, cpu_busy=0.1,
    cpu_foreign=0.0, cpu_top=[], memory_available_bytes=10**9, swap_used_bytes=0, mains=None, battery=None,
    fan=None, notes=[],
)  # fmt: skip


def observed(
    changes: dict[int, dict[str, Any]] | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> Observed:
    """A look each second from 90 s to 120 s; the one at a second is changed as told."""
    polls = tuple(
        replace(CALM, t_ns=second * S + S // 2, **(changes or {}).get(second, {}))
        for second in range(90, 120)
    )
    return Observed(
        meter=None, records=np.empty(0, RECORD), polls=polls, before=replace(QUIET, **(before or {})),
        after=replace(QUIET, when="after", **(after or {})), summary=None, error=None,
    )  # fmt: skip


def reasons(**changes: Any) -> tuple[str, ...]:
    return verdict.of_conditions(observed(**changes), WINDOW)


def every(**fields: Any) -> dict[int, dict[str, Any]]:
    return dict.fromkeys(range(90, 120), fields)


def test_a_calm_board_gives_no_reason() -> None:
    assert reasons() == ()
    assert verdict.of_conditions(None, WINDOW) == ()


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (None, "the board said nothing of its meter"),
        (replace(observed(), error="the power sampler ended early"), "the power sampler ended early"),
    ],
)
def test_a_meter_that_was_wanted_is_there_to_ask_why_it_is_silent(
    heard: Observed | None, why: str | None
) -> None:
    edges = {"active": WINDOW}
    found = verdict.conditions(heard, edges, metering.of_board(heard))["meter"]
    assert (found["about"], found["why"], found["period_s"]) == (None, why, None)
    assert verdict.conditions(heard, edges, None).get("meter") is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"throttled_bits": 0b0001}, "the board was undervolted while the model ran (1 of 10 looks)"),
        ({"throttled_bits": 0b0010}, "the board capped its clocks while the model ran (1 of 10 looks)"),
        ({"throttled_bits": 0b0100}, "the board was throttled while the model ran (1 of 10 looks)"),
        ({"throttled_bits": 0b1000}, "the board reached its soft temperature limit while the model ran"),
        ({"undervoltage_alarm": True}, "the board was undervolted while the model ran (1 of 10 looks)"),
        (
            {"throttle_alerts": {"cpu-throttle-alert": 2}},
            "the board was throttled while the model ran: cpu-throttle-alert (1 of 10 looks)",
        ),
        (
            {"frequency_mhz": {"policy0": 1500.0, "policy4": 2100.0}},
            "the CPU clock changed while the model ran: 2100 … 2400 MHz",
        ),
    ],
)
def test_what_was_seen_once_while_the_model_ran(fields: dict[str, Any], words: str) -> None:
    (reason,) = reasons(changes={104: fields})
    assert reason.startswith(words)
    for second in (99, 110):  # just outside
        assert reasons(changes={second: fields}) == ()


def test_what_happened_before_this_trial_is_no_reason() -> None:
    assert reasons(changes=every(throttled_bits=0b0100 << 16)) == ()


def remembered(source: Any, *occurred: str) -> dict[str, Any]:
    return {"throttled": Throttled(source, 0, [], list(occurred))}


def test_what_the_firmware_remembers_from_this_trial_is_one() -> None:
    one, two = ("undervoltage",), ("undervoltage", "throttled")
    assert reasons(before=remembered("vcgencmd", *one), after=remembered("vcgencmd", *two)) == (
        "the board was throttled during the trial",
    )
    assert reasons(before=remembered("vcgencmd", *two), after=remembered("vcgencmd", *two)) == ()
    # The kernel remembers for 2 s: what it says afterwards is of afterwards.
    assert reasons(before=remembered("sysfs"), after=remembered("sysfs", *two)) == ()
    assert reasons(after=remembered("vcgencmd", *two)) == ()


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ({"oc1": 1, "oc2": 5, "oc3": 0}, {"oc1": 3, "oc2": 5, "oc3": 0}, 1),
        ({"oc1": 1, "oc2": 5}, {"oc1": 2, "oc2": 6}, 2),
        ({"oc1": 0, "oc2": 0, "oc3": 10}, {"oc1": 0, "oc2": 0, "oc3": 90}, 0),
        ({"oc1": 5}, {"oc1": 0}, 0),
        (None, {"oc1": 5}, 0),
    ],
)
def test_overcurrent(before: Any, after: Any, count: int) -> None:
    found = reasons(before={"overcurrent_events": before}, after={"overcurrent_events": after})
    assert len(found) == count
    assert all("over-current protection stepped in" in reason for reason in found)


def test_idle_cores_may_clock_as_they_like() -> None:
    assert reasons(changes={104: {"frequency_mhz": {"policy0": 300.0, "policy4": 2400.0}}}) == ()
    assert reasons(changes={104: {"frequency_mhz": {"policy0": None, "policy4": 2300.0}}}) == ()
    assert reasons(changes=every(frequency_mhz={"policy0": None})) == ()


def test_others_at_work() -> None:
    assert reasons(changes=every(cpu_foreign=0.25)) == (
        "other programs used 25 % of the CPU while the model ran",
    )
    assert reasons(changes=every(cpu_foreign=0.09)) == ()
    assert reasons(changes={104: {"cpu_foreign": 0.5}}) == ()  # a moment of it, 7 % on average
    assert reasons(changes=every(cpu_foreign=None)) == ()
    # The first look tells of the time since the one before, which lies outside.
    assert reasons(changes={100: {"cpu_foreign": 1.0}}) == ()


IDLE = {"idle_before": (91 * S, 99 * S), "idle_after": (111 * S, 119 * S)}


def test_others_at_work_while_the_board_idles() -> None:
    def idle_reasons(changes: dict[int, dict[str, Any]]) -> tuple[str, ...]:
        return verdict.of_idle(observed(changes), IDLE)

    busy = {"cpu_foreign": 0.25}
    assert idle_reasons(dict.fromkeys(range(90, 100), busy)) == (
        "other programs used 25 % of the CPU while the board idled before the model ran",
    )
    assert idle_reasons(dict.fromkeys(range(111, 120), busy)) == (
        "other programs used 25 % of the CPU while the board idled after the model ran",
    )
    assert len(idle_reasons(every(**busy))) == 2
    assert idle_reasons(dict.fromkeys(range(100, 111), busy)) == ()
    assert idle_reasons({}) == ()
    assert verdict.of_idle(None, IDLE) == ()
    assert verdict.of_idle(observed(every(**busy)), {"active": WINDOW}) == ()  # it did not idle


def test_swapping() -> None:
    assert reasons(after={"swap_used_bytes": 50_000_000}) == (
        "the board swapped out 50 MB of memory during the trial",
    )
    assert reasons(before={"swap_used_bytes": 50_000_000}, after={"swap_used_bytes": 50_100_000}) == ()
    assert reasons(before={"swap_used_bytes": None}, after={"swap_used_bytes": 50_000_000}) == ()


def test_the_summary_is_of_the_window_alone() -> None:
    found = verdict.summary(observed(changes={95: {"temperature_c": {"cpu": 90.0}}}), WINDOW)
    assert found["polls"] == 10
    assert found["temperature_max_c"] == {"cpu": 50.0}
    assert found["cpu_foreign"] == {"min": 0.02, "max": 0.02, "mean": pytest.approx(0.02)}


def test_latencies_speak_for_themselves() -> None:
    steady = np.random.default_rng(1).normal(1e6, 1e4, 2000).astype(np.int64)
    window_ns = (5 * S, 5 * S + int(steady.sum()))
    assert verdict.of_latency(steady, window_ns) == ()
    stepped = steady + 300_000 * (np.arange(2000) > 1000)
    assert verdict.of_latency(stepped, window_ns)[0].startswith("unstable latency: p50")
    few = np.array([10, 20, 30, 40, 50]) * 100_000
    assert verdict.of_latency(few, (0, int(few.sum())))[0].startswith("too few effective")


def test_when_a_latency_changed_is_told_in_the_time_of_the_window() -> None:
    # Of three million calls a third was kept: 2.3 s of call times out of 10 s.
    kept = np.where(np.arange(2000) < 1000, 1_000_000, 1_300_000)
    assert (
        verdict.of_latency(kept, (5 * S, 15 * S))[0]
        == "unstable latency: p50 1.00 → 1.30 ms (+30 %), stepped after 4.35 of 10.0 s"
    )


@pytest.mark.parametrize(
    ("trip", "hottest", "reached"), [(80.0, 80.4, True), (None, 84.9, False), (None, 85.0, True)]
)
def test_an_edge_tpu_that_grew_too_warm(trip: float | None, hottest: float, *, reached: bool) -> None:
    found = reasons(
        before={"apex_trip_c": {"apex_0": trip}}, changes={104: {"temperature_c": {"apex_0": hottest}}}
    )
    why = f"the Edge TPU reached {hottest:.0f} °C while the model ran: its clock is lowered from "
    assert found == ((why + f"{trip or 85:.0f} °C on",) if reached else ())
