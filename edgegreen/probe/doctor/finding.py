"""What a check says. The words are for the person at the terminal; `advice` is what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.identity import Identity
from edgegreen.target import Target

Gravity = Literal["stops", "spoils", "unknown", "fine"]


@dataclass(frozen=True)
class Finding:
    """One check's result. A check that found several things has several findings."""

    check: str
    gravity: Gravity
    """`stops` a run, `spoils` its readings, is `unknown` because the board does not tell, or is `fine`."""
    text: str = ""
    advice: str | None = None


class Trouble(NamedTuple):
    """What a check found wrong."""

    gravity: Gravity
    text: str
    advice: str | None = None


@dataclass(frozen=True)
class Case:
    """What every check looks at."""

    facts: BoardFacts
    identity: Identity
    target: Target

    def family_is(self, start: str) -> bool:
        """Whether the board is of a family that begins so."""
        return self.identity.family.startswith(start)


Look = Callable[[Case], list[Trouble] | None]
"""A check: what is wrong, nothing, or None where the board does not tell."""


def stops(text: str, advice: str | None = None) -> Trouble:
    """A run would fail."""
    return Trouble("stops", text, advice)


def spoils(text: str, advice: str | None = None) -> Trouble:
    """A run would go through, and its readings would be worth less, or fewer."""
    return Trouble("spoils", text, advice)
