"""Which places of a lab fit a wish, which of them proved useless, and what to say when none is left."""

from __future__ import annotations

from collections.abc import Mapping

from edgegreen.errors import EdgegreenError, InputError, UnreachableError
from edgegreen.lab.line import Line, Queue
from edgegreen.lab.messages import Entry
from edgegreen.target import Wish


class Candidates:
    """The places that fit, each tried once."""

    def __init__(self, wish: Wish, line: Line) -> None:
        self._wish, self._tags, self._line = wish, dict(wish.tags), line
        self._useless: dict[str, EdgegreenError] = {}

    def fits(self, place: str) -> bool:
        """Whether it is one of them. Raises DeviceError when it was deleted."""
        return self._line.link.place(place).fits(self._tags)

    def is_useless(self, place: str) -> bool:
        """Whether it was tried in vain."""
        return place in self._useless

    def others(self, than: str) -> bool:
        """Whether there are others, tried or not."""
        return any(one.name != than for one in self._fitting())

    def wanted(self) -> list[Mapping[str, str]]:
        """What to reserve: the tags; one by one, the places that were not tried, as tags cannot say `not`.

        Raises InputError when no place could ever fit, UnreachableError when none is left.
        """
        if not self._useless:
            if not self._fitting():
                raise self._unknown()
            return [self._tags]
        if not self._untried():
            raise self._none_left()
        return [{**self._tags, "name": name} for name in self._untried()]

    def rule_out(self, place: str, why: EdgegreenError) -> str:
        """Have it no more; what to say of that. Raises when none is left: why, for each that was tried."""
        self._useless[place] = why
        if not self._untried():
            raise why if len(self._useless) == 1 else self._none_left()
        return f"{place} is given back: {_reason(place, why)}; asking for another place"

    def too_late(self, queue: Queue) -> UnreachableError:
        """Nobody gave one back in time."""
        held = ", ".join(f"{one.place} by {one.who}" for one in queue.holders)
        parts = [f"no board came free within {self._wish.timeout_s:g} s"]
        parts += [f"held: {held}"] if held else []
        parts += [f"tried: {self._tried()}"] if self._useless else []
        return UnreachableError(
            "; ".join(parts),
            hint="`?timeout=3600` waits longer; `edgegreen lab reap` frees what dead runs from here hold",
        )

    def _fitting(self) -> list[Entry]:
        return [one for one in self._line.link.places() if one.fits(self._tags)]

    def _untried(self) -> list[str]:
        return [one.name for one in self._fitting() if one.name not in self._useless]

    def _tried(self) -> str:
        return "; ".join(f"{place}: {_reason(place, why)}" for place, why in self._useless.items())

    def _none_left(self) -> UnreachableError:
        return UnreachableError(
            f"no place that fits can be reached: {self._tried()}",
            hint="`edgegreen lab list` shows the lab's places, `labgrid-client -p PLACE show` one of them",
        )

    def _unknown(self) -> InputError:
        """Without a place that could ever fit, waiting would be in vain."""
        wanted = ", ".join(f"{key}={value}" for key, value in self._tags.items())
        there = "; ".join(
            " ".join([one.name, *(f"{key}={value}" for key, value in sorted(one.tags.items()))])
            for one in self._line.link.places()
        )
        return InputError(
            f"no place of {self._line.address} has {wanted}",
            hint=f"there are: {there}"
            if there
            else "there is none: `labgrid-client -p NAME create` makes one",
        )


def _reason(place: str, why: EdgegreenError) -> str:
    """The first line of why, without the name that stands before it anyway."""
    return why.message.split("\n", 1)[0].removeprefix(f"{place}: ")
