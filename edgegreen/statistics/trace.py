"""What a meter saw: readings of power, or of an energy counter, made into one series of mean powers.

What cannot be believed at all (a window with holes, a meter that stands still, clocks that run
backwards) raises Unusable with the reason in words. The statistics are in `energy`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GAP_PERIODS = 5  # readings further apart than this, and than two updates, leave a gap
MISSING_MAX = 0.05  # share of a window lost in gaps; above it there is no number
STUCK_STEPS = 3  # standing still is suspicious only in a meter whose readings jump by so many steps
STUCK_CHANCE = 1e-6  # and when it would do so by chance less often than this

Floats = NDArray[np.float64]


class Unusable(Exception):
    """No figure can be had from this trace; the message says why, in words for the user."""


@dataclass(frozen=True)
class Meter:
    """What is known of a meter; what is not is None.

    The sampler was to read it every `period_s`. A reading is the mean over the `averaging_s` before the
    meter's last update (0: instantaneous), which comes every `update_s`. `resolution_w` is the step between
    two possible readings. `alignment_s` bounds how far the meter's clock may be from that of the windows:
    half the round trip for a meter the host reads, 0 for one on the board.
    """

    source: str
    rail: str | None
    scope: str
    period_s: float
    averaging_s: float | None = None
    update_s: float | None = None
    resolution_w: float | None = None
    alignment_s: float = 0.0

    @property
    def separation_s(self) -> float:
        """Readings closer together than this have something in common."""
        return max(self.averaging_s or 0.0, self.update_s or 0.0)

    @property
    def memory_s(self) -> float:
        """How far back a reading reaches: its averaging time, and what has passed since the last update.

        One that is not known is taken to be as long as the other; of neither, as the period.
        """
        known = [time_s for time_s in (self.averaging_s, self.update_s) if time_s is not None]
        return sum(known) if len(known) == 2 else 2 * (known[0] if known else self.period_s)

    @property
    def gap_s(self) -> float:
        """Readings further apart than this leave a gap."""
        return max(GAP_PERIODS * self.period_s, 2 * self.separation_s)


@dataclass(frozen=True)
class Readings:
    """Readings of power (W) and when they were taken; NaN where one failed."""

    t_ns: NDArray[Any]
    power_w: NDArray[Any]


@dataclass(frozen=True)
class Counter:
    """Readings of an energy counter (J) and when they were taken; NaN where one failed.

    It counts in steps of `resolution_j`; None when not known. It starts again from 0 at `range_j`; None
    when it never does.
    """

    t_ns: NDArray[Any]
    energy_j: NDArray[Any]
    resolution_j: float | None = None
    range_j: float | None = None


@dataclass(frozen=True)
class Window:
    """A stretch of time, on the clock of the readings but for the meter's `alignment_s`."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        if self.end_ns <= self.start_ns:
            raise ValueError(f"a window ends after it starts, unlike {self}")

    @property
    def duration_s(self) -> float:
        """Its length."""
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True)
class Stretch:
    """The part of a trace that speaks of one window: mean powers over short times, one after another.

    `power_w` is the mean over `width_s` around `middle_s` (seconds since the trace began), all of shape
    (n − 1,) less the gaps; `missing` is the share of the window lost in those. `readings_w` are the n
    readings themselves, empty for a counter.
    """

    middle_s: Floats
    width_s: Floats
    power_w: Floats
    readings_w: Floats
    n: int
    missing: float


@dataclass(frozen=True)
class Trace:
    """A meter's whole record, in order, with time in seconds since its first reading.

    `power_w` is the mean between neighbouring readings, shape (n − 1,). `step_w` is the meter's
    resolution, the smallest step seen when that is not known; `step_j` a counter's. The other one is 0.
    """

    meter: Meter
    origin_ns: int
    t_s: Floats
    power_w: Floats
    readings_w: Floats
    step_w: float
    step_j: float

    def within(self, window: Window, name: str) -> Stretch:
        """What the trace says of `window`, called `name` in messages. Raises Unusable.

        The meter's memory is left out at the start, and what its clock may be off by at either end: what
        remains speaks of nothing but the window.
        """
        meter = self.meter
        start_s = (window.start_ns - self.origin_ns) / 1e9 + meter.memory_s + meter.alignment_s
        end_s = (window.end_ns - self.origin_ns) / 1e9 - meter.alignment_s
        low, high = np.searchsorted(self.t_s, (start_s, end_s)).tolist()
        if end_s <= start_s or high - low < 2:
            raise Unusable(f"too few readings of {name}: {max(0, high - low)} that speak of nothing else")
        between_s = np.diff(self.t_s[low:high], prepend=start_s, append=end_s)
        gaps_s = between_s[between_s > meter.gap_s]
        missing = float(gaps_s.sum() / (end_s - start_s))
        if missing > MISSING_MAX:
            raise Unusable(
                f"{100 * missing:.0f} % of {name} has no readings: the longest gap is {gaps_s.max():.1f} s, "
                f"and the sampler was to read every {meter.period_s:.3g} s"
            )
        readings_w = self.readings_w[low:high]
        if len(readings_w):
            _refuse_stuck(self.t_s[low:high], readings_w, self.step_w, meter.gap_s, name)
        t_s, power_w = self.t_s[low:high], self.power_w[low : high - 1]
        kept = np.diff(t_s) <= meter.gap_s
        middle_s = (t_s[1:] + t_s[:-1]) / 2
        return Stretch(middle_s[kept], np.diff(t_s)[kept], power_w[kept], readings_w, high - low, missing)


def read(seen: Readings | Counter, meter: Meter) -> Trace:
    """Put a record in order. Raises Unusable.

    Between two readings of power stands the mean of the two (the trapezoid rule); between two of a
    counter their difference over the time, which is exact.
    """
    t_ns, values = _in_order(seen.t_ns, seen.energy_j if isinstance(seen, Counter) else seen.power_w)
    if len(t_ns) < 2:
        raise Unusable("the meter gave no readings" if len(t_ns) == 0 else "the meter gave one reading only")
    t_s = (t_ns - t_ns[0]) / 1e9
    if isinstance(seen, Counter):
        advance_j = _advance(values, seen.range_j)
        step_j = _step(np.append(advance_j, 0.0)) if seen.resolution_j is None else seen.resolution_j
        _refuse_still_counter(t_s, advance_j, step_j, meter.gap_s)
        return Trace(meter, int(t_ns[0]), t_s, advance_j / np.diff(t_s), np.empty(0), 0.0, step_j)
    if values.min() == values.max():
        raise Unusable(f"the meter never moved: it read {values[0]:.3f} W all the time")
    step_w = _step(values) if meter.resolution_w is None else meter.resolution_w
    return Trace(meter, int(t_ns[0]), t_s, (values[1:] + values[:-1]) / 2, values, step_w, 0.0)


def _in_order(t_ns: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[np.int64], Floats]:
    """Without what is not a number; of readings with one timestamp the first."""
    levels = values.astype(np.float64)
    known = np.isfinite(levels)
    times, levels = t_ns[known].astype(np.int64), levels[known]
    later = np.diff(times, prepend=times[:1] - 1)
    if (later < 0).any():
        raise Unusable("the meter's timestamps run backwards")
    return times[later > 0], levels[later > 0]


def _step(values: Floats) -> float:
    """The smallest step between values, of a millionth (of a watt, of a joule) at least."""
    levels = np.unique(values.round(6))
    return float(np.diff(levels).min()) if len(levels) > 1 else 0.0


def _advance(energy_j: Floats, range_j: float | None) -> Floats:
    """What a counter counted between readings, its wrap-around undone."""
    advance_j = np.diff(energy_j)
    if range_j is not None:
        advance_j = np.where(advance_j < 0, advance_j + range_j, advance_j)
    if (advance_j < 0).any() or (range_j is not None and (advance_j > range_j / 2).any()):
        raise Unusable("the energy counter was reset, or wrapped more than once between two readings")
    return advance_j


def _refuse_still_counter(t_s: Floats, advance_j: Floats, resolution_j: float, gap_s: float) -> None:
    """Raise Unusable when the counter stood still while it should have advanced by several steps."""
    power_w = float(advance_j.sum() / (t_s[-1] - t_s[0]))
    starts, ends = _runs(advance_j)
    still_s = np.where(advance_j[starts] == 0, t_s[ends] - t_s[starts], 0.0).max()
    if power_w == 0 or (still_s > gap_s and still_s * power_w > STUCK_STEPS * resolution_j):
        raise Unusable(f"the energy counter stood still for {still_s:.1f} s")


def _refuse_stuck(t_s: Floats, readings_w: Floats, step_w: float, gap_s: float, name: str) -> None:
    """Raise Unusable when readings that jump about stop doing so.

    The chance that n readings of which a share r differ from the one before hold still k times in a row
    is below n·(1 − r)^k. A meter with steps as coarse as its noise may well show one value for long.
    """
    starts, ends = _runs(readings_w)
    if len(starts) == 1:
        return
    longest = int(np.argmax(ends - starts))
    length = int(ends[longest] - starts[longest])
    elsewhere = len(readings_w) - length
    jump_w = np.median(np.abs(np.diff(readings_w[starts])))
    chance = len(readings_w) * (1 - (len(starts) - 1) / (elsewhere + 1)) ** (length - 1)
    still_s = t_s[ends[longest] - 1] - t_s[starts[longest]]
    if still_s > gap_s and chance < STUCK_CHANCE and jump_w >= STUCK_STEPS * step_w:
        level_w = readings_w[starts[longest]]
        raise Unusable(f"the meter stood still at {level_w:.3f} W for {still_s:.1f} s of {name}")


def _runs(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs of equal values start, and where they end (exclusive)."""
    edges = np.flatnonzero(np.diff(values)) + 1
    return np.concatenate(([0], edges)), np.concatenate((edges, [len(values)]))
