"""What a labgrid coordinator tells, out of the messages of its protocol: places, resources, reservations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATES = ("waiting", "allocated", "acquired", "expired", "invalid")


@dataclass(frozen=True)
class Entry:
    """A place as the coordinator tells it. `owner` and `reservation` are None where it has none."""

    name: str
    tags: Mapping[str, str]
    owner: str | None
    changed_s: float
    reservation: str | None
    resources: tuple[tuple[str, str, str, str], ...]
    """Those acquired with it: exporter, group, class, name."""

    def fits(self, tags: Mapping[str, str]) -> bool:
        """Whether it has all of these; `name` is its own."""
        return tags.items() <= {**self.tags, "name": self.name}.items()


@dataclass(frozen=True)
class Reservation:
    """Somebody's claim to any place with these tags. `place` is the one it was given, if it was."""

    token: str
    owner: str
    state: str
    tags: Mapping[str, str]
    place: str | None
    rank: tuple[float, float]
    """The lower is served first."""


@dataclass(frozen=True)
class Resource:
    """What an exporter offers, with its settings; `extra` says how to get there."""

    cls: str
    params: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)


def make(name: str, **fields: Any) -> Any:
    """A message of the protocol, to be sent."""
    from labgrid.remote.generated import labgrid_coordinator_pb2

    return getattr(labgrid_coordinator_pb2, name)(**fields)


def entry(told: Any) -> Entry:
    """The place that a message tells of."""
    return Entry(
        name=told.name,
        tags=dict(told.tags),
        owner=told.acquired or None,
        changed_s=told.changed,
        reservation=told.reservation or None,
        resources=tuple(tuple(path.split("/")) for path in told.acquired_resources),
    )


def reservation(told: Any) -> Reservation:
    """The reservation that a message tells of."""
    return Reservation(
        token=told.token,
        owner=told.owner,
        state=STATES[told.state],
        tags=dict(told.filters["main"].filter),
        place=dict(told.allocations).get("main"),
        rank=(-told.prio, told.created),
    )


def resource(told: Any) -> Resource:
    """The resource that a message tells of."""
    return Resource(told.cls, *(_values(one) for one in (told.params, told.extra)))


def key(path: Any) -> tuple[str, str, str]:
    """Which resource is meant: exporter, group, name."""
    return path.exporter_name, path.group_name, path.resource_name


def _values(told: Any) -> dict[str, Any]:
    return {key: getattr(value, value.WhichOneof("kind") or "", None) for key, value in told.items()}
