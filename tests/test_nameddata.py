"""The data that a recipe names: what cannot work is told with its line, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgegreen import check, nameddata, recipe
from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError
from edgegreen.nameddata import Declared

X = np.zeros((4, 49, 10, 1), np.float32)
Y = np.arange(4)
KERAS = "m.keras"


def said(folder: Path, model: Path | str, more: str = "", **arrays: NDArray[np.generic]) -> str:
    """What a check of a recipe with these evaluation data says, after the line's place."""
    np.savez(folder / "e.npz", **arrays)
    text = f"name: kws\nmodel: {model}\ndata:\n  evaluation: e.npz\n{more}"
    (folder / "r.yaml").write_text(text)
    loaded = recipe.load(folder / "r.yaml")
    with pytest.raises(InputError) as caught:
        nameddata.check(
            loaded, {"evaluation": folder / "e.npz"}, None if model == KERAS else Path(str(loaded.model))
        )
    begins = f"{folder}/r.yaml:4: `data.evaluation`: evaluation data {folder}/e.npz: "
    assert caught.value.message.startswith(begins)
    return caught.value.message.removeprefix(begins)


def test_values_and_labels_that_cannot_work(tmp_path: Path) -> None:
    hole = X.copy()
    hole[2, 3, 4] = np.nan
    for arrays, words in (
        ({"x": hole, "y": Y}, "sample 2 has NaN or infinite values"),
        ({"x": X + np.inf, "y": Y}, "sample 0 has NaN or infinite values"),
        ({"x": X, "y": Y[:3]}, "the arrays differ in their number of samples: `x` has 4, `y` has 3"),
        ({"x": X, "y": Y - 1}, "y should be class numbers (0, 1, …) or one-hot rows"),
        ({"x": X, "y": Y / 2}, "y should be class numbers (0, 1, …) or one-hot rows"),
        ({"x": X}, "metric `top1` needs labels: the evaluation npz has no `y`"),
    ):
        assert said(tmp_path, KERAS, **arrays) == words


def test_what_the_model_declares_is_held_against_them(assets: Path, tmp_path: Path) -> None:
    model = assets / "kws" / "kws_ref_model_int8.tflite"
    flat = X.reshape(4, 49, 10)  # extents of 1 may be missing
    assert said(tmp_path, model, x=flat, y=Y + 9) == (
        "labels go up to 12, but the model has 12 classes (0 … 11)"
    )
    assert "`x` has samples of shape 49×5×2, but the model's input" in said(
        tmp_path, model, x=X.reshape(4, 49, 5, 2), y=Y
    )


def test_input_shape_is_known_of_any_model(tmp_path: Path) -> None:
    for shape in ("[1, 16, 16, 1]", "[16, 16, 1]"):
        told = said(tmp_path, KERAS, f"input_shape: {shape}\n", x=np.zeros((4, 8, 16, 1)), y=Y)
        assert told.endswith("samples of shape 8×16×1, but the model's input `input` takes 16×16×1")


def test_an_open_extent_takes_any(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=X, y=Y)
    with nameddata.data.open_samples(tmp_path / "e.npz", "evaluation") as samples:
        (one,) = nameddata._settled((TensorSpec("x", (-1, -1, 10, 1), "float32"),), samples)
    assert one.shape == (1, 49, 10, 1)
    assert nameddata._output(Declared(outputs=(TensorSpec("y", (1, -1, 3), "float32"),))) is None


def test_every_file_is_told_by_validate(assets: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x=X + np.nan, y=Y - 1)
    keys = ("calibration", "evaluation", "training")
    lines = "".join(f"  {key}: bad.npz\n" for key in keys)
    model = assets / "kws" / "kws_ref_model_int8.tflite"
    (tmp_path / "r.yaml").write_text(f"name: kws\nmodel: {model}\ndata:\n{lines}")
    with pytest.raises(InputError) as caught:
        check.file(tmp_path / "r.yaml")
    places = [line.split(f"{tmp_path}/")[1].split(":")[1] for line in caught.value.message.splitlines()]
    assert places == ["4", "5", "6"]
