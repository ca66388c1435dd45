"""The files that a recipe names: absent ones are told with their lines, before anything is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgegreen import namedfiles, recipe
from edgegreen.errors import InputError
from edgegreen.recipe import Recipe

TEXT = """name: kws
model: m.tflite
data:
  evaluation: e.npz
  metric: {python: metric.py:score}
variants:
  int8.v2: {format: tflite, passes: [{prune: {}}, {distill: {student: s.keras}}]}
"""


def said(of: Recipe) -> list[str]:
    with pytest.raises(InputError) as caught:
        namedfiles.check(of)
    return [*caught.value.message.splitlines(), caught.value.hint or ""]


def load(folder: Path, text: str = TEXT) -> Recipe:
    (folder / "r.yaml").write_text(text)
    return recipe.load(folder / "r.yaml")


def test_every_absent_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    assert said(load(tmp_path)) == [
        f"{file}:2: `model`: {tmp_path}/m.tflite does not exist",
        f"{file}:4: `data.evaluation`: {tmp_path}/e.npz does not exist",
        f"{file}:5: `data.metric`: {tmp_path}/metric.py does not exist",
        f"{file}:7: `variants.int8.v2.passes[1].distill.student`: {tmp_path}/s.keras does not exist",
        "paths are relative to the recipe",
    ]


def test_a_model_of_no_kind_known_here(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_text("I am not a model")
    assert said(load(tmp_path, "name: kws\nmodel: m.tflite\n")) == [
        f"{tmp_path}/r.yaml:2: `model`: {tmp_path}/m.tflite: not a readable TFLite model",
        "is it whole, and is its name right?",
    ]


def test_what_cannot_be_looked_at_and_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "e.npz").mkdir()
    long = "m" * 300 + ".tflite"
    assert said(load(tmp_path, f"name: kws\nmodel: {long}\ndata: {{evaluation: e.npz}}\n"))[:2] == [
        f"{tmp_path}/r.yaml:2: `model`: {tmp_path}/{long} cannot be looked at: File name too long",
        f"{tmp_path}/r.yaml:3: `data.evaluation`: {tmp_path}/e.npz is a folder",
    ]


def test_what_a_digest_names_is_not_looked_for(tmp_path: Path) -> None:
    download = {"url": "https://127.0.0.1:9/m.tflite", "sha256": "5f" * 32}
    namedfiles.check(load(tmp_path, f"name: kws\nmodel: {json.dumps(download)}\n"))


def test_a_recipe_made_in_python_has_no_lines(tmp_path: Path) -> None:
    made = Recipe(name="kws", model=tmp_path / "m.tflite")
    assert said(made)[0] == f"`model`: {tmp_path}/m.tflite does not exist"
