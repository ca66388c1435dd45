"""What an emulated board really drew: the log that guest/load.py writes, and energy from it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgegreen.errors import DeviceError

COLUMNS = "end_ns,busy_share,power_w,shown_w"


@dataclass(frozen=True)
class KnownPower:
    """Steps of constant power, on the board's monotonic clock: step i is from `end_ns[i-1]` to `end_ns[i]`.

    `shown_w[i]` is what the meter showed from the end of step i on. All have shape (steps,).
    """

    end_ns: tuple[int, ...]
    busy_share: tuple[float, ...]
    power_w: tuple[float, ...]
    shown_w: tuple[float, ...]

    @classmethod
    def parse(cls, log: str) -> KnownPower:
        """From the log; a last line that is still being written is left out. Raises DeviceError."""
        header, *lines = log[: log.rfind("\n") + 1].splitlines() or [""]
        try:
            if header != COLUMNS:
                raise ValueError
            rows = [line.split(",") for line in lines]
            ends, *others = zip(*rows, strict=True) if rows else ((), (), (), ())
            return cls(tuple(map(int, ends)), *(tuple(map(float, column)) for column in others))
        except (ValueError, TypeError):
            raise DeviceError("the log of the emulated board's power makes no sense") from None

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        """The energy drawn in a window; NaN where the log does not cover it."""
        return self._integral(self.power_w, start_ns, end_ns)

    def mean_w(self, start_ns: int, end_ns: int) -> float:
        """The mean power in a window; NaN where the log does not cover it."""
        return self.energy_j(start_ns, end_ns) / (end_ns - start_ns) * 1e9

    def mean_busy_share(self, start_ns: int, end_ns: int) -> float:
        """How busy the board was in a window, from 0 to 1; NaN where the log does not cover it."""
        return self._integral(self.busy_share, start_ns, end_ns) / (end_ns - start_ns) * 1e9

    def shown_between(self, start_ns: int, end_ns: int) -> set[float]:
        """Every value that the meter showed in a window, the one it began with included."""
        first = max(0, bisect.bisect_right(self.end_ns, start_ns) - 1)
        return set(self.shown_w[first : bisect.bisect_right(self.end_ns, end_ns)])

    def _integral(self, values: Sequence[float], start_ns: int, end_ns: int) -> float:
        """Of a step function, times in s."""
        if len(self.end_ns) < 2 or start_ns < self.end_ns[0] or end_ns > self.end_ns[-1]:
            return math.nan
        first = bisect.bisect_right(self.end_ns, start_ns)
        last = bisect.bisect_left(self.end_ns, end_ns)
        edges = [start_ns, *self.end_ns[first:last], end_ns]
        return math.fsum(
            (edges[i + 1] - edges[i]) * 1e-9 * values[first + i]
            for i in range(len(edges) - 1)
            if edges[i + 1] > edges[i]
        )
