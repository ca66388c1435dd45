"""What every meter has: what it says about itself, and the plainest ways to read one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Sequence

from .tree import Attribute

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # typing.Protocol came with Python 3.8

POWER, ENERGY = "power", "energy"
MODULE, RAIL_SUM, PACKAGE, BOARD, WALL = SCOPES = ("module", "rail sum", "package", "board", "wall")


@dataclass(frozen=True)
class About:
    """What a meter measures, and how well. What is not known is None.

    `kind` is its name in `meters.METERS`; `scope` one of SCOPES ("rail sum": the rails named, and no
    claim that they are all); `source` the driver and the path in words; `misses` what the scope leaves
    out. `main`: the one of its kind that counts the most, which `auto` takes. `averaging_s`: a reading
    is the mean over that long before it. `update_s`: readings taken closer together are the same one.
    `resolution_w`: one step of the sensor at the present voltage; `resolution_j`: one of a counter.
    """

    kind: str
    rail: str
    scope: str
    source: str
    misses: str = ""
    quantity: str = POWER
    main: bool = False
    averaging_s: float | None = None
    update_s: float | None = None
    resolution_w: float | None = None
    resolution_j: float | None = None


class Meter(Protocol):
    """A meter. `read` gives watts, or with quantity "energy" joules since the first reading.

    It raises tree.Unreadable, and may be called again after that.
    """

    about: About

    def read(self) -> float:
        """One reading."""

    def close(self) -> None:
        """Let go of open files."""


class Direct:
    """One file that holds the power, `watts` each unit."""

    def __init__(self, about: About, power: Attribute, watts: float) -> None:
        self.about, self._power, self._watts = about, power, watts

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        return self._power.number() * self._watts

    def close(self) -> None:
        """Let go of the open file."""
        self._power.close()


class Product:
    """A voltage and a current in two files; their product, `watts` each unit of it, is the power."""

    def __init__(self, about: About, voltage: Attribute, current: Attribute, watts: float) -> None:
        self.about, self._voltage, self._current, self._watts = about, voltage, current, watts

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        return self._voltage.number() * self._current.number() * self._watts

    def close(self) -> None:
        """Let go of the open files."""
        self._voltage.close()
        self._current.close()


class Sum:
    """Several meters of one quantity, added up."""

    def __init__(self, about: About, parts: Sequence[Meter]) -> None:
        self.about, self._parts = about, parts

    @classmethod
    def of(cls, parts: Sequence[Meter], scope: str = RAIL_SUM, misses: str = "", main: bool = False) -> Sum:
        """The sum, described from its parts: the slowest averaging, the steps added as noises are."""
        abouts = [part.about for part in parts]
        about = replace(
            abouts[0],
            rail=" + ".join(about.rail for about in abouts),
            scope=scope,
            source=", ".join(dict.fromkeys(about.source for about in abouts)),
            misses=misses,
            main=main,
            averaging_s=_slowest([about.averaging_s for about in abouts]),
            update_s=_slowest([about.update_s for about in abouts]),
            resolution_w=_step([about.resolution_w for about in abouts]),
            resolution_j=_step([about.resolution_j for about in abouts]),
        )
        return cls(about, parts)

    def read(self) -> float:
        """Watts, or joules. Raises Unreadable: a sum that lacks a part is none."""
        return sum(part.read() for part in self._parts)

    def close(self) -> None:
        """Let go of the open files."""
        for part in self._parts:
            part.close()


def _step(steps: Sequence[float | None]) -> float | None:
    """One step of the same variance as all of them together."""
    known = [step for step in steps if step is not None]
    return math.sqrt(sum(step * step for step in known)) if len(known) == len(steps) else None


def _slowest(times_s: Sequence[float | None]) -> float | None:
    known = [time_s for time_s in times_s if time_s is not None]
    return max(known) if len(known) == len(times_s) else None
