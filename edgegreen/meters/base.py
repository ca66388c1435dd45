"""What every meter that the host reads has. Two ways to be one are in `asked` and `told`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Literal, Protocol

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.sampler import Summary

NAMED = 5  # keys of what should have been a number
Clock = Literal["monotonic", "unix"]
Keep = Callable[[int, int, float], None]
"""Takes a reading: when (ns), how long it took (ns), and watts (NaN when it failed)."""
Wait = Callable[[float], bool]
"""Waits for so many seconds; false when it is time to end."""


class Meter(Protocol):
    """A meter that the host reads, from a thread of its own.

    `clock` is the clock of this machine that its readings are stamped with. Every method comes back in
    seconds, whatever the meter does.
    """

    about: About
    clock: Clock

    def first(self) -> float:
        """Watts, as proof that it works. Raises Unreadable."""

    def record(self, keep: Keep, wait: Wait) -> Summary:
        """Give every reading to `keep` until `wait` says to end, or the meter did."""

    def close(self) -> None:
        """Let go of it. Idempotent."""


def watts(value: object, whose: str) -> float:
    """A finite number of watts out of what a meter said. Raises Unreadable."""
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Unreadable(f"{whose} says {_shown(value)}, which is no power") from None
    if not math.isfinite(number):
        raise Unreadable(f"{whose} says {number}, which is no power")
    return number


def _shown(value: object) -> str:
    """What a meter said, as JSON has it; an object or a list by what is in it."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:20] for key in list(value)[:NAMED])
        return f"an object ({keys}{', …' if len(value) > NAMED else ''})" if value else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"'{value[:60]}'" if isinstance(value, str) else json.dumps(value)[:60]
