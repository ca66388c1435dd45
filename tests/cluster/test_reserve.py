"""Worker processes that wait for the next build: who gets one, what is not kept, and that none is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import worker_jobs
from waiting import until

from edgegreen.cluster import reserve as module
from edgegreen.cluster.reserve import Reserve
from edgegreen.errors import ConversionError, InputError
from edgegreen.workers.pool import Workers
from edgegreen.workers.worker import Lane


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reserve(tmp_path: Path, clock: Clock) -> Iterator[Reserve]:
    with closing(Reserve(tmp_path / "logs", clock)) as found:
        yield found


def build(reserve: Reserve, *jobs: Callable[..., Any], lane: Lane = "tools", lasting: bool = False) -> int:
    """A build of one worker that does these jobs; its process id."""
    with closing(Workers(reserve.folder, tools=1, depot=reserve)) as workers:
        for job in jobs:
            workers.run(lane, job)
        return workers.run(lane, worker_jobs.pid, lasting=lasting)


def test_the_next_build_has_the_process_of_the_last(reserve: Reserve) -> None:
    first = build(reserve)

    assert build(reserve) == first
    other = build(reserve, lane="tensorflow")
    assert other != first
    assert build(reserve) == first
    assert build(reserve, lane="tensorflow") == other


def test_errors_and_words_are_those_of_ones_own_job(reserve: Reserve) -> None:
    first = build(reserve, worker_jobs.chat)
    said: list[str] = []
    with closing(Workers(reserve.folder, tools=1, depot=reserve)) as workers:
        workers.run("tools", worker_jobs.told, 2, on_report=lambda stage, done=None: said.append(stage))
        with pytest.raises(InputError, match="no such thing"):
            workers.run("tools", worker_jobs.refuse)
        assert workers.run("tools", worker_jobs.pid) == first
        with pytest.raises(ConversionError) as caught:
            workers.run("tools", worker_jobs.fail)

    assert said == ["stage 0", "stage 1"]
    assert "cannot fold" in caught.value.message
    assert "hello" not in caught.value.message
    assert build(reserve) != first  # a library broke off in the middle of something
    until(lambda: not psutil.pid_exists(first))


def test_two_builds_never_share_a_process(reserve: Reserve) -> None:
    build(reserve)
    with (
        closing(Workers(reserve.folder, tools=2, depot=reserve)) as one,
        closing(Workers(reserve.folder, tools=2, depot=reserve)) as other,
        ThreadPoolExecutor(4) as pool,
    ):
        for workers in (one, other):
            workers.warm("tools", [])
        sleeping = [pool.submit(each.run, "tools", worker_jobs.sleep, 0.2) for each in (one, other) * 2]
        assert [job.result() for job in sleeping] == ["slept"] * 4
        mine, theirs = ({each.run("tools", worker_jobs.pid) for _ in range(3)} for each in (one, other))
        assert not mine & theirs


def test_what_is_at_work_when_its_build_ends_is_ended(reserve: Reserve, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    workers = Workers(reserve.folder, tools=1, depot=reserve)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(workers.run, "tools", worker_jobs.sleep, 60, note)
        until(lambda: note.exists() and note.read_text())
        workers.close()
        with pytest.raises(CancelledError):
            job.result(timeout=5)

    assert not psutil.pid_exists(int(note.read_text()))
    assert reserve.take("tools") is None
    assert list(reserve.folder.iterdir()) == []


def test_what_is_no_more_as_it_was_begun_is_not_kept(
    reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = build(reserve, lasting=True)
    assert not psutil.pid_exists(lasting)
    monkeypatch.setattr(module, "JOBS_MAX", 2)
    first = build(reserve)
    assert build(reserve) == first
    assert not psutil.pid_exists(first)
    monkeypatch.setitem(module.RESIDENT_MAX_BYTES, "tools", 1_000_000)
    assert not psutil.pid_exists(build(reserve))
    assert list(reserve.folder.iterdir()) == []  # nor are their logs


def test_one_that_died_while_it_waited_is_not_handed_out(reserve: Reserve) -> None:
    first = psutil.Process(build(reserve))
    first.kill()
    until(lambda: first.status() == psutil.STATUS_ZOMBIE)

    assert build(reserve) != first.pid
    assert not psutil.pid_exists(first.pid)
    reserve.close()
    assert list(reserve.folder.iterdir()) == []  # no log either


def test_those_that_nobody_wants_are_ended(reserve: Reserve, clock: Clock) -> None:
    first = build(reserve)
    clock.now_s += module.IDLE_S - 1
    reserve.sweep()
    assert build(reserve) == first
    clock.now_s += module.IDLE_S - 1
    reserve.sweep()
    assert psutil.pid_exists(first)
    clock.now_s += 1
    reserve.sweep()
    assert not psutil.pid_exists(first)


def test_nothing_is_left_at_the_end(reserve: Reserve) -> None:
    waiting = build(reserve)
    with closing(Workers(reserve.folder, tools=1, depot=reserve)) as workers:
        workers.run("tensorflow", worker_jobs.pid)
        reserve.close()
        assert not psutil.pid_exists(waiting)
        at_work = workers.run("tensorflow", worker_jobs.pid)  # a task that is under way goes on
    assert not psutil.pid_exists(at_work)


def test_another_version_of_a_tool_takes_new_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    from edgegreen.cluster.standby import Standby

    async def pids() -> list[int]:
        standby, worker = Standby(tmp_path / "workers"), SimpleNamespace()
        standby.setup(worker)
        found = [build(standby.reserve({"openvino": "1"})), build(standby.reserve({"keras": "1"}))]
        found.append(build(standby.reserve({"openvino": "2"})))
        found.append(build(standby.reserve({"openvino": "2", "keras": None})))
        monkeypatch.setenv("EDGEGREEN_TEST", "1")
        found.append(build(standby.reserve({"openvino": "2"})))
        standby.teardown(worker)
        return found

    first, same, replaced, as_replaced, elsewhere = asyncio.run(pids())

    assert first == same
    assert replaced == as_replaced
    assert len({first, replaced, elsewhere}) == 3
    assert not any(psutil.pid_exists(pid) for pid in (first, replaced, elsewhere))
