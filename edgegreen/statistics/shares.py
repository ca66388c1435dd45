"""How two shares differ, such as hits among samples: with a 95 % interval, and what would be seen. Pure.

Either of two independent samples (`gap`), or of the same ones (`paired_gap`), which is narrower: how sure the
difference is then hangs on the few where the two part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegreen.measurement import Z_975

Z_800 = 0.842  # the chance at which a difference counts as detectable, as in ratio.py


@dataclass(frozen=True)
class Share:
    """`value` (0 … 1) of `n`, at least one."""

    value: float
    n: int


@dataclass(frozen=True)
class Table:
    """How the same samples fell twice, at least one: hits both times, before only, after only, neither."""

    both: int
    lost: int
    gained: int
    neither: int

    @classmethod
    def of(cls, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Table:
        """From what either says of each sample, in the same order; both of shape (n,)."""
        cells = (before & after, before & ~after, ~before & after, ~(before | after))
        return cls(*(int(cell.sum()) for cell in cells))

    @property
    def n(self) -> int:
        """All of them."""
        return self.both + self.lost + self.gained + self.neither


@dataclass(frozen=True)
class Gap:
    """After less before. `detectable` is the least difference that would be seen in 8 cases of 10."""

    value: float
    ci95: tuple[float, float]
    detectable: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.ci95[0] > 0 or self.ci95[1] < 0


def gap(before: Share, after: Share) -> Gap:
    """The difference of two independent shares.

    By the recovery of variances from Wilson's limits (Newcombe 1998, Statistics in Medicine 17:873–890,
    method 10), which covers as it should near 0 and 1 and with few samples, too.
    """
    return _combined(before, after, 0.0)


def paired_gap(of: Table) -> Gap:
    """The difference of two shares of the same samples.

    By the same recovery, with the correlation of the two (Newcombe 1998, Statistics in Medicine 17:2635–2650,
    method 10). The correlation is taken a little towards 0 where it narrows the interval, so that samples
    that all agree are no proof that none would part.
    """
    before, after = Share((of.both + of.lost) / of.n, of.n), Share((of.both + of.gained) / of.n, of.n)
    return _combined(before, after, _correlation(of))


def _correlation(of: Table) -> float:
    """The table's φ, corrected for continuity where it is above 0; 0 where a margin is empty."""
    sides = (of.both + of.lost) * (of.gained + of.neither) * (of.both + of.gained) * (of.lost + of.neither)
    if not sides:
        return 0.0
    excess = of.both * of.neither - of.lost * of.gained
    return (max(excess - of.n / 2, 0.0) if excess > 0 else excess) / math.sqrt(sides)


def _combined(before: Share, after: Share, correlation: float) -> Gap:
    (low_before, high_before), (low_after, high_after) = _wilson(before), _wilson(after)
    value = after.value - before.value
    down = _distance(after.value - low_after, high_before - before.value, correlation)
    up = _distance(high_after - after.value, before.value - low_before, correlation)
    error = (down + up) / 2 / Z_975
    return Gap(value, (value - down, value + up), (Z_975 + Z_800) * error)


def _distance(one: float, other: float, correlation: float) -> float:
    """Of the difference from its limit, by those of either share."""
    return math.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0.0))


def _wilson(one: Share) -> tuple[float, float]:
    """Score interval (Wilson 1927, Journal of the American Statistical Association 22:209–212)."""
    z2 = Z_975**2 / one.n
    centre = (one.value + z2 / 2) / (1 + z2)
    reach = Z_975 / (1 + z2) * math.sqrt(one.value * (1 - one.value) / one.n + z2 / (4 * one.n))
    return centre - reach, centre + reach
