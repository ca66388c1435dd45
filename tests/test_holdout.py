"""Validation data cut off: the same part every time, all of the rest to train on, and nothing in both."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import REPO

from edgegreen import holdout
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe

DIGITS = REPO / "recipes" / "digits"


def recipe(training: Path, share: float = 0.2, seed: int = 0) -> Recipe:
    return Recipe(name="a", model=Path("m"), seed=seed, data=Data(training=training, validation=share))


def digests(path: Path) -> list[bytes]:
    with np.load(path) as data:
        return [row.tobytes() + bytes([label]) for row, label in zip(data["x"], data["y"], strict=True)]


def test_both_parts_are_the_whole_and_the_same_every_time(tmp_path: Path) -> None:
    found = []
    for name in ("one", "other"):
        with closing(Cache(tmp_path / name)) as cache:
            data = holdout.resolved(recipe(DIGITS / "training.npz"), cache).data
            assert isinstance(data.training, Path)
            assert isinstance(data.validation, Path)
            found.append((data.training.read_bytes(), data.validation.read_bytes()))
            parts = digests(data.training), digests(data.validation)
    assert found[0] == found[1]
    assert sorted(parts[0] + parts[1]) == sorted(digests(DIGITS / "training.npz"))
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[1]) == 249


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.floats(0.05, 0.95), st.integers(0, 99))
def test_equal_samples_stay_together(values: list[int], share: float, seed: int) -> None:
    x = np.array(values)[:, None]
    chosen = holdout.in_validation([x], share, seed)
    assert not set(x[chosen, 0]) & set(x[~chosen, 0])
    assert (chosen == holdout.in_validation([x], share, seed)).all()


def test_another_seed_is_another_part(tmp_path: Path) -> None:
    with closing(Cache(tmp_path)) as cache:
        parts = [holdout.resolved(recipe(DIGITS / "training.npz", seed=seed), cache).data for seed in (0, 1)]
        assert parts[0].validation != parts[1].validation


def test_what_cannot_be_cut_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.zeros((30, 2)), y=np.zeros(30))
    with (
        closing(Cache(tmp_path / "c")) as cache,
        pytest.raises(InputError, match="30 samples cannot be cut in two"),
    ):
        holdout.resolved(recipe(tmp_path / "t.npz"), cache)


def test_a_share_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="which is missing"):
        Data(validation=0.2)
