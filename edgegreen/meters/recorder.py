"""Reads a meter in a thread of its own, from `start` to `stop`, and never lets it keep the trial waiting.

Whatever the meter does, `start` and `stop` come back in a bounded time: a thread that hangs in a meter is
left behind, and what it had read so far is the record.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.sampler import RECORD as PACKED
from edgegreen.agent.sampler import Summary
from edgegreen.agent.wire import one_line
from edgegreen.meters.base import Clock, Meter
from edgegreen.meters.record import RECORD

START_S = 15.0  # for the first reading
STOP_S = 10.0  # longer than any meter may need for a reading
MAX_BYTES = 200_000_000  # 10 million readings
MAX_TOOK_NS = 0xFFFFFFFF


@dataclass(frozen=True)
class Recorded:
    """What was read: `about` None and `why` not, where nothing could be. Times are by the meter's `clock`."""

    about: About | None
    why: str
    clock: Clock
    readings: NDArray[Any]
    summary: Summary | None
    troubles: tuple[str, ...]


class Recorder:
    """Opens a meter by `open_`, reads it, closes it. For one recording."""

    def __init__(self, open_: Callable[[], Meter]) -> None:
        self._open = open_
        self._packed = bytearray()
        self._meter: Meter | None = None
        self._why = "the meter did not answer"
        self._summary: Summary | None = None
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="meter")

    def start(self, timeout_s: float = START_S) -> None:
        """Begin; comes back after the first reading, or when there will be none."""
        self._thread.start()
        if not self._ready.wait(timeout_s):
            self._why = f"the meter did not answer in {timeout_s:g} s"
            self._over.set()

    def stop(self, timeout_s: float = STOP_S) -> Recorded:
        """End, and give what was read. Idempotent."""
        self._over.set()
        self._thread.join(timeout_s)
        meter, summary = self._meter, self._summary
        readings = np.frombuffer(bytes(self._packed), RECORD)
        if meter is None:
            return Recorded(None, self._why, "monotonic", readings, None, ())
        troubles = []
        if self._thread.is_alive():
            troubles.append(f"the meter hangs: no end to its last reading in {timeout_s:g} s")
        if summary is not None and summary.error:
            troubles.append(summary.error)
        return Recorded(meter.about, self._why, meter.clock, readings, summary, tuple(troubles))

    def _work(self) -> None:
        try:
            meter = self._open()
            try:
                self._record(meter)
            finally:
                meter.close()
        except Unreadable as error:
            self._why = one_line(str(error))
        except Exception as error:  # whatever a meter's own package raises costs the energy, not the trial
            self._why = one_line(f"the meter failed: {type(error).__name__}: {error}")
        finally:
            self._ready.set()

    def _record(self, meter: Meter) -> None:
        level_w = meter.first()
        if self._over.is_set():
            return
        about = meter.about
        what = f"{about.source}, {about.rail} ({about.scope})"
        self._why = f"{about.kind}, as asked: {what}; {level_w:.4g} W at the start"
        self._meter = meter
        self._ready.set()
        self._summary = meter.record(self._keep, lambda seconds: not self._over.wait(seconds))

    def _keep(self, t_ns: int, took_ns: int, level_w: float) -> None:
        if len(self._packed) < MAX_BYTES:
            self._packed += PACKED.pack(t_ns, min(took_ns, MAX_TOOK_NS), level_w)
