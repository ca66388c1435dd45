"""A recording around a trial: on the board's clock, within its bound, and never in the trial's way."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.sampler import Summary
from edgegreen.config.meterkeys import Command, Http
from edgegreen.errors import UnreachableError
from edgegreen.meters import recording
from edgegreen.meters.base import Keep, Wait
from edgegreen.meters.record import Record
from edgegreen.meters.recorder import Recorder
from edgegreen.meters.recording import Recording
from edgegreen.statistics.clocks import Exchange
from meters import plugs
from meters.plugs import serving

FIRST_GOOD, FAILING = 5, 7  # answers
AHEAD_NS = 5_000_000_000_000  # the board's clock, of ours


def board(delay_s: float = 0.001) -> Exchange:
    """A board whose clock goes as ours does, far ahead, and that answers late."""
    before_ns = time.monotonic_ns()
    time.sleep(delay_s)
    return Exchange(before_ns, time.monotonic_ns() + AHEAD_NS, time.monotonic_ns())


def record(keys: Command | Http, seconds: float) -> Record:
    running = Recording(keys, board)
    running.start()
    time.sleep(seconds)
    return running.finish()


def page(address: str, every_s: float = 0.05) -> Http:
    return Http(meter="http", url=f"http://{address}/", pointer="", every_s=every_s)


def test_readings_are_on_the_boards_clock_within_the_bound() -> None:
    """The page says what our clock shows."""
    with serving(lambda *_: plugs.told(time.monotonic())) as plug:
        found = record(page(plug.address), 0.6)
    assert (found.read_on, found.troubles) == ("host", ())
    assert found.why.startswith(f"http, as asked: {plug.address}/, the whole answer (board); ")
    assert found.why.endswith(" W at the start")
    shown_ns = found.readings["value"] * 1e9 + AHEAD_NS
    assert (
        np.abs(found.readings["t_ns"] - shown_ns).max()
        < found.alignment_s * 1e9 + found.readings["took_ns"].max()
    )
    assert 0.0005 < found.alignment_s < 0.05
    assert found.summary
    assert found.summary.n == len(found.readings) >= 8
    assert found.period_s == 0.05


def test_a_programs_own_times_come_over_the_wall_clock(tmp_path: Path) -> None:
    """Unix time, of a reading 0.4 s ago; its value is what our monotonic clock showed then."""
    path = tmp_path / "m.py"
    path.write_text(
        "import time\n"
        "while True:\n"
        "    print(f'{time.time() - 0.4:.9f} {time.monotonic() - 0.4:.9f}', flush=True)\n"
        "    time.sleep(0.02)\n"
    )
    found = record(Command(meter="command", command=(sys.executable, str(path)), timestamps="unix"), 0.4)
    assert len(found.readings) > 5
    off_ns = found.readings["t_ns"] - (found.readings["value"] * 1e9 + AHEAD_NS)
    # Between its two looks at clocks the program may have been put aside: not so for most of the lines.
    assert np.median(np.abs(off_ns)) < found.alignment_s * 1e9


def test_a_wall_clock_that_is_set_meanwhile_leaves_no_figure(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "m.py"
    path.write_text("import time\nwhile True:\n    print(time.time(), 3, flush=True)\n    time.sleep(0.02)\n")
    keys = Command(meter="command", command=(sys.executable, str(path)), timestamps="unix")
    running = Recording(keys, board)
    running.start()
    honest = recording._ask_wall

    def set_back() -> Exchange:
        told = honest()
        return Exchange(told.before_ns, told.there_ns - 2 * 10**9, told.after_ns)

    monkeypatch.setattr(recording, "_ask_wall", set_back)
    found = running.finish()
    assert found.about is None
    assert found.why.startswith("this machine's wall clock cannot be followed: it went -2.00")


def test_a_board_that_has_gone_after_the_trial_costs_the_energy_alone() -> None:
    asked = []

    def gone() -> Exchange:
        asked.append(1)
        if len(asked) > recording.EXCHANGES:
            raise UnreachableError("the link to b broke")
        return board()

    with serving(lambda *_: plugs.told(3.0)) as plug:
        running = Recording(page(plug.address), gone)
        running.start()
        found = running.finish()
    assert found.why == "the board did not tell its clock after the trial: the link to b broke"
    assert found.about is None


def test_a_meter_that_is_not_there_is_a_reason() -> None:
    with serving(lambda *_: plugs.NOT_FOUND) as plug:
        found = record(page(plug.address), 0.0)
    assert (found.about, found.why) == (None, f"{plug.address} answered 404 Not Found")
    assert len(found.readings) == 0


def test_readings_that_fail_and_a_gap_are_told() -> None:
    """By the count of answers, and until there are enough: how fast they come is the machine's business."""
    asked = 0
    enough = threading.Event()

    def reply(*_: object) -> plugs.Answer:
        nonlocal asked
        asked += 1
        if asked > FIRST_GOOD + FAILING + 3:
            enough.set()
        return plugs.NOT_FOUND if 0 < asked - FIRST_GOOD <= FAILING else plugs.told(3.0)

    with serving(reply) as plug:
        running = Recording(page(plug.address), board)
        running.start()
        assert enough.wait(30)
        found = running.finish()
    assert found.summary
    failed = np.isnan(found.readings["value"])
    assert found.summary.failed == failed.sum() == FAILING
    # A machine that was busy may have left other gaps; the one of the answers that failed is among them.
    assert found.summary.gap_count == len(found.summary.gaps) >= 1
    t_ns = found.readings["t_ns"]  # on the board's clock, as the gaps are
    around = [gap for gap in found.summary.gaps if gap[0] < t_ns[failed][0] and t_ns[failed][-1] < gap[1]]
    assert len(around) == 1
    assert t_ns[0] <= around[0][0] < around[0][1] <= t_ns[-1]
    assert found.troubles == (f"{plug.address} answered 404 Not Found",)


class Stuck:
    """A meter that hangs when it is opened, or after some readings, until `free` is set."""

    clock = "monotonic"
    about = About("stuck", "x", "board", "a stuck meter")

    def __init__(self, at: str) -> None:
        self.at, self.free, self.closed = at, threading.Event(), threading.Event()

    def open(self) -> Stuck:
        if self.at == "open":
            self.free.wait(30)
        if self.at == "foreign":
            raise KeyError("what a package of others may raise")
        return self

    def first(self) -> float:
        if self.at == "first":
            raise Unreadable("it is asleep", "wake it")
        return 1.0

    def record(self, keep: Keep, wait: Wait) -> Summary:
        for n in range(3):
            keep(n, 0, 1.0)
        self.free.wait(30)
        return Summary(0.1)

    def close(self) -> None:
        self.closed.set()


def test_a_meter_that_hangs_while_it_is_read_costs_nothing_it_has_read() -> None:
    meter = Stuck("record")
    recorder = Recorder(meter.open)
    recorder.start()
    begin = time.monotonic()
    recorded = recorder.stop(0.2)
    assert time.monotonic() - begin < 1
    assert recorded.readings["t_ns"].tolist() == [0, 1, 2]
    assert recorded.troubles == ("the meter hangs: no end to its last reading in 0.2 s",)
    meter.free.set()
    assert meter.closed.wait(5)


def test_a_meter_that_hangs_at_the_start_does_not_begin_later() -> None:
    meter = Stuck("open")
    recorder = Recorder(meter.open)
    recorder.start(0.2)
    meter.free.set()
    assert meter.closed.wait(5)
    recorded = recorder.stop()
    assert (recorded.about, recorded.why) == (None, "the meter did not answer in 0.2 s")


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("first", "it is asleep; wake it"),
        ("foreign", "the meter failed: KeyError: 'what a package of others may raise'"),
    ],
)
def test_what_a_meter_raises_is_the_reason(at: str, why: str) -> None:
    meter = Stuck(at)
    recorder = Recorder(meter.open)
    recorder.start()
    recorded = recorder.stop()
    assert (recorded.about, recorded.why) == (None, why)
    assert meter.closed.is_set() == (at == "first")
