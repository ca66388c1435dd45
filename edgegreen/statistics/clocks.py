"""What another clock shows at a time of ours, and how wrong that may be. Pure.

A clock is asked now and again: its answer was true at some time between question and answer. Between two
such exchanges it is taken to go straight. The bound is one of the worst case, not a standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.statistics.trace import Unusable

RATE_MAX = 500e-6
"""How much faster or slower than ours the other clock may go at any time. A daemon that disciplines a clock
slews it by up to 500 ppm (Linux, adjtimex(2)); crystals themselves differ by less than 100 ppm."""


@dataclass(frozen=True)
class Exchange:
    """One question to another clock: what ours showed before and after, and that one in between."""

    before_ns: int
    there_ns: int
    after_ns: int

    @property
    def round_trip_ns(self) -> int:
        """From question to answer."""
        return self.after_ns - self.before_ns

    @property
    def middle_ns(self) -> int:
        """When, by our clock, the other one is taken to have been read: half the round trip off at most."""
        return (self.before_ns + self.after_ns) // 2


def closest(exchanges: Iterable[Exchange]) -> Exchange:
    """The one that tells most: that of the shortest round trip."""
    return min(exchanges, key=lambda exchange: exchange.round_trip_ns)


@dataclass(frozen=True)
class Alignment:
    """Two clocks side by side, from one exchange to another: `there` = ours + `offset_ns` at `origin_ns`.

    `rate` is how much faster the other one goes. Between the exchanges no time is wrong by more than
    `bound_ns`.
    """

    origin_ns: int
    offset_ns: int
    rate: float
    bound_ns: int

    def there(self, ours_ns: NDArray[Any]) -> NDArray[np.int64]:
        """What the other clock shows at these times of ours."""
        since_ns = ours_ns.astype(np.int64) - self.origin_ns
        drift_ns: NDArray[np.int64] = np.rint(since_ns * self.rate).astype(np.int64)
        return ours_ns.astype(np.int64) + self.offset_ns + drift_ns

    def ours(self, there_ns: NDArray[Any]) -> NDArray[np.int64]:
        """What our clock shows when the other one shows these times."""
        since_ns = there_ns.astype(np.int64) - self.origin_ns - self.offset_ns
        elapsed_ns: NDArray[np.int64] = np.rint(since_ns / (1 + self.rate)).astype(np.int64)
        return self.origin_ns + elapsed_ns


def align(first: Exchange, last: Exchange, whose: str) -> Alignment:
    """Lay the clock called `whose` beside ours by two exchanges, the second later than the first.

    The bound is half the longer of the two round trips, which is what the straight line's ends may be off by,
    and half of RATE_MAX times the time between: a clock that goes faster by that much up to the middle, and
    slower by as much from there, is that far from the line. Raises Unusable where the clocks ran apart by
    more than RATE_MAX allows: one was set, or stood still.
    """
    between_ns = last.middle_ns - first.middle_ns
    apart_ns = (last.there_ns - first.there_ns) - between_ns
    unknown_ns = (first.round_trip_ns + last.round_trip_ns) / 2
    if between_ns <= 0 or abs(apart_ns) > RATE_MAX * between_ns + unknown_ns:
        raise Unusable(
            f"{whose} clock cannot be followed: it went {apart_ns / 1e9:+.3f} s against this machine's "
            f"in {between_ns / 1e9:.1f} s"
        )
    ends_ns = max(first.round_trip_ns, last.round_trip_ns) / 2
    return Alignment(
        origin_ns=first.middle_ns,
        offset_ns=first.there_ns - first.middle_ns,
        rate=apart_ns / between_ns,
        bound_ns=round(ends_ns + RATE_MAX * between_ns / 2) + 2,  # and what rounding may add
    )
