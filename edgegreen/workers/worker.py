"""A worker as its pool sees it: one process (`process.py`), its log, and the pipe to it."""

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
from threading import Event
from typing import Any, Literal

import psutil

from edgegreen.agent.runtimes import onnxruntime
from edgegreen.errors import ConversionError
from edgegreen.workers.report import LOG_TAIL_BYTES, Report, tail
from edgegreen.workers.room import free_bytes

Lane = Literal["tensorflow", "tools"]
# Quiet libraries that take no GPU, and none of our own sys.path lost. TensorFlow cuts sums by its number of
# threads: with the same number everywhere a training comes out the same, however many cores there are.
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_NUM_INTRAOP_THREADS": "4",
    "CUDA_VISIBLE_DEVICES": "-1",
    "PYTHONWARNINGS": "ignore",
    **onnxruntime.QUIET,  # workers import it by name, beforehand
}


class WorkerProcess:
    """One process and the pipe to it. Used by one thread at a time; `kill` by any.

    `busy` from the start of a job until its answer is here: for good, when there never is one. `jobs` were
    begun; `spent` once the process may not be what a fresh one is.
    """

    def __init__(self, lane: Lane, log: Path, modules: Sequence[str]) -> None:
        self.lane, self.log = lane, log
        self.busy, self.jobs, self.spent = False, 0, False
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
        self.jobs += 1
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
                self.spent |= kind == "failed"
                raise content[0] if kind == "refused" else ConversionError(content[0] + self._said(logged))
        except (EOFError, ConnectionError) as error:
            if not stop.is_set():
                raise self._died(logged) from error
        raise CancelledError

    @property
    def resident_bytes(self) -> int:
        """What it holds of memory; 0 once it has ended."""
        if self._process.poll() is not None:
            return 0
        return int(psutil.Process(self._process.pid).memory_info().rss)  # a zombie at worst: 0

    def kill(self) -> None:
        """End the process now, whatever it does. Idempotent."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Kill it, and remove its log: nothing more is going to be said of it. Idempotent."""
        self.kill()
        self.log.unlink(missing_ok=True)

    def _died(self, logged: int) -> ConversionError:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            free_mb = free_bytes() >> 20
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
