"""Ratios with their intervals as small bars around 1, all of a table to one scale. Pure.

The scale is that of logarithms: a half is as far from 1 as a double.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

LEAST, MOST = math.log(1.05), math.log(2.0)  # to either side of 1
Interval = tuple[float, float]


def reach(intervals: Iterable[Interval]) -> float:
    """How far the bars go to either side, as a logarithm: so far that all fit, but within LEAST and MOST."""
    ends = [abs(math.log(end)) for interval in intervals for end in interval if 0 < end < math.inf]
    return min(max([LEAST, *ends]), MOST)


def heading(width: int, to: float) -> str:
    """`0.95  1  1.05`, as wide as the bars."""
    low, high = f"{math.exp(-to):.2f}", f"{math.exp(to):.2f}"
    return f"{low}{'1':^{width - len(low) - len(high)}}{high}"


def bar(ratio: float, interval: Interval, width: int, to: float) -> str:
    """The interval as a line, the ratio as a point on it, 1 as a thin mark; `‹` and `›` where it goes on."""
    half = width // 2
    low, point, high = (_cell(value, half, to) for value in (interval[0], ratio, interval[1]))
    cells = ["│" if at == 0 else "━" if low <= at <= high else " " for at in range(-half, half + 1)]
    if low < -half:
        cells[0] = "‹"
    if high > half:
        cells[-1] = "›"
    if -half <= point <= half:
        cells[point + half] = "●"
    return "".join(cells)


def _cell(value: float, half: int, to: float) -> int:
    """The place of a ratio, 0 in the middle; one beyond the last cell for all that is further."""
    place = math.log(value) / to * half if value > 0 else -math.inf
    return round(max(-half - 1.0, min(place, half + 1.0)))
