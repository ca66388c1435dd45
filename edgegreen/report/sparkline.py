"""Numbers as a line of small bars. Pure; what is drawn is text, one character a value.

The bars' scale is never narrower than a tenth of the largest value: what is steady looks steady.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BARS = "▁▂▃▄▅▆▇█"
NARROWEST = 0.1  # of the largest value

Array = NDArray[Any]


def line(values: Array) -> str:
    """A bar for each value; a space where one is NaN."""
    told = values[np.isfinite(values)]
    if not told.size:
        return " " * len(values)
    low, high = float(told.min()), float(told.max())
    span = max(high - low, NARROWEST * max(abs(low), abs(high)))
    return "".join(
        " " if not np.isfinite(one) else _bar((one - low) / span if span else 0.0) for one in values
    )


def histogram(values: Array, width: int, low: float, high: float) -> str:
    """How many values are in each of `width` equal steps from `low` to `high`; a space where none is."""
    counts, _ = np.histogram(values, bins=width, range=(low, high))
    most = max(int(counts.max()), 1)
    return "".join(_bar(count / most) if count else " " for count in counts)


def medians(values: Array, width: int) -> Array:
    """The median of each of `width` slices, in order; the values themselves where there are fewer."""
    slices = np.array_split(values, min(width, len(values)) or 1)
    return np.array([np.median(part) for part in slices if part.size])


def means(t_ns: Array, values: Array, edges_ns: Array) -> Array:
    """The mean of what was read between each two edges; NaN where nothing was."""
    told = np.isfinite(values)
    counts, _ = np.histogram(t_ns[told], bins=edges_ns)
    sums, _ = np.histogram(t_ns[told], bins=edges_ns, weights=values[told])
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _bar(share: float) -> str:
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]
