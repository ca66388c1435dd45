"""Worker processes for conversions: a crash, a leak or chatter of a converter stays in its process.

`Workers.run` runs a function of edgegreen's in a worker and waits for it; threads call it side by side. A
worker (`process.py`) is a fresh Python that shares nothing but a pipe with us: nothing is re-imported from
the caller's script, one that dies takes no lock with it, and what it prints goes to a log that is shown only
when it fails. Workers stay for the next job, so a library is imported once; with a `Depot`, they stay for
the next build.

Two lanes: `tensorflow` has one worker, `tools` as many as cores and free memory allow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Condition, Event
from typing import Any, Protocol, TypeVar

from edgegreen.workers.report import Report, silent
from edgegreen.workers.worker import Lane, WorkerProcess

T = TypeVar("T")
TIMEOUT_S = 3600.0
NUMBERS = itertools.count()  # of logs, several builds' in one folder


class Depot(Protocol):
    """Where workers wait between two builds. Each is had by one build at a time."""

    folder: Path

    def take(self, lane: Lane) -> WorkerProcess | None:
        """One that waits; None where none does."""

    def keep(self, worker: WorkerProcess) -> None:
        """Take in one that does nothing, or end it."""


class Workers:
    """Workers started when first needed, with logs in `folder`. `close` ends them all, whatever they do.

    At most `at_once` of them, of both lanes together, do a job at a time; None: as many as there are. Workers
    come from `depot`, if given, before any is started, and those without a job go there at the end.
    """

    def __init__(
        self,
        folder: Path,
        tools: int,
        stop: Event | None = None,
        at_once: int | None = None,
        depot: Depot | None = None,
    ) -> None:
        self._depot, self._folder = depot, depot.folder if depot else folder
        self._free = tools + 1 if at_once is None else at_once
        self._limits: dict[Lane, int] = {"tensorflow": 1, "tools": tools}
        self._idle: dict[Lane, list[WorkerProcess]] = {"tensorflow": [], "tools": []}
        self._all: list[WorkerProcess] = []
        self._counts: dict[Lane, int] = {"tensorflow": 0, "tools": 0}
        self._change = Condition()
        self._stop = stop or Event()

    def warm(self, lane: Lane, modules: Sequence[str]) -> None:
        """Start the lane's workers now, each importing `modules`: the wait is over when a job comes."""
        with self._change:
            while self._counts[lane] < self._limits[lane] and not self._stop.is_set():
                self._idle[lane].append(self._start(lane, modules))

    def run(
        self,
        lane: Lane,
        job: Callable[..., T],
        *arguments: Any,
        on_report: Report | None = None,
        timeout_s: float = TIMEOUT_S,
        lasting: bool = False,
    ) -> T:
        """Run `job(report, *arguments)` in a worker of the lane; all of them importable and picklable.

        `lasting`: the job changes the settings of its process, which no other build is to have then.

        Raises the EdgegreenError the job raises; ConversionError, with the end of the worker's log, when it
        raises anything else, dies or takes longer than `timeout_s`; CancelledError when told to stop.
        """
        worker = self._take(lane)
        worker.spent |= lasting
        try:
            result: T = worker.run(job, arguments, on_report or silent, timeout_s, self._stop)
            return result
        finally:
            self._give_back(lane, worker)

    def close(self) -> None:
        """End every worker now; the depot gets the idle. Threads in `run` get CancelledError. Idempotent."""
        self._stop.set()
        with self._change:
            workers, self._all = self._all, []
            idle = [worker for lane in self._idle.values() for worker in lane] if self._depot else []
            self._idle = {"tensorflow": [], "tools": []}
            self._change.notify_all()
        for worker in workers:
            if self._depot and worker in idle:
                self._depot.keep(worker)
            else:
                worker.end()

    def _take(self, lane: Lane) -> WorkerProcess:
        with self._change:
            while not self._stop.is_set():
                if self._free and (worker := self._next(lane)):
                    self._free -= 1
                    return worker
                self._change.wait(1.0)
        raise CancelledError

    def _next(self, lane: Lane) -> WorkerProcess | None:
        if self._idle[lane]:
            return self._idle[lane].pop()
        return self._start(lane, ()) if self._counts[lane] < self._limits[lane] else None

    def _give_back(self, lane: Lane, worker: WorkerProcess) -> None:
        if worker.busy:
            worker.kill()
        with self._change:
            self._free += 1
            if not worker.busy:
                self._idle[lane].append(worker)
            else:
                self._counts[lane] -= 1
            self._change.notify_all()  # one of the other lane may be waiting, too

    def _start(self, lane: Lane, modules: Sequence[str]) -> WorkerProcess:
        self._counts[lane] += 1
        worker = self._depot.take(lane) if self._depot else None
        worker = worker or WorkerProcess(lane, self._folder / f"{lane}-{next(NUMBERS)}.log", modules)
        self._all.append(worker)
        return worker
