"""Worker processes for conversions: a crash, a leak or chatter of a converter stays in its process.

`Workers.run` runs a function of edgegreen's in a worker and waits for it; threads call it side by side. A
worker (`process.py`) is a fresh Python that shares nothing but a pipe with us: nothing is re-imported from
the caller's script, one that dies takes no lock with it, and what it prints goes to a log that is shown only
when it fails. Workers stay for the next job, so a library is imported once.

Two lanes: `tensorflow` has one worker, `tools` as many as cores and free memory allow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from multiprocessing.connection import Pipe
from pathlib import Path
from threading import Condition, Event
from typing import Any, Literal, Protocol, TypeVar

import psutil

from edgegreen.agent.runtimes import onnxruntime
from edgegreen.errors import ConversionError

T = TypeVar("T")
Lane = Literal["tensorflow", "tools"]
TIMEOUT_S = 3600.0
LOG_TAIL_BYTES = 2000
# Measured resident sizes: TensorFlow 0.6 GB after import and 0.9 GB in a small conversion; ai-edge-quantizer,
# openvino and nncf together 0.2 GB. A conversion holds a few copies of the model.
TENSORFLOW_BYTES, TOOLS_BYTES, COPIES = 1_000_000_000, 400_000_000, 6
# Quiet libraries that take no GPU, and none of our own sys.path lost. TensorFlow cuts sums by its number of
# threads: with the same number everywhere a training comes out the same, however many cores there are.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "4",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    **onnxruntime.QUIET,  # workers import it by name, beforehand
}


def tail(said: str) -> str:
    """The last lines of a program's output as further lines of an error's message."""
    # Of a progress bar, which goes back to the line's start again and again, what it said last.
    lines = [line.rstrip().rpartition("\r")[2][:300] for line in said[-LOG_TAIL_BYTES:].split("\n")]
    return "".join(f"\n    {line}" for line in [line for line in lines if line][-12:])


class Report(Protocol):
    """How a job says what it is doing: a stage in a word, and the share done where that is known."""

    def __call__(self, stage: str, done: float | None = None) -> None:
        """Say it. Cheap; may be called for every sample."""


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def how_many(jobs: int, model_bytes: int) -> int:
    """Workers for the `tools` lane: no more than jobs, cores, or what fits into free memory; at least one."""
    free = _free_bytes() - TENSORFLOW_BYTES - COPIES * model_bytes
    return max(1, min(jobs, cores(), free // (TOOLS_BYTES + COPIES * model_bytes)))


class Workers:
    """Workers started when first needed, with logs in `folder`. `close` ends them all, whatever they do.

    At most `at_once` of them, of both lanes together, do a job at a time; None: as many as there are.
    """

    def __init__(
        self, folder: Path, tools: int, stop: Event | None = None, at_once: int | None = None
    ) -> None:
        self.folder = folder
        self._free = tools + 1 if at_once is None else at_once
        self._limits: dict[Lane, int] = {"tensorflow": 1, "tools": tools}
        self._idle: dict[Lane, list[_Worker]] = {"tensorflow": [], "tools": []}
        self._all: list[_Worker] = []
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
    ) -> T:
        """Run `job(report, *arguments)` in a worker of the lane; all of them importable and picklable.

        Raises the EdgegreenError the job raises; ConversionError, with the end of the worker's log, when it
        raises anything else, dies or takes longer than `timeout_s`; CancelledError when told to stop.
        """
        worker = self._take(lane)
        try:
            result: T = worker.run(job, arguments, on_report or silent, timeout_s, self._stop)
            return result
        finally:
            self._give_back(lane, worker)

    def close(self) -> None:
        """End every worker at once. Threads in `run` get CancelledError. Idempotent."""
        self._stop.set()
        with self._change:
            workers, self._all = self._all, []
            self._change.notify_all()
        for worker in workers:
            worker.kill()

    def _take(self, lane: Lane) -> _Worker:
        with self._change:
            while not self._stop.is_set():
                if self._free and (worker := self._next(lane)):
                    self._free -= 1
                    return worker
                self._change.wait(1.0)
        raise CancelledError

    def _next(self, lane: Lane) -> _Worker | None:
        if self._idle[lane]:
            return self._idle[lane].pop()
        return self._start(lane, ()) if self._counts[lane] < self._limits[lane] else None

    def _give_back(self, lane: Lane, worker: _Worker) -> None:
        if worker.busy:
            worker.kill()
        with self._change:
            self._free += 1
            if not worker.busy:
                self._idle[lane].append(worker)
            else:
                self._counts[lane] -= 1
            self._change.notify_all()  # one of the other lane may be waiting, too

    def _start(self, lane: Lane, modules: Sequence[str]) -> _Worker:
        self._counts[lane] += 1
        worker = _Worker(self.folder / f"{lane}-{len(self._all)}.log", modules)
        self._all.append(worker)
        return worker


class _Worker:
    """One process and the pipe to it. Used by one thread at a time; `kill` by any.

    `busy` from the start of a job until its answer is here: for good, when there never is one.
    """

    def __init__(self, log: Path, modules: Sequence[str]) -> None:
        self.log, self.busy = log, False
        self._pipe, theirs = Pipe()
        paths = [str(Path(entry or ".").absolute()) for entry in sys.path]
        with log.open("wb") as stream, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edgegreen.workers.process", str(theirs.fileno()), *modules],
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )

    def run(
        self, job: Callable[..., Any], arguments: Sequence[Any], report: Report, timeout_s: float, stop: Event
    ) -> Any:
        """See `Workers.run`."""
        self.busy, logged = True, self.log.stat().st_size
        deadline = time.monotonic() + timeout_s
        try:
            self._pipe.send((job, arguments))
            while not stop.is_set():
                if time.monotonic() > deadline:
                    raise ConversionError(f"gave up after {timeout_s:.0f} s" + self._said(logged))
                if not self._pipe.poll(0.2):
                    continue
                kind, *content = self._pipe.recv()
                if kind == "report":
                    report(*content)
                    continue
                self.busy = False
                if kind == "done":
                    return content[0]
                raise content[0] if kind == "refused" else ConversionError(content[0] + self._said(logged))
        except (EOFError, ConnectionError) as error:
            if not stop.is_set():
                raise self._died(logged) from error
        raise CancelledError

    def kill(self) -> None:
        """End the process now, whatever it does. Idempotent."""
        self._process.kill()
        self._process.wait()

    def _died(self, logged: int) -> ConversionError:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            free_mb = _free_bytes() >> 20
            return ConversionError(
                f"the conversion was killed, most likely for lack of memory ({free_mb} MB are free)",
                hint="free memory, or convert on a machine with more",
            )
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return ConversionError(f"the converter crashed ({how})" + self._said(logged))

    def _said(self, start: int) -> str:
        """The end of what was logged since `start`, as further lines of a message."""
        with self.log.open("rb") as stream:
            stream.seek(max(start, self.log.stat().st_size - LOG_TAIL_BYTES))
            return tail(stream.read().decode(errors="replace"))


def silent(stage: str, done: float | None = None) -> None:
    """A Report that nobody reads."""


def _free_bytes() -> int:
    """Memory that can be taken without swapping, also inside a container with a limit (cgroup v2)."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        return free if limit == "max" else min(free, int(limit) - used)
    except (OSError, ValueError):
        return free
