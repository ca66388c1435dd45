"""From a kept run to its repetition: where the recipe is, what is repeated, what of its origin differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import measurement, run

from edgegreen import recipe, repeating
from edgegreen.building import Silence
from edgegreen.errors import InputError
from edgegreen.home import home
from edgegreen.locked import origin
from edgegreen.measurement import Run

RECIPE = """\
name: keyword-spotting
model: model.tflite
data: {evaluation: evaluation.npz}
variants:
  one: {format: tflite}
  two: {format: tflite}
benchmark: {threads: [1, 4]}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the recipe and its files."""
    monkeypatch.chdir(tmp_path)
    for name in ("model.tflite", "evaluation.npz"):
        (tmp_path / name).write_bytes(b"\0\0\0\0TFL3" + name.encode())
    (tmp_path / "kws.yaml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def kept(**origin_changes: Any) -> Run:
    """A run of variant `one` on this machine, one trial of four."""
    made = origin.of(recipe.load(Path("kws.yaml"))).model_copy(update=origin_changes)
    return run(measurement("one", target="local", threads=4), origin=made)


def test_what_was_measured_is_repeated_and_nothing_else() -> None:
    repetition = repeating.of(kept())
    (trial,) = repetition.plan.trials
    assert (trial.variant_name, trial.threads, trial.target.name) == ("one", 4, "local")
    assert repetition.refuse() is None


def test_the_recipe_may_lie_elsewhere(here: Path) -> None:
    of = kept()
    (here / "recipes").mkdir()
    for name in ("kws.yaml", "model.tflite", "evaluation.npz"):
        (here / name).rename(here / "recipes" / name)
    assert repeating.of(of).refuse() is None
    (here / "recipes").rename(here / "away")
    with pytest.raises(InputError, match=r"recipe kws\.yaml is not here") as error:
        repeating.of(of)
    assert "--recipe" in str(error.value.hint)
    assert repeating.of(of, Path("away/kws.yaml")).refuse() is None


def test_recipe_and_data_that_differ_are_named(here: Path) -> None:
    of = kept()
    (here / "evaluation.npz").write_bytes(b"changed")
    (here / "kws.yaml").write_text("# a comment\n" + RECIPE.replace("[1, 4]", "[4]"), encoding="utf-8")
    refused = repeating.of(of).refuse()
    assert refused is not None
    assert [line.split(":")[0].strip() for line in refused.message.splitlines()[1:]] == [
        "recipe.benchmark", "files.data.evaluation",
    ]  # fmt: skip
    assert "--force" in str(refused.hint)


def test_tools_that_differ_are_told_and_refuse_nothing() -> None:
    repetition = repeating.of(kept(tools={"numpy": "1.0"}, host="VMS"))
    assert repetition.refuse() is None
    assert {"tools.numpy", "host"} <= {one.what for one in repetition.beside}


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (lambda: run(measurement(), origin=None), "does not say what it was made from"),
        (lambda: kept(recipe_text=None), "does not say what it was made from"),
        (lambda: kept().model_copy(update={"results": ()}), "measured nothing"),
        (lambda: kept().model_copy(update={"recipe": "other"}), "is of recipe `other`"),
    ],
)
def test_runs_that_cannot_be_repeated(of: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        repeating.of(of())


def test_a_target_that_is_not_in_the_run() -> None:
    with pytest.raises(InputError, match=r"has no target `ssh://board\.local`"):
        repeating.of(kept(), targets=["ssh://board.local"])


def test_models_are_built_from_nothing_unless_told_otherwise() -> None:
    repetition = repeating.of(kept())
    with repeating.session(repetition, Silence()) as one:
        assert one._cache is not None
        folder = one._cache.folder
        assert folder.parent == home()
    assert not folder.exists()
    with repeating.session(repetition, Silence(), cached=True) as one:
        assert one._cache is None
