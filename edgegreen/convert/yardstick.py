"""What a variant's accuracy drop is judged by while its precision is chosen: the metric, and whose samples.

The recipe's training data, else its calibration data; never the evaluation data, which judge the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgegreen import data, metrics
from edgegreen.artifact import File
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Hook, Metric
from edgegreen.convert import apart
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe, Variant


@dataclass(frozen=True)
class Yardstick:
    """`file` is an npz of `n` samples, the recipe's `what` data; `labelled` when it has `y`.

    Without labels, agreement with the float model stands in for the metric.
    """

    metric: Metric | Hook
    file: File
    what: Literal["training", "calibration"]
    n: int
    labelled: bool

    @property
    def identity(self) -> dict[str, Any]:
        """All of it that decides a choice, as plain JSON for a cache key."""
        if not isinstance(self.metric, Hook):
            return {"samples": self.file.sha256, "metric": self.metric}
        path, _, function = self.metric.python.rpartition(":")
        code = File.of(Path(path)).sha256
        return {
            "samples": self.file.sha256,
            "metric": [code, function, self.metric.higher_is_better],
        }


def of(
    recipe: Recipe, variants: Mapping[str, Variant], evaluation: File | None, cache: Cache
) -> Yardstick | None:
    """The recipe's yardstick; None when no variant has a limit, or there are no data to choose on.

    Raises InputError for data of which a sample is evaluation data too, and for a metric that needs labels
    where there are none.
    """
    if all(variant.accuracy_drop_max is None for variant in variants.values()):
        return None
    what: Literal["training", "calibration"] = "training" if recipe.data.training else "calibration"
    wanted = recipe.data.training or recipe.data.calibration
    if wanted is None:
        return None  # `refusals` says so, by variant
    path = data.locate(wanted, what)
    with data.open_samples(path, what) as samples:
        found = Yardstick(recipe.data.metric, File.of(path), what, samples.n, samples.labels() is not None)
    if evaluation is not None:
        used = "chosen on (`accuracy_drop_max`)"
        apart.refuse_shared(found.file, evaluation, cache, what=what, used=used)
    if isinstance(found.metric, Hook):
        if not found.labelled:
            raise InputError(
                f"{what} data {path}: has no `y`, and `accuracy_drop_max` is chosen by a metric of your own",
                hint="add `y`, or name labelled data: `data: {training: training.npz}`",
            )
        metrics.score(found.metric, None)  # refuses a hook that cannot be loaded, before any work
    return found
