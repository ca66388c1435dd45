"""What a build gives: word of what goes on, and what was built. What builds it is `build.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgegreen.artifact import Artifact
from edgegreen.sources import outputs as stored

Outputs = list[NDArray[Any]]


@dataclass(frozen=True)
class BuildEvent:
    """Word of what goes on: `variant` is None for the source model, `done` a share from 0 to 1 or unknown.

    `stage` is "loading", "installing …", "exporting", "converting", "choosing precision", "checking",
    "compiling", "evaluating", "cached", "done", "failed". `note` is something that stays to be read.
    """

    variant: str | None
    stage: str
    done: float | None = None
    note: str | None = None


@dataclass(frozen=True)
class Reference:
    """The source model's outputs on the whole evaluation set, on this host; none without such a set.

    Those of its float model file (see sources/model.py), which is checked against the source itself.
    """

    folder: Path | None

    def batches(self) -> Iterator[tuple[int, Outputs]]:
        """(number of the first sample, one array per output, samples first), memory-mapped, in order."""
        if self.folder is not None:
            yield from stored.batches(self.folder)


@dataclass(frozen=True)
class Build:
    """What is being built, by variant. A future that failed raises InputError or ConversionError.

    `expected` are the built file's own outputs on this host, for the first samples of the evaluation set
    (None without one, or when outputs differ in shape): what a board's runtime should give for the same file.
    `unchanged` names the variants found in the cache, whose futures are done in a moment.
    """

    artifacts: Mapping[str, Future[Artifact]]
    expected: Mapping[str, Future[Outputs | None]]
    reference: Future[Reference]
    unchanged: frozenset[str]
