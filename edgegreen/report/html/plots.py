"""Series made small enough to be drawn, without losing what one looks for: spikes stay. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.history.series import Levels, Series

Array = NDArray[Any]
Point = tuple[float, float]

BARS = 60
DRAWN = 1.05  # of the way from the shortest call to p99: a few that took long would make one bar of the rest
LINES_MAX = 8  # clocks, or zones, in one plot
WINDOWS = {"idle_before": "idle", "active": "the model runs", "idle_after": "idle"}


@dataclass(frozen=True)
class Calls:
    """How long single calls took: `counts` of bars of equal width from `low_ms` to `high_ms`.

    `beyond` calls took longer than `high_ms`, the longest `longest_ms`.
    """

    low_ms: float
    high_ms: float
    counts: tuple[int, ...]
    beyond: int
    longest_ms: float


@dataclass(frozen=True)
class Line:
    """A quantity over time: (seconds since the timed window began, value)."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Window:
    """A part of the time: its edges in seconds since the timed window began."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Plots:
    """What there is to draw of one row; empty where nothing was kept. `left_out` names what had no room."""

    calls: Calls | None
    windows: tuple[Window, ...]
    power_w: tuple[Line, ...]
    temperature_c: tuple[Line, ...]
    clock_mhz: tuple[Line, ...]
    left_out: tuple[str, ...]


def of(series: Series, bins: int) -> Plots:
    """The plots of one row, of at most 2 · `bins` points a line."""
    zero_ns = _zero(series)
    windows = tuple(
        Window(WINDOWS.get(name, name), _seconds(start, zero_ns), _seconds(end, zero_ns))
        for name, (start, end) in series.windows.items()
    )
    power = thinned(series.power_t_ns, series.power_w, zero_ns, bins)
    levels = {
        "temperature": list(_lines(series.temperature_c, zero_ns, bins)),
        "clock": list(_lines(series.frequency_mhz, zero_ns, bins)),
    }
    return Plots(
        calls=calls(series.invoke_ns),
        windows=windows,
        power_w=(Line("power", power),) if power else (),
        temperature_c=tuple(levels["temperature"][:LINES_MAX]),
        clock_mhz=tuple(levels["clock"][:LINES_MAX]),
        left_out=tuple(f"{what} {one.name}" for what, all_ in levels.items() for one in all_[LINES_MAX:]),
    )


def calls(invoke_ns: Array) -> Calls | None:
    """The distribution of call times; None without any."""
    if not len(invoke_ns):
        return None
    times_ms = invoke_ns / 1e6
    low, high = float(times_ms.min()), float(np.percentile(times_ms, 99))
    high = min(low + DRAWN * (high - low), float(times_ms.max()))
    if not high > low:  # a clock that is too coarse: all in one bar
        low, high = low * 0.999, high * 1.001
    counts, _ = np.histogram(times_ms, BARS, (low, high))
    longest = float(times_ms.max())
    return Calls(_digits(low), _digits(high), tuple(counts.tolist()), int((times_ms > high).sum()), longest)


def thinned(t_ns: Array, values: Array, zero_ns: int, bins: int) -> tuple[Point, ...]:
    """At most 2 · `bins` of the points, in order: the lowest and highest of each bin. NaN are left out."""
    told = np.isfinite(values)
    t_ns, values = t_ns[told], values[told]
    if len(values) > 2 * bins:
        kept: set[int] = set()
        for part in np.array_split(np.arange(len(values)), bins):
            kept |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
        at = sorted(kept)
        t_ns, values = t_ns[at], values[at]
    return tuple((_seconds(int(t), zero_ns), _digits(float(v))) for t, v in zip(t_ns, values, strict=True))


def _lines(levels: Levels, zero_ns: int, bins: int) -> Iterator[Line]:
    """One line for each name, those that are alike all the time together as one."""
    alike: dict[tuple[Point, ...], list[str]] = {}
    for name, values in levels.values.items():
        if points := thinned(levels.t_ns, values, zero_ns, bins):
            alike.setdefault(points, []).append(name)
    for points, names in alike.items():
        yield Line(", ".join(names), points)


def _zero(series: Series) -> int:
    """When the timed window began; without one, the first thing that is known."""
    if "active" in series.windows:
        return series.windows["active"][0]
    first = [
        int(t[0]) for t in (series.power_t_ns, series.temperature_c.t_ns, series.frequency_mhz.t_ns) if len(t)
    ]
    return min(first, default=0)


def _seconds(t_ns: int, zero_ns: int) -> float:
    return round((t_ns - zero_ns) / 1e9, 4)


def _digits(value: float) -> float:
    """Five digits, which is more than a plot can show."""
    return float(f"{value:.5g}")
