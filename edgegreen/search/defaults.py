"""What a search tries of each pass when the recipe does not say: the registry of passes it knows, in order.

A pass that this version of edgegreen does not have is passed over; one that is not here is tried only where
the recipe names it, after the others. Trainings are short: a search makes many, and the recipe can say more.
"""

from __future__ import annotations

from typing import Any

from edgegreen.config.passes import Pass
from edgegreen.config.searchkeys import Between
from edgegreen.formats import Precision
from edgegreen.recipe import Search

EPOCHS = 5

# In the order they are applied: what takes weights away comes first, then what changes their values; clusters
# and int8 rounding come last, because another scale (`fold`) or other zeros would undo them.
SPACES: dict[str, dict[str, Any]] = {
    "prune_filters": {"share": Between(min=0.1, max=0.7), "epochs": EPOCHS},
    "low_rank": {"energy": Between(min=0.8, max=0.98), "epochs": EPOCHS},
    "distill": {"epochs": EPOCHS},
    "fold": {},
    "prune": {"sparsity": Between(min=0.3, max=0.9), "epochs": 2 * EPOCHS},  # its zeros come gradually
    "cluster": {"clusters": (8, 16, 32, 64), "epochs": EPOCHS},
    "qat": {"epochs": EPOCHS},
}
# Passes that are for some precisions only.
ONLY_FOR: dict[str, tuple[Precision, ...]] = {"qat": ("int8",)}
# What is tried of precisions and threads.
PRECISIONS: tuple[Precision, ...] = ("int8", "fp32", "dynamic", "fp16")
THREADS = (1, 2, 4)


def spaces(wanted: Search) -> dict[str, dict[str, Any]]:
    """What to try of each pass, in the order they are applied: the recipe's word, then the defaults."""
    if wanted.passes is None:
        return {name: knobs for name, knobs in SPACES.items() if name in Pass.model_fields}
    named = [name for name in type(wanted.passes).model_fields if getattr(wanted.passes, name) is not None]
    ranks = {name: rank for rank, name in enumerate(SPACES)}
    found = {}
    for name in sorted(named, key=lambda one: ranks.get(one, len(ranks))):
        space = getattr(wanted.passes, name)
        said = {key: getattr(space, key) for key in space.model_fields_set if getattr(space, key) is not None}
        found[name] = _but_for_rivals(SPACES.get(name, {}), said) | said
    return found


# Parameters that stand for one another: who says one wants no default of the other.
RIVALS = ({"sparsity", "pattern"}, {"energy", "rank"})


def _but_for_rivals(defaults: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    ruled_out = {key for pair in RIVALS if pair & set(said) for key in pair}
    return {key: value for key, value in defaults.items() if key not in ruled_out}
