"""What is chosen on and what judges: two recipes, and no sample in both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import REPO

from edgegreen.cache.store import Cache
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.config.datakeys import Data
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe
from edgegreen.search import data

DIGITS = REPO / "recipes" / "digits"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with closing(Cache(tmp_path / "cache")) as one:
        yield one


def recipe(**given: Any) -> Recipe:
    files: dict[str, Any] = {name: DIGITS / f"{name}.npz" for name in ("training", "evaluation")}
    found = {key: value for key, value in (files | given).items() if value is not None}
    return Recipe(
        name="digits", model=DIGITS / "model.keras", data=Data(**found), benchmark=Benchmark(governors=())
    )


def samples(path: Any) -> set[bytes]:
    with np.load(path) as arrays:
        return {row.tobytes() for row in arrays["x"]}


def test_the_recipe_for_choosing_does_not_know_the_evaluation_data(cache: Cache) -> None:
    found = data.recipes(recipe(), cache)
    assert "evaluation.npz" not in found.choosing.model_dump_json()
    choosing, judged_by = found.choosing.data, samples(DIGITS / "evaluation.npz")
    assert samples(choosing.evaluation) | samples(choosing.training) == samples(DIGITS / "training.npz")
    assert not samples(choosing.evaluation) & (judged_by | samples(choosing.training))
    assert found.judging.data.evaluation == DIGITS / "evaluation.npz"
    assert found.judging.data.validation == data.SHARE
    assert (found.judging.name, found.choosing.name) == ("digits", "digits.search")


def test_validation_data_of_their_own_leave_the_training_data_whole(cache: Cache) -> None:
    found = data.recipes(recipe(validation=DIGITS / "calibration.npz"), cache)
    assert found.choosing.data.evaluation == DIGITS / "calibration.npz"
    assert found.choosing.data.training == DIGITS / "training.npz"


def test_untimed_candidates_are_measured_shortly_and_timed_ones_again(cache: Cache) -> None:
    assert data.recipes(recipe(), cache).choosing.benchmark.retry_invalid == data.RETRIES
    assert data.recipes(recipe(), cache, timed=False).choosing.benchmark.duration_s < 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"evaluation": None}, "the recipe names none"),
        ({"training": None}, "chooses on data apart from the evaluation data"),
        ({"validation": DIGITS / "evaluation.npz"}, "validation data .* are the evaluation data as well"),
        ({"training": DIGITS / "evaluation.npz"}, "have 90 samples of the evaluation data"),
    ],
)
def test_refused(given: dict[str, Any], said: str, cache: Cache) -> None:
    with pytest.raises(InputError, match=said):
        data.recipes(recipe(**given), cache)


def test_validation_data_need_labels(cache: Cache, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", x=np.zeros((30, 8, 8, 1), np.float32))
    with pytest.raises(InputError, match="have no labels `y`"):
        data.recipes(recipe(validation=tmp_path / "v.npz"), cache)
