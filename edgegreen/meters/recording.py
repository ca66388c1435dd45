"""A meter that the host reads, around one trial: its record is put on the board's clock, and its bound told.

Two clocks may lie between a reading and the windows of a trial: the one a program stamps its lines with
(the machine's wall clock) and this machine's monotonic one; this one and the board's. Each pair is laid side
by side by exchanges right before and right after the trial (`statistics.clocks`); the bounds add up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.sampler import Summary
from edgegreen.config.meterkeys import HostMeter
from edgegreen.errors import EdgegreenError
from edgegreen.meters import METERS
from edgegreen.meters.record import Record
from edgegreen.meters.recorder import Recorded, Recorder
from edgegreen.statistics import clocks
from edgegreen.statistics.clocks import Alignment, Exchange
from edgegreen.statistics.trace import Unusable

EXCHANGES = 10

AskClock = Callable[[], Exchange]


class Recording:
    """Reads a meter from `start` on. `ask_board` makes an exchange with the board's monotonic clock."""

    def __init__(self, keys: HostMeter, ask_board: AskClock) -> None:
        self._recorder = Recorder(lambda: METERS[keys.meter](keys))
        self._ask_board = ask_board
        self._before: tuple[Exchange, Exchange] | None = None

    def start(self) -> None:
        """Begin; a meter that cannot be read only shows in the record."""
        self._recorder.start()
        self._before = self._exchanges()

    def finish(self) -> Record:
        """End, and give the record on the board's clock; a board gone by now costs the energy alone."""
        assert self._before
        try:
            after = self._exchanges()
        except EdgegreenError as error:
            return Record.none("host", f"the board did not tell its clock after the trial: {error.message}")
        finally:
            recorded = self._recorder.stop()
        if recorded.about is None:
            return Record.none("host", recorded.why)
        try:
            board = clocks.align(self._before[0], after[0], "the board's")
            stamped = recorded.clock == "unix"
            wall = clocks.align(self._before[1], after[1], "this machine's wall") if stamped else None
        except Unusable as error:
            return Record.none("host", str(error))
        return _on_board(recorded, board, wall)

    def cancel(self) -> None:
        """End, whatever has been read. Idempotent."""
        self._recorder.stop()

    def _exchanges(self) -> tuple[Exchange, Exchange]:
        """With the board's clock, and with this machine's wall clock."""
        return (
            clocks.closest(self._ask_board() for _ in range(EXCHANGES)),
            clocks.closest(_ask_wall() for _ in range(EXCHANGES)),
        )


def _ask_wall() -> Exchange:
    return Exchange(time.monotonic_ns(), time.time_ns(), time.monotonic_ns())


def _on_board(recorded: Recorded, board: Alignment, wall: Alignment | None) -> Record:
    """The record, its times moved to the board's clock; each reading was taken at some time in `took_ns`."""

    def moved(t_ns: NDArray[Any]) -> NDArray[np.int64]:
        return board.there(wall.ours(t_ns) if wall else t_ns)

    readings = recorded.readings.copy()
    readings["t_ns"] = moved(readings["t_ns"])
    summary = recorded.summary
    if summary is not None:
        summary = replace(summary, gaps=[_edges(moved, gap) for gap in summary.gaps])
    took_s = float(np.median(readings["took_ns"])) / 1e9 if len(readings) else 0.0
    return Record(
        read_on="host",
        about=recorded.about,
        why=recorded.why,
        period_s=_period_s(summary, readings),
        alignment_s=(board.bound_ns + (wall.bound_ns if wall else 0)) / 1e9 + took_s / 2,
        readings=readings,
        summary=summary,
        troubles=recorded.troubles,
    )


def _edges(moved: Callable[[NDArray[Any]], NDArray[np.int64]], gap: list[int]) -> list[int]:
    start_ns, end_ns = moved(np.array(gap, dtype=np.int64)).tolist()
    return [start_ns, end_ns]


def _period_s(summary: Summary | None, readings: NDArray[Any]) -> float:
    """What the meter was read in, or told in; of one that hung, what its readings show."""
    if summary is not None and summary.period_s:
        return summary.period_s
    apart_ns = np.diff(readings["t_ns"])
    return float(np.median(apart_ns[apart_ns > 0])) / 1e9 if (apart_ns > 0).any() else 1.0
