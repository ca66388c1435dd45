"""Worker processes: whatever a converter does stays in its process, and none outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer

import psutil
import pytest
import worker_jobs
from waiting import until

from edgegreen.errors import ConversionError, InputError
from edgegreen.workers import room
from edgegreen.workers.pool import Workers
from edgegreen.workers.room import how_many


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    found = Workers(tmp_path, tools=2)
    yield found
    found.close()


class TestRun:
    def test_a_worker_stays_for_the_next_job(self, workers: Workers) -> None:
        first = workers.run("tools", worker_jobs.pid)
        assert workers.run("tools", worker_jobs.pid) == first != os.getpid()

    def test_reports_come_through_in_order(self, workers: Workers) -> None:
        said: list[tuple[str, float | None]] = []
        result = workers.run(
            "tools", worker_jobs.told, 3, on_report=lambda stage, done=None: said.append((stage, done))
        )
        assert result == "done"
        assert said == [("stage 0", 0.0), ("stage 1", 1 / 3), ("stage 2", 2 / 3)]
        workers.run(
            "tools", worker_jobs.told, 1, on_report=lambda stage, done=None: said.append((stage, done))
        )
        assert said[3:] == [("stage 0", 0.0)]

    def test_chatter_does_not_reach_the_terminal(
        self, workers: Workers, capfd: pytest.CaptureFixture[str]
    ) -> None:
        workers.run("tools", worker_jobs.chat)
        assert capfd.readouterr() == ("", "")

    def test_modules_are_imported_beforehand(self, workers: Workers) -> None:
        workers.warm("tools", ["wave", "no_such_module", "colorsys"])
        assert workers.run("tools", worker_jobs.modules) == ["wave", "colorsys"]

    def test_no_more_than_the_lane_has(self, workers: Workers) -> None:
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(workers.run, "tools", worker_jobs.sleep, 0.3) for _ in range(4)]
            assert [job.result() for job in jobs] == ["slept"] * 4
            pids = {workers.run("tools", worker_jobs.pid) for _ in range(4)}
        assert len(pids) <= 2

    def test_no_more_at_once_than_is_allowed_in_both_lanes_together(self, tmp_path: Path) -> None:
        workers = Workers(tmp_path, tools=2, at_once=1)
        try:
            for lane in ("tools", "tensorflow"):
                workers.warm(lane, [])
            began_s = time.monotonic()
            with ThreadPoolExecutor(3) as pool:
                lanes = ("tools", "tensorflow", "tools")
                jobs = [pool.submit(workers.run, lane, worker_jobs.sleep, 0.2) for lane in lanes]
                assert [job.result() for job in jobs] == ["slept"] * 3
            assert time.monotonic() - began_s >= 0.6
        finally:
            workers.close()

    def test_libraries_cannot_report_their_use_to_a_server(self, workers: Workers) -> None:
        assert workers.run("tools", worker_jobs.telemetry) is False


class TestFailure:
    def test_our_own_errors_come_as_they_are(self, workers: Workers) -> None:
        with pytest.raises(InputError, match="no such thing") as caught:
            workers.run("tools", worker_jobs.refuse)
        assert caught.value.hint == "try another"

    def test_others_become_ours_with_the_end_of_the_log(self, workers: Workers) -> None:
        with pytest.raises(ConversionError) as caught:
            workers.run("tools", worker_jobs.fail)
        first, last = caught.value.message.splitlines()
        assert first.startswith("KeyError: 'node 7")
        assert "worker_jobs.py" in first
        assert last == "    [converter] cannot fold node 7"

    def test_a_crash_is_one_jobs_failure(self, workers: Workers) -> None:
        with ThreadPoolExecutor() as pool:
            other = pool.submit(workers.run, "tools", worker_jobs.sleep, 0.5)
            with pytest.raises(ConversionError, match=r"crashed \(SIGSEGV\)\n    about to fall"):
                workers.run("tools", worker_jobs.segfault)
            assert other.result() == "slept"
        assert workers.run("tools", worker_jobs.told, 1) == "done"

    def test_being_killed_is_told_as_lack_of_memory(self, workers: Workers) -> None:
        with pytest.raises(ConversionError, match="lack of memory"):
            workers.run("tools", worker_jobs.out_of_memory)

    def test_a_timeout_ends_the_process(self, workers: Workers, tmp_path: Path) -> None:
        note = tmp_path / "pid"
        with pytest.raises(ConversionError, match="gave up after 1 s"):
            workers.run("tools", worker_jobs.sleep, 60, note, timeout_s=1)
        assert not psutil.pid_exists(int(note.read_text()))

    def test_a_result_that_cannot_be_sent(self, workers: Workers) -> None:
        with pytest.raises(ConversionError, match="crashed"):
            workers.run("tools", worker_jobs.unpicklable)


class TestClose:
    def test_whoever_waits_is_let_go_and_nothing_runs_on(self, tmp_path: Path) -> None:
        stop, note = Event(), tmp_path / "pid"
        workers = Workers(tmp_path, tools=1, stop=stop)
        Timer(0.7, workers.close).start()
        began = time.monotonic()
        with pytest.raises(CancelledError):
            workers.run("tools", worker_jobs.sleep, 60, note)
        assert time.monotonic() - began < 5
        assert gone(int(note.read_text()))
        with pytest.raises(CancelledError):
            workers.run("tools", worker_jobs.pid)

    def test_a_worker_does_not_outlive_a_killed_parent(self, tmp_path: Path) -> None:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(tmp_path), str(Path(__file__).parents[1])]
        )
        note = tmp_path / "pid"
        until(note.exists)
        until(lambda: bool(note.read_text()))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: gone(int(note.read_text())))


# No `if __name__ == "__main__"`, as in most people's first script.
PARENT = """
import sys
from pathlib import Path
sys.path.append(sys.argv[2])
import worker_jobs
from edgegreen.workers.pool import Workers
Workers(Path(sys.argv[1]), tools=1).run("tools", worker_jobs.sleep, 60, Path(sys.argv[1], "pid"))
"""


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestHowMany:
    @pytest.mark.parametrize(
        ("free_gb", "model_mb", "jobs", "expected"),
        [(64, 1, 100, 8), (64, 1, 3, 3), (2, 1, 100, 2), (0.5, 1, 100, 1), (8, 300, 100, 2)],
        ids=["cores", "jobs", "memory", "never none", "large model"],
    )
    def test_bounded_by(
        self, monkeypatch: pytest.MonkeyPatch, free_gb: float, model_mb: int, jobs: int, expected: int
    ) -> None:
        monkeypatch.setattr(room, "cores", lambda: 8)
        monkeypatch.setattr(room, "free_bytes", lambda: int(free_gb * 1e9))
        assert how_many(jobs, model_mb * 1_000_000) == expected
