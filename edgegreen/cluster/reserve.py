"""Workers that wait on a cluster's machine for the next task, so that not each has to import TensorFlow.

Knows nothing of Dask: whoever has one (`standby.py`) calls `sweep` now and then, and `close` at the end. When
nobody can do so any more, each worker notices by itself that its parent is gone (`workers/process.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from edgegreen.workers.room import TENSORFLOW_BYTES, TOOLS_BYTES
from edgegreen.workers.worker import Lane, WorkerProcess

IDLE_S = 300.0
# What a library leaks is given back now and then.
JOBS_MAX = 50
RESIDENT_MAX_BYTES: dict[Lane, int] = {"tensorflow": 2 * TENSORFLOW_BYTES, "tools": 2 * TOOLS_BYTES}


class Reserve:
    """A `Depot` with logs in `folder`. Threads may share it.

    It starts none, so no more wait than have been at work at once.
    """

    def __init__(self, folder: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._clock_s = folder, clock_s
        self._waiting: list[tuple[float, WorkerProcess]] = []
        self._lock, self._closed = Lock(), False

    def take(self, lane: Lane) -> WorkerProcess | None:
        """See `Depot`. The one that waits for the shortest time, so that others come to stand idle."""
        with self._lock:
            for index in reversed(range(len(self._waiting))):
                if self._waiting[index][1].lane == lane:
                    _, worker = self._waiting.pop(index)
                    if worker.resident_bytes:
                        return worker
                    worker.end()
        return None

    def keep(self, worker: WorkerProcess) -> None:
        """See `Depot`. Kept is what did its jobs well, did not do too many, and has not grown too large."""
        fit = not worker.spent and worker.jobs < JOBS_MAX
        fit = fit and 0 < worker.resident_bytes < RESIDENT_MAX_BYTES[worker.lane]
        with self._lock:
            if fit and not self._closed:
                self._waiting.append((self._clock_s(), worker))
                return
        worker.end()

    def sweep(self) -> None:
        """End those that nobody has wanted for IDLE_S."""
        with self._lock:
            since_s = self._clock_s() - IDLE_S
            old = [worker for at_s, worker in self._waiting if at_s <= since_s]
            self._waiting = [one for one in self._waiting if one[0] > since_s]
        for worker in old:
            worker.end()

    def close(self) -> None:
        """End all that wait, and from now on whatever is brought back. Idempotent."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, []
        for _, worker in waiting:
            worker.end()
