"""How long to go on trying a board that went away, and how long to wait in between."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 15.0


class Patience:
    """Waits that double, 1 s to 15 s, until `limit_s` has passed since the last good sign."""

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s, self._clock = limit_s, clock
        self._wait_s = FIRST_WAIT_S
        self._since_s: float | None = None

    def renew(self) -> None:
        """There was a good sign: begin anew with the next fault."""
        self._wait_s, self._since_s = FIRST_WAIT_S, None

    def next_wait_s(self) -> float | None:
        """How long to wait before the next try; None when the patience is at its end."""
        now_s = self._clock()
        if self._since_s is None:
            self._since_s = now_s
        wait_s = self._wait_s
        if now_s - self._since_s + wait_s > self._limit_s:
            return None
        self._wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        return wait_s
