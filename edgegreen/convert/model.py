"""What a worker is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgegreen.agent.normalize import Normalize
from edgegreen.convert.yardstick import Yardstick
from edgegreen.formats import Precision
from edgegreen.recipe import Variant
from edgegreen.sources.model import ModelFile, Source
from edgegreen.sources.request import Request


@dataclass(frozen=True)
class Job:
    """Build `variant` from `hub`, a float model file of the format's own or one it can read.

    `yardstick` is there when the variant has an `accuracy_drop_max`.
    """

    request: Request
    source: Source
    hub: ModelFile
    variant: Variant
    yardstick: Yardstick | None = None

    @property
    def precision(self) -> Precision:
        """The variant's; a job without one is not given to a converter."""
        assert self.variant.precision is not None
        return self.variant.precision

    def built_by(self, tool: str) -> str:
        """`tool`, and what had made the hub."""
        return f"{tool} ← {self.hub.built_by}" if self.hub.built_by else tool


@dataclass(frozen=True)
class Recording:
    """Run `model` on the first `limit` (None: all) of an npz's `count` samples, normalised if need be."""

    model: ModelFile
    samples: Path
    count: int
    limit: int | None
    threads: int
    normalize: Normalize | None = None
