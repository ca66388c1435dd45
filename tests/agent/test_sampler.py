from __future__ import annotations

import base64
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.meters import boards
from agent.meters.boards import Board
from agent.pythons import Version, dotted, interpreters
from edgegreen.agent import meters, sampler
from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.sampler import Record

MS = 1_000_000
REPO = Path(__file__).parents[2]
RUN = "import sys; sys.path.insert(0, sys.argv[1]); from {package} import sampler; sampler.main(sys.argv[2])"


class Stand:
    """A clock, a meter and a host in one: each reading takes its `read_ms`, each wait `wake_ms` more."""

    def __init__(
        self, read_ms: list[float], wake_ms: float = 0, emit_ms: float = 0, averaging_s: float | None = 1.0
    ) -> None:
        self.about = About("hwmon", "5V", "board", "test", averaging_s=averaging_s)
        self.now_ns, self.reads, self.wakes = 10**12, 0, 0
        self.read_ms, self.wake_ns, self.emit_ns = read_ms, int(wake_ms * MS), int(emit_ms * MS)
        self.events: list[dict[str, Any]] = []

    def clock(self) -> int:
        return self.now_ns

    def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.now_ns += round(seconds * 1e9) + self.wake_ns
        return self.reads < len(self.read_ms)

    def read(self) -> float:
        took_ms = self.read_ms[self.reads]
        self.reads += 1
        self.now_ns += int(took_ms * MS)
        if took_ms < 0.5:
            raise Unreadable("power1_input: Input/output error")
        return 5.0

    def tick(self) -> int:
        """A reading's time passes; when it was."""
        self.reads += 1
        self.now_ns += int(self.read_ms[self.reads - 1] * MS)
        return self.now_ns - 10**12

    def close(self) -> None: ...

    def emit(self, event: str, **fields: Any) -> None:
        self.now_ns += self.emit_ns
        self.events.append({"event": event, **fields})

    def sample(self, period_s: float = 0.1, **more: Any) -> tuple[list[Record], sampler.Summary]:
        summary = sampler.sample(self, period_s, self.emit, self.wait, clock=self.clock, **more)
        return records(self.events), summary


def records(events: list[dict[str, Any]]) -> list[Record]:
    return [
        record
        for event in events
        if event["event"] == "power"
        for record in sampler.unpack(event["n"], event["data"])
    ]


def test_the_schedule_does_not_drift() -> None:
    stand = Stand([4.0] * 600, wake_ms=0.3)
    taken, summary = stand.sample()
    starts_ms = [(record.t_ns - record.took_ns // 2 - 10**12) / MS for record in taken]
    assert starts_ms == pytest.approx([0.3] + [100 * n + 0.3 for n in range(1, 600)])
    assert {record.took_ns for record in taken} == {4 * MS}
    assert (summary.n, summary.missed, summary.gap_count, summary.failed) == (600, 0, 0, 0)
    assert summary.read_ms_mean == pytest.approx(4.0)
    assert len(stand.events) == pytest.approx(60, abs=6)  # one a second


def test_a_reading_that_hangs_is_a_gap_and_what_was_due_is_missed() -> None:
    taken, summary = Stand([1.0] * 10 + [350.0] + [1.0] * 10).sample()
    assert (summary.n, summary.missed, summary.gap_count) == (21, 3, 2)
    before, hung, after = taken[9:12]
    assert hung.took_ns == 350 * MS
    assert summary.gaps == [[before.t_ns, hung.t_ns], [hung.t_ns, after.t_ns]]
    assert summary.longest_gap_s == pytest.approx((hung.t_ns - before.t_ns) / 1e9)
    assert summary.read_ms_max == 350
    # From there on it is on the schedule again.
    assert [(record.t_ns - 10**12) // MS % 100 for record in taken[12:]] == [0] * 9


@pytest.mark.parametrize("read_ms", [0.6, 20.0])
def test_a_meter_that_does_not_average_is_read_at_a_random_moment_of_each_period(read_ms: float) -> None:
    stand = Stand([read_ms] * 5000, averaging_s=0.01)
    taken, summary = stand.sample()
    starts_s = np.array([(record.t_ns - record.took_ns // 2 - 10**12) / 1e9 for record in taken])
    # One in each period from first to last: the moments are random, the grid stands still.
    assert (np.floor(starts_s / 0.1) - np.arange(5000)).max() == 0
    assert (np.floor(starts_s / 0.1) - np.arange(5000)).min() == 0
    phases = starts_s / 0.1 % 1
    counts, _ = np.histogram(phases, bins=10, range=(0, 1))
    assert counts == pytest.approx(np.full(10, 500), abs=100 if read_ms < 1 else 250)
    assert abs(np.corrcoef(phases[1:], phases[:-1])[0, 1]) < 0.05
    assert (summary.missed, summary.gap_count) == (0, 0)
    again = Stand([read_ms] * 5000, averaging_s=0.01)
    assert again.sample()[0] == taken  # the same moments the next time


def test_a_load_of_the_samplers_own_rhythm_is_seen_as_it_is() -> None:
    """A square wave of 0.1 s, read every 0.1 s: in one phase it is 1 W or 3 W, at random moments 2 W."""

    def mean_w(averaging_s: float | None) -> float:
        stand = Stand([0.6] * 3000, averaging_s=averaging_s)
        stand.read = lambda: 1.0 + 2.0 * (stand.tick() % (100 * MS) < 50 * MS)  # type: ignore[method-assign]
        return float(np.mean([record.value for record in stand.sample()[0]]))

    assert mean_w(None) == pytest.approx(2.0, abs=0.08)
    assert mean_w(1.0) == 3.0  # what a fixed grid makes of it: right for a meter that averages, only


def test_a_hanging_reading_at_a_random_moment_is_a_gap_too() -> None:
    taken, summary = Stand([1.0] * 10 + [500.0] + [1.0] * 10, averaging_s=None).sample()
    assert summary.n == 21
    assert summary.missed in (3, 4)
    assert summary.gap_count == 2
    periods = [(record.t_ns - record.took_ns // 2 - 10**12) // (100 * MS) for record in taken]
    assert periods == [*range(11), *range(11 + summary.missed, 21 + summary.missed)]


@pytest.mark.parametrize(
    ("about", "random"),
    [
        ({}, True),
        ({"averaging_s": 0.05}, True),
        ({"averaging_s": 0.1}, False),
        ({"quantity": "energy"}, False),
    ],
)
def test_when_it_matters_when_a_meter_is_read(about: dict[str, Any], random: bool) -> None:
    meter = Stand([])
    meter.about = About("hwmon", "5V", "board", "test", **about)
    assert sampler.at_random(meter, 0.1) == random


def test_a_host_that_does_not_listen_is_a_gap_too() -> None:
    _, summary = Stand([1.0] * 40, emit_ms=700).sample()
    assert summary.missed > 0
    assert summary.gap_count > 0


def test_a_reading_that_fails_is_kept_as_such() -> None:
    taken, summary = Stand([1.0, 1.0, 0.1, 1.0]).sample()
    assert [math.isnan(record.value) for record in taken] == [False, False, True, False]
    assert (summary.failed, summary.error) == (1, "power1_input: Input/output error")
    assert summary.gap_count == 1


def test_what_is_kept_is_bounded() -> None:
    stand = Stand([1.0] * 10_000, wake_ms=0)
    taken, summary = stand.sample(0.0001)
    assert len(taken) == 10_000
    assert max(event["n"] for event in stand.events) <= sampler.BATCH_RECORDS
    assert len(summary.gaps) <= sampler.GAPS_KEPT < summary.gap_count
    assert summary.missed >= 9 * 9_990


def test_the_board_is_watched_once_a_second() -> None:
    seen = []
    stand = Stand([1.0] * 100)
    stand.sample(watch=lambda: seen.append(stand.now_ns))
    assert len(seen) == 9


class Cheap:
    """A meter that says of itself what it is told to, and takes `seconds` of sleep or of work to read."""

    def __init__(self, update_s: float | None = None, sleep_s: float = 0.0, work_s: float = 0.0) -> None:
        self.about = About("hwmon", "5V", "board", "test", update_s=update_s)
        self.sleep_s, self.work_s = sleep_s, work_s

    def read(self) -> float:
        time.sleep(self.sleep_s)
        end = time.process_time() + self.work_s
        while time.process_time() < end:
            pass
        return 1.0

    def close(self) -> None: ...


def test_the_pace_is_no_faster_than_it_pays() -> None:
    assert sampler.pace(Cheap(), None) == sampler.DEFAULT_PERIOD_S
    assert sampler.pace(Cheap(), 0.02) == 0.02
    assert sampler.pace(Cheap(update_s=0.43), 0.02) == 0.43
    assert sampler.pace(Cheap(update_s=0.001), 0.02) == 0.02
    assert 0.06 < sampler.pace(Cheap(sleep_s=0.05), 0.02) < 0.3
    assert 0.4 < sampler.pace(Cheap(work_s=0.005), 0.02) < 1.5  # 5 ms are 1 % of 0.5 s


@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1), st.floats(allow_nan=False))))
def test_records_come_back_as_they_were(taken: list[tuple[int, int, float]]) -> None:
    packed = sampler.pack(bytearray(b"".join(sampler.RECORD.pack(*record) for record in taken)))
    assert list(sampler.unpack(packed["n"], packed["data"])) == taken


@given(
    st.integers(0, 100), st.one_of(st.text(), st.binary().map(lambda data: base64.b64encode(data).decode()))
)
def test_garbage_is_a_value_error(n: int, data: str) -> None:
    try:
        assert len(list(sampler.unpack(n, data))) == n
    except ValueError as error:
        assert str(error)  # noqa: PT017


def test_more_than_was_announced_is_not_unpacked() -> None:
    bomb = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    with pytest.raises(ValueError, match="readings of 21 bytes instead of 20"):
        sampler.unpack(1, bomb)


# In real time: a thread plays the driver, and what it wrote when is the truth.


class Signal:
    """Writes a square wave into a recorded tree; `joules(a, b)` is the truth between two times."""

    def __init__(self, board: Board, path: str, units_per_watt: float, low_w: float, high_w: float) -> None:
        self.path, self.units = board.path(path), units_per_watt
        self.levels = (low_w, high_w)
        self.steps: list[tuple[int, float]] = []
        self._end = threading.Event()

    def play(self) -> None:
        n = 0
        while not self._end.wait(0.05 + 0.13 * (n % 3)):
            watts = self.levels[n % 2]
            before = time.monotonic_ns()
            self.path.write_text(f"{watts * self.units:.0f}\n")
            self.steps.append(((before + time.monotonic_ns()) // 2, watts))
            n += 1

    @contextmanager
    def playing(self) -> Iterator[None]:
        thread = threading.Thread(target=self.play)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def joules(self, start_ns: int, end_ns: int) -> float:
        steps = [*self.steps, (max(end_ns, self.steps[-1][0]), 0.0)]
        spans = ((max(t, start_ns), min(after, end_ns), watts) for (t, watts), (after, _) in pairwise(steps))
        return sum((end - start) * watts for start, end, watts in spans if end > start) / 1e9


def test_readings_integrate_to_the_energy_that_was_played(tmp_path: Path) -> None:
    board = boards.lay_out("jetson-orin-nano-jp6", tmp_path)
    board.path("/sys/class/hwmon/hwmon1/in1_input").write_text("5000\n")
    played = Signal(board, "/sys/class/hwmon/hwmon1/curr1_input", 200, 5.0, 15.0)  # mA at 5 V
    meter, _ = meters.choose(board.root, "jetson-orin", board.run)
    assert meter
    events: list[dict[str, Any]] = []
    with played.playing():
        time.sleep(0.4)
        end = time.monotonic() + 2.0
        summary = sampler.sample(
            meter,
            0.01,
            lambda event, **fields: events.append({"event": event, **fields}),
            lambda seconds: time.sleep(seconds) or time.monotonic() < end,  # type: ignore[func-returns-value]
        )
    meter.close()
    taken = [record for record in records(events) if record.t_ns > played.steps[0][0]]
    joules = sum(
        (after.t_ns - before.t_ns) / 1e9 * (before.value + after.value) / 2
        for before, after in pairwise(taken)
    )
    # Each of some 12 steps of 10 W is seen half a period late or early, or half a gap where there is one.
    doubt_j = 0.3 + sum(end_ns - start_ns for start_ns, end_ns in summary.gaps) / 1e9 * 10 / 2
    assert joules == pytest.approx(played.joules(taken[0].t_ns, taken[-1].t_ns), abs=doubt_j)
    assert joules > 15
    assert {round(record.value, 3) for record in taken} == {5.0, 15.0}
    assert summary.n + summary.missed == pytest.approx(200, abs=2)
    assert summary.failed == 0
    assert (
        summary.cpu_s / summary.wall_s < 0.2
    )  # of a core, at 100 readings a second, with the player's share


def test_a_counter_that_starts_over_gives_the_energy_exactly(tmp_path: Path) -> None:
    board = boards.lay_out("x86-rapl", tmp_path)
    path, range_uj = board.path("/sys/class/powercap/intel-rapl:0/energy_uj"), 262143328850
    meter, _ = meters.choose(board.root, "x86", board.run)
    assert meter
    events: list[dict[str, Any]] = []
    written = [0]

    def wait(seconds: float) -> bool:
        written.append(written[-1] + 90_000_000_000)  # 90 kJ: starts over at every third reading
        path.write_text(str((261143328850 + written[-1]) % range_uj))
        return len(written) < 12

    sampler.sample(meter, 0.001, lambda event, **fields: events.append({"event": event, **fields}), wait)
    meter.close()
    assert [record.value for record in records(events)] == pytest.approx([uj * 1e-6 for uj in written[1:-1]])


# As the process it is.


def start(
    board: Board, python: str = sys.executable, package: str = "edgegreen.agent", **spec: Any
) -> subprocess.Popen[bytes]:
    folder = REPO if package.startswith("edgegreen") else REPO / "edgegreen"
    return subprocess.Popen(
        [python, "-c", RUN.format(package=package), str(folder), json.dumps({"root": board.root, **spec})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={
            "PATH": str(board.path("/usr/bin")) + os.pathsep + "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def finish(
    process: subprocess.Popen[bytes], end: Callable[[], object], after: str = "conditions"
) -> list[dict[str, Any]]:
    """What it says until it has ended, `end` being called after events called `after`."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    events = []
    with process:
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["event"] == after:
                end()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert {event.pop("v") for event in events} == {1}
    return events


def test_a_process_samples_until_its_stdin_closes(tmp_path: Path) -> None:
    board = boards.lay_out("jetson-orin-nano-jp6", tmp_path)
    board.path("/sys/class/hwmon/hwmon1/update_interval").write_text("20\n")
    board.path("/sys/class/hwmon/hwmon1/samples").write_text("16\n")
    process = start(board, family="jetson-orin", period_s=0.005)
    assert process.stdin
    before, first, *rest, after, last = finish(process, process.stdin.close)
    assert [(shot["event"], shot["when"]) for shot in (before, after)] == [
        ("snapshot", "before"),
        ("snapshot", "after"),
    ]
    assert after["power_mode"] == before["power_mode"]
    assert before["t_ns"] < after["t_ns"]
    assert first["event"] == "meter"
    assert first["period_s"] == 0.02  # no faster than the sensor
    assert About(**first["about"]).rail == "VDD_IN"
    assert first["why"].startswith("ina3221, found by `auto` for family jetson-orin: VDD_IN (module")
    taken = records(rest)
    assert {round(record.value, 6) for record in taken} == {9.250304}
    assert last["event"] == "sampled"
    summary = sampler.Summary(**last["summary"])
    assert summary.n == len(taken) >= 40
    assert summary.cpu_s / summary.wall_s < 0.2
    (poll, *_) = [event for event in rest if event["event"] == "conditions"]
    assert poll["temperature_c"] == {
        "cpu-thermal": 63.625,
        "cv0-thermal": None,
        "tj-thermal": pytest.approx(63.781),
    }
    assert poll["throttle_alerts"]["cpu-throttle-alert"] == 1


def test_a_signal_ends_it_as_well(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-4-ina219", tmp_path)
    process = start(board, family="raspberry-pi-4", watch=False)
    events = finish(process, lambda: process.send_signal(signal.SIGTERM), after="power")
    assert [event["event"] for event in events][-1] == "sampled"
    assert {round(record.value, 6) for record in records(events)} == {3.144}


def test_the_commands_of_a_board_are_run(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-5", tmp_path)
    board.path("/usr/bin").mkdir(parents=True)
    board.install(board.path("/usr/bin"))
    process = start(board, family="raspberry-pi-5", period_s=0.05)
    assert process.stdin
    _, first, *rest, _, last = finish(process, process.stdin.close)
    assert first["about"]["kind"] == "pmic"
    assert first["period_s"] > 0.05  # a process for each reading costs more than 1 % of a core would allow
    assert {round(record.value, 5) for record in records(rest)} == {10.79989}
    assert last["summary"]["cpu_s"] > 0


def test_without_a_meter_the_board_is_watched_all_the_same(tmp_path: Path) -> None:
    board = boards.lay_out("coral-dev", tmp_path)
    process = start(board, family="coral-dev")
    assert process.stdin
    _, first, *rest, _, last = finish(process, process.stdin.close)
    assert first == {
        "event": "meter",
        "about": None,
        "why": "a Coral Dev Board has no power sensor of its own; found no power sensor in hwmon",
        "period_s": None,
    }
    assert [event["event"] for event in rest] == ["conditions"]
    assert last == {"event": "sampled", "summary": None, "error": None}


def test_a_host_that_is_gone_ends_it(tmp_path: Path) -> None:
    board = boards.lay_out("raspberry-pi-4-ina219", tmp_path)
    process = start(board, family="raspberry-pi-4")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stdin
    assert process.stderr
    process.stdin.close()
    process.stderr.close()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"speed": 3}, "unexpected keyword argument 'speed'"),
        ({"family": "raspberry-pi-4", "scope": "everything"}, "no scope is called `everything`"),
    ],
)
def test_a_spec_that_is_not_understood_is_an_error(tmp_path: Path, spec: dict[str, Any], words: str) -> None:
    board = boards.lay_out("raspberry-pi-4-ina219", tmp_path)
    *_, error = finish(start(board, **spec), lambda: None)
    assert error["event"] == "error"
    assert words in error["error"]


@pytest.mark.parametrize("version", sorted(v for v in interpreters() if v >= (3, 7)), ids=dotted)
def test_it_runs_on_every_python(tmp_path: Path, version: Version) -> None:
    board = boards.lay_out("jetson-agx-orin", tmp_path)
    board.path("/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/update_interval").write_text("10\n")
    board.path("/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3/samples").write_text("4\n")
    process = start(board, interpreters()[version], "agent", family="jetson-agx-orin", period_s=0.01)

    def end() -> None:
        time.sleep(0.1)
        assert process.stdin
        process.stdin.close()

    events = finish(process, end, after="meter")
    assert {round(record.value, 6) for record in records(events)} == {8.7112}
    assert events[-1]["summary"] == asdict(sampler.Summary(**events[-1]["summary"]))
