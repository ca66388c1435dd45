"""What a sampler says is taken exactly as it is, and nothing else is."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from agent.meters import boards

from edgegreen.agent import conditions, meters, sampler, wire
from edgegreen.agent.watcher import Watcher
from edgegreen.client import messages
from edgegreen.client.observed import MeterFound, Observations, Poll, PowerRecords, Sampled, Snapshot
from edgegreen.errors import DeviceError


def said(event: str, **fields: Any) -> Any:
    """The message, over the wire."""
    return messages.parse(wire.encode({"event": event, "id": "t1", **fields}))


@pytest.mark.parametrize("name", boards.NAMES)
def test_every_recorded_board_is_understood(name: str, tmp_path: Path) -> None:
    board = boards.lay_out(name, tmp_path)
    shot = conditions.snapshot(board.root, board.run, busy_s=0)
    told = said("snapshot", when="before", **shot).told()
    assert told == json.loads(json.dumps(shot))
    watching = Watcher(board.root, board.run)
    poll = watching.poll()
    watching.close()
    assert asdict(said("conditions", **poll)) == {"id": "t1", **poll}
    choice = meters.choose(board.root, "linux", board.run)
    about = asdict(choice.meter.about) if choice.meter else None
    found = said("meter", about=about, why=choice.why, period_s=0.1 if about else None)
    assert (asdict(found.about) if found.about else None) == about


def records(*taken: tuple[int, int, float]) -> dict[str, Any]:
    return sampler.pack(bytearray(b"".join(sampler.RECORD.pack(*one) for one in taken)))


def test_a_whole_record() -> None:
    one, two = (10**18 + 1, 5, 2.5), (10**18 + 2, 7, math.nan)  # no float has these times
    observations = Observations()
    observations.take(said("meter", about=None, why="because", period_s=None))
    observations.take(said("power", **records(one)))
    observations.take(said("power", **records(two)))
    summary = asdict(sampler.Summary(0.1, gaps=[[1, 2]], gap_count=1))
    observations.take(said("sampled", summary=summary, error=None))
    whole = observations.whole()
    assert whole.records["t_ns"].tolist() == [one[0], two[0]]
    assert whole.records["took_ns"].tolist() == [5, 7]
    assert whole.records["value"][0] == 2.5
    assert math.isnan(whole.records["value"][1])
    assert (whole.before, whole.after, whole.polls, whole.error) == (None, None, (), None)
    assert whole.summary
    assert asdict(whole.summary) == summary | {"gaps": [(1, 2)]}


def test_a_record_without_an_end_is_none() -> None:
    observations = Observations()
    with pytest.raises(DeviceError, match="the sampler's last word did not come"):
        observations.whole()
    observations.take(Sampled("t1", None, None))
    with pytest.raises(DeviceError, match="goes on after its last word"):
        observations.take(MeterFound("t1", None, "late", None))


POLL = {
    "t_ns": 1, "frequency_mhz": {}, "temperature_c": {}, "throttled_bits": None, "undervoltage_alarm": None,
    "throttle_alerts": {}, "cpu_foreign": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("power", {"n": 0, "data": ""}),
        ("power", {"n": sampler.BATCH_RECORDS + 1, "data": ""}),
        ("conditions", {**POLL, "cpu_foreign": 1.5}),
        ("conditions", {**POLL, "throttled_bits": 1.0}),
        ("conditions", {**POLL, "frequency_mhz": {"a": "fast"}}),
        ("conditions", {**POLL, "more": 1}),
        ("conditions", {**POLL, "temperature_c": {str(n): 1.0 for n in range(1001)}}),
        ("meter", {"about": {"kind": "x"}, "why": "", "period_s": 1.0}),
        ("meter", {"about": None, "why": "", "period_s": 0.0}),
        ("snapshot", {"when": "later"}),
        ("sampled", {"summary": {}, "error": None}),
        ("window", {"name": "lunch", "start_ns": 1, "end_ns": 2}),
        ("window", {"name": "active", "start_ns": -1, "end_ns": 2}),
    ],
)
def test_what_makes_no_sense(event: str, fields: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match=f"event `{event}`"):
        said(event, **fields)


@pytest.mark.parametrize("fields", [{"n": 2, "data": records((1, 1, 1.0))["data"]}, {"n": 1, "data": "!"}])
def test_records_that_are_not_what_was_announced(fields: dict[str, Any]) -> None:
    event = said("power", **fields)
    assert isinstance(event, PowerRecords)
    with pytest.raises(DeviceError):
        event.array()


def test_this_machine_is_understood() -> None:
    assert isinstance(said("conditions", **Watcher().poll()), Poll)
    assert isinstance(said("snapshot", when="after", **conditions.snapshot(busy_s=0.05)), Snapshot)
