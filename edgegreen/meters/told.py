"""A meter that tells its power by itself, at its own pace: whoever hears it hands the readings over here."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.sampler import GAP_PERIODS_AT_RANDOM, GAPS_KEPT, Summary
from edgegreen.meters.base import Clock, Keep, Wait

LOOK_S = 0.1


@dataclass(frozen=True)
class Said:
    """One reading (W, NaN where it could not be understood), or, with `error` and no time, the end."""

    t_ns: int
    watts: float
    error: str = ""


class Told:
    """A meter whose readings come in by `say`, from any thread.

    `stop` ends whatever calls it. The first reading has to come in `first_s`; `silent` is a hint where not.
    """

    def __init__(
        self,
        about: About,
        stop: Callable[[], None],
        *,
        clock: Clock = "monotonic",
        first_s: float,
        silent: str = "is it switched on?",
    ) -> None:
        self.about, self.clock = about, clock
        self._stop, self._first_s, self._silent = stop, first_s, silent
        self._said: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self._early: list[Said] = []
        self._end = ""

    def say(self, t_ns: int, watts: float, error: str = "") -> None:
        """Hand over a reading; NaN and why, where one could not be understood."""
        self._said.put(Said(t_ns, watts, error))

    def end(self, why: str) -> None:
        """Say that no more readings come."""
        self._end = why
        self._said.put(None)

    def first(self) -> float:
        """Watts. Raises Unreadable."""
        deadline = time.monotonic() + self._first_s
        error = ""
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                said = self._said.get(timeout=left_s)
            except queue.Empty:
                break
            if said is None:
                raise Unreadable("; ".join(filter(None, (self._end, error))))
            if math.isfinite(said.watts):
                self._early.append(said)
                return said.watts
            error = said.error
        raise (
            Unreadable(error)
            if error
            else Unreadable(f"no reading came in {self._first_s:g} s from {self.about.source}", self._silent)
        )

    def record(self, keep: Keep, wait: Wait) -> Summary:
        """Pass on what comes until it is time to end, or nothing more comes."""
        start_ns, cpu_s = time.monotonic_ns(), time.thread_time()
        times_ns: list[int] = []
        summary = Summary(period_s=0.0)
        going_on = True
        while going_on:
            going_on = wait(LOOK_S) and not self._end
            for said in self._heard():
                summary.n += 1
                if math.isfinite(said.watts):
                    times_ns.append(said.t_ns)
                else:
                    summary.failed, summary.error = summary.failed + 1, said.error
                keep(said.t_ns, 0, said.watts)
        summary.error = self._end or summary.error
        summary.wall_s = (time.monotonic_ns() - start_ns) / 1e9
        _note_pace(summary, times_ns)
        summary.cpu_s = time.thread_time() - cpu_s
        return summary

    def close(self) -> None:
        """End what tells the readings."""
        self._stop()

    def _heard(self) -> list[Said]:
        heard, self._early = self._early, []
        while True:
            try:
                said = self._said.get_nowait()
            except queue.Empty:
                return heard
            if said is not None:
                heard.append(said)


def _note_pace(summary: Summary, times_ns: list[int]) -> None:
    """The period that its readings keep, and where they did not."""
    apart_ns = np.diff(np.array(times_ns, dtype=np.int64)).astype(np.float64)
    later_ns = apart_ns[apart_ns > 0]
    if not len(later_ns):
        return
    summary.period_s = float(np.median(later_ns)) / 1e9
    gaps = np.flatnonzero(apart_ns > GAP_PERIODS_AT_RANDOM * summary.period_s * 1e9)
    summary.gap_count = len(gaps)
    summary.longest_gap_s = float(apart_ns[gaps].max()) / 1e9 if len(gaps) else 0.0
    summary.gaps = [[times_ns[at], times_ns[at + 1]] for at in gaps[:GAPS_KEPT].tolist()]
