"""A meter that tells its power when it is asked, read in the rhythm of the board's own sampler."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from edgegreen.agent import sampler
from edgegreen.agent.meters.base import Meter as Reader
from edgegreen.agent.sampler import Summary
from edgegreen.meters.base import Clock, Keep, Wait


class Asked:
    """A meter made of something with `read`, which is asked every `period_s` (see `sampler.sample`)."""

    clock: Clock = "monotonic"

    def __init__(self, reader: Reader, period_s: float) -> None:
        self.about, self._reader, self._period_s = reader.about, reader, period_s

    def first(self) -> float:
        """Watts. Raises Unreadable."""
        return self._reader.read()

    def record(self, keep: Keep, wait: Wait) -> Summary:
        """Ask until it is time to end."""

        def emit(_event: str, *, n: int, data: str) -> None:
            for reading in sampler.unpack(n, data):
                keep(*reading)

        return of_this_thread(lambda: sampler.sample(self._reader, self._period_s, emit, wait))

    def close(self) -> None:
        """Let go of it."""
        self._reader.close()


def of_this_thread(work: Callable[[], Summary]) -> Summary:
    """`work`'s summary with the CPU time of this thread: that of the process is edgegreen's own doings."""
    cpu_s = time.thread_time()
    summary = work()
    return replace(summary, cpu_s=time.thread_time() - cpu_s)
