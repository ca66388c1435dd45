"""`edgegreen validate`: what is wrong with a file is said before anything runs, and nothing is fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from places import REPO

from edgegreen import check
from edgegreen.errors import InputError


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe with everything beside it."""
    shutil.copy(REPO / "recipes" / "digits" / "model.keras", tmp_path / "m.keras")
    np.savez(tmp_path / "c.npz", x=np.zeros((4, 2), np.float32))
    np.savez(tmp_path / "e.npz", x=np.zeros((4, 2), np.float32), y=np.arange(4))
    path = tmp_path / "r.yaml"
    path.write_text(
        "name: kws\nmodel: m.keras\ndata: {calibration: c.npz, evaluation: e.npz}\n"
        "variants: {int8: {format: tflite, precision: int8}}\n"
    )
    return path


def said(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        check.file(path)
    return caught.value.message


def edit(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_recipe_and_a_target(recipe: Path, tmp_path: Path) -> None:
    assert check.file(recipe) == "recipe `kws`, 1 variant: ok"
    assert check.file(edit(recipe, "variants:", "# ")) == "recipe `kws`, the default variants: ok"
    assert (
        check.file(REPO / "targets" / "pi5.yaml") == "target `pi5` (raspberry-pi-5): ok, `host` not set yet"
    )
    (tmp_path / "t.yaml").write_text("host: pi.local\n")
    assert check.file(tmp_path / "t.yaml") == "target `t` (linux): ok"


def test_the_kind_is_told_from_the_keys_even_when_they_are_wrong(recipe: Path, tmp_path: Path) -> None:
    assert "unknown key `nam`; did you mean `name`?" in said(edit(recipe, "name:", "nam:"))
    (tmp_path / "t.yaml").write_text("hots: pi.local\n")
    assert "unknown key `hots`; did you mean `host`?" in said(tmp_path / "t.yaml")


def test_a_machine_to_compile_on_that_is_none(recipe: Path) -> None:
    edit(recipe, "format: tflite", "format: edgetpu, compile_on: nosuch")
    assert said(recipe) == "`compile_on`: no target called `nosuch`"


def test_files_that_are_not_there(recipe: Path) -> None:
    assert (
        said(edit(recipe, "m.keras", "n.keras"))
        == f"{recipe}:2: `model`: {recipe.parent / 'n.keras'} does not exist"
    )


def test_data_that_is_none(recipe: Path) -> None:
    assert "not an npz file" in said(edit(recipe, "c.npz", "r.yaml"))


def test_labels_that_do_not_go_with_the_metric(recipe: Path) -> None:
    told = said(edit(recipe, "e.npz}", "e.npz, metric: auc}"))
    assert "r.yaml:3: `data.evaluation`: " in told
    assert told.endswith("e.npz: auc takes labels 0 and 1; y goes up to 3")
    assert "no `y`" in said(edit(recipe, "evaluation: e.npz", "evaluation: c.npz"))


def test_an_integer_variant_without_calibration_data(recipe: Path) -> None:
    assert "variant `int8`: int8 is calibrated on data" in said(edit(recipe, "calibration: c.npz, ", ""))


def test_a_model_that_is_none(recipe: Path) -> None:
    (recipe.parent / "m.tflite").write_text("hello")
    assert "not a readable TFLite model" in said(edit(recipe, "m.keras", "m.tflite"))


def test_downloads_are_left_alone(recipe: Path) -> None:
    edit(recipe, "m.keras", "{url: 'https://127.0.0.1:9/m.tflite', sha256: " + "5f" * 32 + "}")
    assert check.file(recipe).endswith("ok")


def test_what_a_footprint_lacks_is_said(recipe: Path) -> None:
    text = recipe.read_text()
    recipe.write_text(text + "\nfootprint: {battery_wh: 10, grid_gco2e_per_kwh: 400}\n")
    assert check.file(recipe).endswith(
        "ok; but `footprint`: no battery life and no CO2e of a year without `inferences_per_hour`"
    )
    recipe.write_text(text + "\nfootprint: {battery_wh: 10, inferences_per_hour: continuous}\n")
    assert check.file(recipe).endswith("ok")
