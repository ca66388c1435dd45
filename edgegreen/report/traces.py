"""The series behind a measurement as sparklines: call times, their spread, power, clocks, temperatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from edgegreen.errors import InputError
from edgegreen.history.series import Array, Levels, Series, SeriesOf
from edgegreen.measurement import Measurement
from edgegreen.report import fitting, sparkline, words

WIDTHS = 8, 40
WORDS_WIDTH = 50  # what stands before and behind a line
MOST = 3  # lines of one kind: those that changed most
SPREAD = 99.0  # percentile at which a distribution ends, for the few beyond would flatten it
NAMES_WIDTH = 16
EXPLAINED = (
    "calls: medians of slices of the run, in order; spread: how the call times are distributed, up to p99; "
    "a line's bars begin at its least value and span a tenth of its largest or more"
)


def facts(series: SeriesOf, item: Measurement, room: int) -> dict[str, Iterator[str]]:
    """Lines to draw for a measurement, at most about `room` columns wide each.

    Empty when no series are kept. One that cannot be read is told, and costs its own lines only.
    """
    try:
        kept = series(item)
    except InputError as error:
        return {"series": iter([f"{words.ABSENT} {error}"])}
    return drawn(kept, max(WIDTHS[0], min(room - WORDS_WIDTH, WIDTHS[1]))) if kept else {}


def drawn(kept: Series, width: int) -> dict[str, Iterator[str]]:
    """Lines of each kind, the sparklines `width` characters long."""
    return {
        "calls": _calls(kept, width),
        "spread": _spread(kept.invoke_ns / 1e6, width),
        "watts": _power(kept, width),
        "clock": _levels(kept.frequency_mhz, "MHz", width),
        "°C": _levels(kept.temperature_c, "°C", width),
    }


def _calls(kept: Series, width: int) -> Iterator[str]:
    """Medians, in the order of the calls: a drift or a throttled board is seen as a step or a slope."""
    if kept.invoke_ns.size:
        found = sparkline.medians(kept.invoke_ns / 1e6, width)
        yield f"{sparkline.line(found)}  {_range(found, 'ms')}, {kept.invoke_ns.size:,} calls"


def _spread(times_ms: Array, width: int) -> Iterator[str]:
    """How the call times are distributed, without the slowest in a hundred."""
    if times_ms.size:
        low, end, most = (float(value) for value in np.percentile(times_ms, (0, SPREAD, 100)))
        if end > low:
            bars = sparkline.histogram(times_ms, width, low, end)
            yield f"{bars}  {words.number(low)} to {words.number(end)} ms, slowest {words.number(most)}"


def _power(kept: Series, width: int) -> Iterator[str]:
    """The meter's trace, and below it when the model ran."""
    if kept.power_t_ns.size < 2:
        return
    count = min(width, len(kept.power_t_ns))
    edges = np.linspace(kept.power_t_ns[0], kept.power_t_ns[-1], count + 1)
    found = sparkline.means(kept.power_t_ns, kept.power_w, edges)
    seconds = (kept.power_t_ns[-1] - kept.power_t_ns[0]) / 1e9
    yield f"{sparkline.line(found)}  {_range(found, 'W')} over {words.duration(seconds)}"
    if "active" in kept.windows:
        start, end = kept.windows["active"]
        ran = (edges[1:] > start) & (edges[:-1] < end)
        yield f"{''.join('─' if one else ' ' for one in ran)}  while the model ran"


def _levels(levels: Levels, unit: str, width: int) -> Iterator[str]:
    """A line for each quantity, alike ones together, those that changed most first."""
    if levels.t_ns.size < 2:
        return
    count = min(width, len(levels.t_ns))
    edges = np.linspace(levels.t_ns[0], levels.t_ns[-1], count + 1)
    lines = _alike({name: sparkline.means(levels.t_ns, told, edges) for name, told in levels.values.items()})
    ordered = sorted(lines.items(), key=lambda item: -np.ptp(item[1][np.isfinite(item[1])]))
    for names, found in ordered[:MOST]:
        yield f"{sparkline.line(found)}  {_range(found, unit)}, {fitting.cut(names, NAMES_WIDTH)}"
    if len(ordered) > MOST:
        yield f"and {len(ordered) - MOST} that changed less"


def _alike(found: Mapping[str, Array]) -> dict[str, Array]:
    """Those with something told; under the first and last name of those that read the same."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, values in found.items():
        if np.isfinite(values).any():
            groups.setdefault(tuple(f"{value:.4g}" for value in values), []).append(name)
    return {
        names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}": found[names[0]]
        for names in groups.values()
    }


def _range(values: Array, unit: str) -> str:
    told = values[np.isfinite(values)]
    low, high = (words.number(float(value)) for value in (told.min(), told.max()))
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
