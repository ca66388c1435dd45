"""Building without measuring, and how word of a build is passed on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol

from edgegreen import convert, executor
from edgegreen.artifact import Artifact
from edgegreen.cache.store import Cache
from edgegreen.convert import BuildEvent
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.plan import Plan

BUILDING = "models"


class Progress(Protocol):
    """Where word of what goes on is shown."""

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """`who` (a target's name, or BUILDING) is doing this; `done` is a share, None when not known."""

    def finish(self, who: str, doing: str) -> None:
        """`who` is through, with this result."""

    def note(self, who: str, text: str) -> None:
        """Something that stays to be read."""


class Silence:
    """A Progress that shows nothing."""

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """See `Progress`."""

    def finish(self, who: str, doing: str) -> None:
        """See `Progress`."""

    def note(self, who: str, text: str) -> None:
        """See `Progress`."""


class BuildProgress:
    """Turns events of single variants into one line for all of them."""

    ENDS = ("done", "cached", "failed")

    def __init__(self, count: int, progress: Progress) -> None:
        self._count, self._progress = count, progress
        self._ended: dict[str, str] = {}

    def __call__(self, event: BuildEvent) -> None:
        """Take the next event."""
        if event.note:
            self._progress.note(BUILDING, f"{event.variant}: {event.note}" if event.variant else event.note)
            return
        if event.variant and event.stage in self.ENDS:
            self._ended[event.variant] = event.stage
        if len(self._ended) == self._count:
            self._progress.finish(BUILDING, self._summary())
        elif event.stage not in self.ENDS:
            share = f" {event.done:.0%}" if event.done is not None else ""
            stage = f"{event.variant or 'source model'} {event.stage}{share}"
            self._progress.step(BUILDING, "building", stage, len(self._ended) / self._count)

    def _summary(self) -> str:
        stages = list(self._ended.values())
        words = {"done": "built", "cached": "unchanged", "failed": "failed"}
        return ", ".join(f"{stages.count(end)} {words[end]}" for end in self.ENDS if end in stages)


def build_only(
    the_plan: Plan, progress: Progress, folder: Path | None = None, cache: Cache | None = None
) -> tuple[dict[str, Artifact], dict[str, EdgegreenError]]:
    """Build and check every variant of the plan; what was built and what was not, by name.

    What was built is copied to `folder`, if given, as `<variant>.<suffix>`. `cache` stands for the user's
    own, is closed in the end, and is filled on this machine, whatever the executor. Raises InputError when
    files cannot be written.
    """
    built: dict[str, Artifact] = {}
    failed: dict[str, EdgegreenError] = {}

    told = BuildProgress(len(the_plan.variants), progress)
    by = convert.build if cache else executor.build
    with (
        closing(cache or Cache.default()) as kept,
        by(the_plan.recipe, the_plan.variants, kept, told) as build,
    ):
        for name, future in build.artifacts.items():
            try:
                built[name] = future.result()
            except EdgegreenError as error:
                failed[name] = error
        if kept.complaint:
            progress.note(BUILDING, kept.complaint)
        if folder:
            _export(built, folder)
    return built, failed


def _export(artifacts: Mapping[str, Artifact], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, artifact in artifacts.items():
            for file in artifact.files:
                shutil.copyfile(file.path, folder / f"{name}{file.path.suffix}")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from None
