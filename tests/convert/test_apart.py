from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgegreen.artifact import File
from edgegreen.cache.store import Cache
from edgegreen.convert import apart
from edgegreen.errors import InputError


def npz(folder: Path, name: str, **arrays: np.ndarray) -> File:
    np.savez(folder / f"{name}.npz", **arrays)
    return File.of(folder / f"{name}.npz")


@pytest.fixture
def rows() -> np.ndarray:
    return np.arange(60, dtype=np.uint8).reshape(20, 3)


def test_samples_are_the_same_by_value_whatever_their_type(tmp_path: Path, rows: np.ndarray) -> None:
    cache = Cache(tmp_path / "cache")
    one = npz(tmp_path, "one", x=rows[:12], y=np.zeros(12))
    other = npz(tmp_path, "other", x=rows[8:].astype(np.float32))
    assert apart.shared(one, other, cache) == 4
    assert apart.shared(one, npz(tmp_path, "rest", x=rows[12:]), cache) == 0
    tenths = (rows / 10).astype(np.float32)
    kept = npz(tmp_path, "kept", x=tenths)
    for name, same in (("f8", tenths.astype(np.float64)), ("exact", rows / 10), ("minus", tenths * 1.0)):
        same[same == 0] = -0.0
        assert apart.shared(npz(tmp_path, name, x=same), kept, cache) == 20
    assert (
        apart.shared(npz(tmp_path, "long", x=rows.astype(np.int64)), npz(tmp_path, "b", x=rows), cache) == 20
    )


def test_all_inputs_of_a_sample_count(tmp_path: Path, rows: np.ndarray) -> None:
    one = npz(tmp_path, "one", x0=rows, x1=rows)
    other = npz(tmp_path, "other", x0=rows, x1=np.roll(rows, 1))
    assert apart.shared(one, other, Cache(tmp_path / "cache")) == 0


def test_training_on_what_is_evaluated_is_refused(tmp_path: Path, rows: np.ndarray) -> None:
    refuse = partial(apart.refuse_shared, cache=Cache(tmp_path / "cache"), what="training", used="trained on")
    training, evaluation = npz(tmp_path, "training", x=rows[:15]), npz(tmp_path, "evaluation", x=rows[14:])
    with pytest.raises(InputError, match=r"^training data .*have 1 sample of .* data .*evaluation\.npz"):
        refuse(training, evaluation)
    with pytest.raises(InputError, match="are the evaluation data as well"):
        refuse(training, training)
    refuse(training, npz(tmp_path, "rest", x=rows[15:]))


def test_calibrating_on_it_is_noted(tmp_path: Path, rows: np.ndarray) -> None:
    cache = Cache(tmp_path / "cache")
    evaluation = npz(tmp_path, "evaluation", x=rows)
    assert "20 samples of the evaluation data" in str(apart.note_on(evaluation, evaluation, cache))
    assert apart.note_on(npz(tmp_path, "other", x=rows + 100), evaluation, cache) is None
    assert apart.note_on(None, evaluation, cache) is None
