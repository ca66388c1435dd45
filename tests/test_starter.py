"""A recipe to start from: what it says is read off the model and the data, and it can be read back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from places import REPO

from edgegreen import recipe, starter
from edgegreen.config.datakeys import Data
from edgegreen.errors import InputError

TWO_IN_TWO_OUT = REPO / "tests" / "fixtures" / "models" / "two_in_two_out.tflite"


@pytest.fixture
def kws(assets: Path, tmp_path: Path) -> Path:
    """A folder with MLPerf Tiny's keyword spotting, float, and its data under the names they have here."""
    folder = tmp_path / "my kws (v2)"
    folder.mkdir()
    for part in ("calibration", "evaluation"):
        shutil.copy(assets / "kws" / f"kws01_{part}.npz", folder / f"{part}.npz")
    shutil.copy(assets / "kws" / "kws_ref_model_int8.tflite", folder / "model.tflite")
    return folder


def test_what_lies_beside_the_model_is_taken_and_fits(kws: Path, tmp_path: Path) -> None:
    model = kws / "model.tflite"
    found = starter.look(model, starter.beside(model))
    assert (found.metric, list(found.variants)) == ("top1", ["as-shipped"])
    assert starter.name_of(model) == "my-kws-v2"
    (tmp_path / "recipes").mkdir()
    made = starter.write(found, tmp_path / "recipes" / "kws.yaml")
    assert made == recipe.load(tmp_path / "recipes" / "kws.yaml")
    assert made.model == (tmp_path / "recipes" / ".." / "my kws (v2)" / "model.tflite")
    assert "# training: training.npz" in (tmp_path / "recipes" / "kws.yaml").read_text()


def test_samples_of_another_shape_are_refused(kws: Path) -> None:
    np.savez(kws / "evaluation.npz", x=np.zeros((4, 3, 3), np.float32), y=np.zeros(4, int))
    with pytest.raises(InputError, match="a sample is 3×3, and the model takes 49×10×1"):
        starter.look(kws / "model.tflite", starter.beside(kws / "model.tflite"))


@pytest.mark.parametrize(
    ("y", "shape", "metric"),
    [
        (np.array([0, 2]), (1, 3), "top1"),
        (np.eye(3), (1, 3), "top1"),
        (np.array([0, 1]), (1, 1), "auc"),
        (np.array([0.5, 3.25]), (1, 1), "mse"),
        (np.zeros((2, 3)), (1, 3), "mse"),
        (np.zeros((2, 4, 4, 1)), (1, 4, 4, 1), "mse"),
        (np.array([0, 7]), (1, 3), None),  # a class that the model does not have
        (np.zeros((2, 5)), (1, 3), None),
        (None, (1, 3), None),
    ],
)
def test_the_metric_follows_from_labels_and_output(
    y: np.ndarray | None, shape: tuple[int, ...], metric: str | None
) -> None:
    output = (starter.TensorSpec("out", shape, "float32"),)
    if metric is None:
        with pytest.raises(InputError, match=r"evaluation data e\.npz: "):
            starter._metric(Path("e.npz"), y, output)
    else:
        assert starter._metric(Path("e.npz"), y, output) == metric


def test_without_data_it_runs_all_the_same(tmp_path: Path) -> None:
    made = starter.write(starter.look(TWO_IN_TWO_OUT, {}), tmp_path / "r.yaml")
    assert made.data == Data()
    assert "int8-tflite" not in made.variants
    with pytest.raises(InputError, match="is there already"):
        starter.check_place(tmp_path / "r.yaml")


def test_lines_that_are_commented_out_can_be_taken_in(tmp_path: Path) -> None:
    text = starter.text(starter.look(TWO_IN_TWO_OUT, {}), tmp_path)
    taken_in = re.sub(r"(?m)^( *)# (data:|\w+: \w+\.npz)", r"\1\2", text)
    (tmp_path / "r.yaml").write_text(taken_in)
    made = recipe.load(tmp_path / "r.yaml").data
    assert [made.calibration, made.evaluation, made.training] == [
        tmp_path / f"{part}.npz" for part in starter.PARTS
    ]
