"""Two recipes of one: for choosing, and for judging what was chosen.

What a search chooses on must not be what its result is judged by. The recipe for choosing has the validation
data in the place of the evaluation data, and does not know the latter at all; whoever looks for candidates is
given that one alone. The recipe for judging is the user's own, and is used once, when the choice is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgegreen import data, holdout, metrics
from edgegreen.artifact import File
from edgegreen.cache.store import Cache
from edgegreen.convert import apart
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe

SHARE = 0.2  # of the training data, when the recipe does not say
RETRIES = 2  # of a reading that cannot be trusted; one candidate's noise is nobody else's gain
SHORTLY = {"retry_invalid": 0, "duration_s": 0.1, "warmup_s": 0.0}
SUFFIX = ".search"  # to the name of a recipe for choosing: its runs are kept among the others


@dataclass(frozen=True)
class Recipes:
    """`choosing` has files cut for it, which are in the cache; `judging` can be written to a file."""

    choosing: Recipe
    judging: Recipe


def recipes(recipe: Recipe, cache: Cache, *, timed: bool = True) -> Recipes:
    """Both recipes. `cache` has to stay open as long as they are used.

    Candidates are measured again where a reading cannot be trusted; where none is `timed`, only shortly.
    Raises InputError where there are no evaluation data or none to choose on, where a sample is in both, and
    for data that are not what they should be.
    """
    wanted = recipe.data
    if wanted.evaluation is None:
        raise InputError(
            "a search judges its result on evaluation data, and the recipe names none",
            hint="add `evaluation: evaluation.npz` to `data`: x and y",
        )
    if wanted.validation is None and wanted.training is None:
        raise InputError(
            "a search chooses on data apart from the evaluation data, and the recipe names none",
            hint="add to `data` either `training: training.npz`, of which a fifth is held out, or "
            "`validation: validation.npz`",
        )
    if wanted.validation is None:
        recipe = _with_data(recipe, validation=SHARE)
    cut = holdout.resolved(recipe, cache).data
    assert not isinstance(cut.validation, float)
    assert cut.validation is not None
    chosen_on = data.locate(cut.validation, "validation")
    judged_by = data.locate(wanted.evaluation, "evaluation")
    apart.refuse_shared(File.of(chosen_on), File.of(judged_by), cache, what="validation", used="chosen on")
    if cut.training is not None:
        trained_on = File.of(data.locate(cut.training, "training"))
        apart.refuse_shared(
            trained_on, File.of(chosen_on), cache, what="training", used="trained on", judge="validation"
        )
    _check_labels(recipe, chosen_on)
    choosing = _with_data(recipe, training=cut.training, validation=None, evaluation=chosen_on)
    again = {"retry_invalid": max(RETRIES, recipe.benchmark.retry_invalid)}
    benchmark = recipe.benchmark.model_copy(update=again if timed else SHORTLY)
    settings = {"name": recipe.name + SUFFIX, "benchmark": benchmark}
    return Recipes(choosing.model_copy(update=settings), recipe)


def _with_data(recipe: Recipe, **changes: object) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})


def _check_labels(recipe: Recipe, chosen_on: Path) -> None:
    """Refuse what the metric cannot score, before any work."""
    with data.open_samples(chosen_on, "validation") as samples:
        labels = samples.labels()
    if labels is None:
        raise InputError(
            f"validation data {chosen_on}: have no labels `y`, and candidates are scored by them"
        )
    metrics.score(recipe.data.metric, labels)
