"""Building on other machines, as a build sees it: the parts it can be made in, and who has them made.

Who that is stands in `cluster/`. What is made comes back through the shared cache alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Literal, Protocol

from edgegreen.recipe import Recipe, Variant


@dataclass(frozen=True)
class Part:
    """What one machine makes without another: `what`, of the variant `variant` (None: of the model itself).

    `source` and `hub` are what variants are made from, `variant` is the artifact with its expected outputs,
    `reference` the source's own outputs.
    """

    what: Literal["source", "hub", "variant", "reference"]
    variant: str | None = None


class Elsewhere(Protocol):
    """Has parts of one build made."""

    def begin(self, recipe: Recipe, variants: Mapping[str, Variant], tools: frozenset[str]) -> None:
        """See that parts of this recipe can be made. Raises InputError, UnreachableError.

        `tools` are the distributions that have to be of the same versions there.
        """

    def make(self, part: Part, stop: Event) -> None:
        """Have the part made, and wait until it is in the shared cache.

        Raises the EdgegreenError that making it raised, UnreachableError when nobody is left to make it,
        CancelledError once `stop` is set. Threads call it side by side.
        """
