"""The line to a coordinator, connected anew when it breaks; and where word of what happens there goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgegreen.errors import EdgegreenError
from edgegreen.lab.coordinator import Coordinator


@dataclass(frozen=True)
class Holder:
    """Who has a place that we would take."""

    place: str
    who: str
    for_s: float


@dataclass(frozen=True)
class Queue:
    """Where we stand: 1 is the next one. `holders` have the places that fit."""

    position: int
    holders: tuple[Holder, ...]


@dataclass(frozen=True)
class Told:
    """Where word of a lease goes, and how it waits: `sleep` raises when the run is stopped meanwhile.

    `lost` is called, from another thread, when the place went to somebody else.
    """

    waiting: Callable[[Queue | None], None]
    note: Callable[[str], None]
    sleep: Callable[[float], None]
    lost: Callable[[EdgegreenError], None]


class Line:
    """At most one session with the coordinator at `address`, under the name `owner`."""

    def __init__(self, address: str, owner: str) -> None:
        self.address, self.owner = address, owner
        self._link: Coordinator | None = None

    @property
    def link(self) -> Coordinator:
        """The session, which may have ended. Not before the first `connect`."""
        assert self._link is not None
        return self._link

    @property
    def was_connected(self) -> bool:
        """Whether there ever was a session."""
        return self._link is not None

    def connect(self, owner: str | None = None) -> None:
        """Begin a session, under another name where one is given. Raises UnreachableError (transient)."""
        self.close()
        self.owner = owner or self.owner
        self._link = Coordinator(self.address, self.owner)

    def close(self) -> None:
        """End the session. Idempotent."""
        if self._link:
            self._link.close()
