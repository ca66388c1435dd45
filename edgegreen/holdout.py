"""Validation data cut off the training data: the same part every time, which no pass trains on.

A search chooses on them. They are files like any other once they are cut; what reads a recipe's data
afterwards knows nothing of shares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen import data
from edgegreen.agent.npz import DataError
from edgegreen.artifact import File
from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of
from edgegreen.cache.store import Cache
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe

TRAINING, VALIDATION = "training.npz", "validation.npz"


def resolved(recipe: Recipe, cache: Cache) -> Recipe:
    """The recipe with files for `training` and `validation`, where it has a share cut off; else as it is.

    The files are in the cache, and in use while that is open. Raises InputError for training data that cannot
    be read, or cannot be cut.
    """
    share = recipe.data.validation
    if not isinstance(share, float):
        return recipe
    assert recipe.data.training is not None  # `Data` sees to it
    whole = File.of(data.locate(recipe.data.training, "training"))

    def make(folder: Path) -> Made:
        _cut(whole.path, share, recipe.seed, folder)
        return Made(f"parts of {whole.path.name}", {})

    entry = cache.obtain(key_of("holdout", of=whole.sha256, share=share, seed=recipe.seed), make)
    parts = {"training": entry.path(TRAINING), "validation": entry.path(VALIDATION)}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=parts)})


def _cut(path: Path, share: float, seed: int, folder: Path) -> None:
    """Write both parts of the samples. Equal samples stay together: none is in both parts."""
    with data.open_samples(path, "training") as samples:
        try:
            columns = [np.concatenate(column) for column in zip(*samples.rows(), strict=True)]
            arrays = dict(zip(samples.names, columns, strict=True))
            labels = samples.labels()
        except DataError as error:
            raise InputError(f"training data {path}: {error}") from None
    chosen = in_validation(columns, share, seed)
    if chosen.all() or not chosen.any():
        raise InputError(
            f"training data {path}: {len(chosen)} samples cannot be cut in two",
            hint="name validation data of their own: `data: {validation: validation.npz}`",
        )
    if labels is not None:
        arrays["y"] = labels
    for name, rows in ((TRAINING, ~chosen), (VALIDATION, chosen)):
        members: dict[str, Any] = {key: array[rows] for key, array in arrays.items()}
        np.savez_compressed(folder / name, **members)


def in_validation(columns: list[NDArray[Any]], share: float, seed: int) -> NDArray[np.bool_]:
    """Which samples are for validation: about `share` of them. `columns` has an array per input."""
    groups: dict[bytes, list[int]] = {}
    for index, row in enumerate(zip(*columns, strict=True)):
        groups.setdefault(data.digest_of(row), []).append(index)
    alike = list(groups.values())
    total = len(columns[0])
    chosen = np.zeros(total, np.bool_)
    for number in np.random.default_rng(seed).permutation(len(alike)):
        if chosen.sum() >= round(share * total):
            break
        chosen[alike[number]] = True
    return chosen
