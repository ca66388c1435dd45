"""Queueing up for a place: reservations at the coordinator, asked after until one is given a place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from edgegreen.errors import DeviceError
from edgegreen.lab.line import Holder, Line, Queue, Told
from edgegreen.lab.messages import Entry, Reservation
from edgegreen.lab.owner import shown

POLL_S = 1.0  # as labgrid-client does


class Turn:
    """Our reservations, until `leave`."""

    def __init__(self, line: Line, told: Told) -> None:
        self._line, self._told = line, told
        self._mine: list[Reservation] = []
        self.queue = Queue(1, ())
        """As it was last seen."""

    @property
    def is_reserved(self) -> bool:
        """Whether anything is reserved."""
        return bool(self._mine)

    def wait(self, wanted: Sequence[Mapping[str, str]], is_late: Callable[[], bool]) -> str | None:
        """Queue up for any place that has all tags of one of `wanted`; its name once it is ours to take.

        None when it is late and none is free. Raises UnreachableError, and what `told.sleep` raises.
        """
        for tags in wanted:
            self._mine.append(self._line.link.reserve(tags))
        while not (given := next((one for one in self._mine if one.place), None)):
            self.queue = self._seen()
            self._told.waiting(self.queue)
            if is_late():
                return None
            self._told.sleep(POLL_S)
            self._mine = [self._asked(one) for one in self._mine]
        self._cancel([one for one in self._mine if one is not given])
        return given.place

    def leave(self) -> None:
        """Drop all reservations."""
        self._cancel(self._mine)

    def _asked(self, one: Reservation) -> Reservation:
        """How it stands; made anew when it has expired."""
        link = self._line.link
        known = link.poll(one.token)
        return known if known and known.state in ("waiting", "allocated") else link.reserve(one.tags)

    def _cancel(self, reservations: Iterable[Reservation]) -> None:
        for one in tuple(reservations):
            with suppress(DeviceError):  # it has expired, which is as good
                self._line.link.cancel(one.token)
            self._mine = [other for other in self._mine if other is not one]

    def _seen(self) -> Queue:
        """The queue before whichever of our reservations is the nearest to be served."""
        places, tokens = self._line.link.places(), {one.token for one in self._mine}
        others = [
            one for one in self._line.link.reservations()
            if one.state == "waiting" and one.token not in tokens
        ]  # fmt: skip
        ahead = [
            sum(one.rank < mine.rank and any(place.fits(one.tags) for place in _fitting(places, mine))
                for one in others)
            for mine in self._mine
        ]  # fmt: skip
        holders = {
            place.name: _holder(place)
            for mine in self._mine
            for place in _fitting(places, mine)
            if place.owner
        }
        return Queue(min(ahead) + 1, tuple(holders.values()))


def _fitting(places: Iterable[Entry], mine: Reservation) -> list[Entry]:
    return [one for one in places if one.fits(mine.tags)]


def _holder(entry: Entry) -> Holder:
    return Holder(entry.name, shown(entry.owner or ""), max(time.time() - entry.changed_s, 0.0))
