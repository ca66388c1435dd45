"""How two shares differ, such as hits among samples: with a 95 % interval, and what would be seen. Pure.

The two samples are taken to be independent. Where they are the same ones, an interval that knew which of them
each side got right would be narrower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgegreen.measurement import Z_975

Z_800 = 0.842  # the chance at which a difference counts as detectable, as in ratio.py


@dataclass(frozen=True)
class Share:
    """`value` (0 … 1) of `n`, at least one."""

    value: float
    n: int


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
    (low_before, high_before), (low_after, high_after) = _wilson(before), _wilson(after)
    value = after.value - before.value
    down = math.hypot(after.value - low_after, high_before - before.value)
    up = math.hypot(high_after - after.value, before.value - low_before)
    error = (down + up) / 2 / Z_975
    return Gap(value, (value - down, value + up), (Z_975 + Z_800) * error)


def _wilson(one: Share) -> tuple[float, float]:
    """Score interval (Wilson 1927, Journal of the American Statistical Association 22:209–212)."""
    z2 = Z_975**2 / one.n
    centre = (one.value + z2 / 2) / (1 + z2)
    reach = Z_975 / (1 + z2) * math.sqrt(one.value * (1 - one.value) / one.n + z2 / (4 * one.n))
    return centre - reach, centre + reach
