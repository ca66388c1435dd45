"""What dead processes of this machine still hold in a lab: found, and freed."""

from __future__ import annotations

from dataclasses import dataclass

from edgegreen.lab import owner
from edgegreen.lab.coordinator import Coordinator, address
from edgegreen.lab.messages import Entry, Reservation


@dataclass(frozen=True)
class State:
    """A lab as it stands: its places, and who waits for one, the first first."""

    coordinator: str
    places: tuple[Entry, ...]
    waiting: tuple[Reservation, ...]


@dataclass(frozen=True)
class Reaped:
    """Places that the dead held or waited for, and those of edgegreen's elsewhere: name and owner."""

    dead: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[str, str], ...]


def look(coordinator: str | None) -> State:
    """Who has what, and who waits. Raises UnreachableError, InputError without labgrid."""
    with _session(coordinator) as link:
        waiting = tuple(one for one in link.reservations() if one.state == "waiting")
        return State(link.address, tuple(link.places()), waiting)


def reap(coordinator: str | None, *, dry_run: bool = False) -> Reaped:
    """Free the places whose holder was a process of edgegreen on this machine and has ended, for certain.

    The reservations of such processes go too.

    Raises UnreachableError, InputError without labgrid, DeviceError when the coordinator refuses.
    """
    dead, unknown = [], []
    with _session(coordinator) as link:
        for place in link.places():
            holder = owner.parse(place.owner or "")
            if holder is None:
                continue
            if holder.is_dead:
                if not dry_run:
                    link.release(place.name, str(holder))
                dead.append((place.name, str(holder)))
            elif not holder.is_near:
                unknown.append((place.name, str(holder)))
        for one in link.reservations():
            waiter = owner.parse(one.owner)
            if waiter and waiter.is_dead:
                if not dry_run:
                    link.cancel(one.token)
                dead.append((f"reservation {one.token}", str(waiter)))
    return Reaped(tuple(dead), tuple(unknown))


def _session(coordinator: str | None) -> Coordinator:
    return Coordinator(address(coordinator), str(owner.current("reap")))
