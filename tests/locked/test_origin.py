"""What a run is made from."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from edgegreen import recipe
from edgegreen.errors import InputError
from edgegreen.locked import origin
from edgegreen.recipe import Recipe

RECIPE = """\
# as somebody wrote it
name: tiny
model: model.tflite
data: {evaluation: evaluation.npz, metric: {python: "score.py:mine"}}
variants:
  lean: {passes: [{distill: {student: student.keras}}], format: tflite, precision: fp32}
"""


@pytest.fixture
def written(tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    for name in ("model.tflite", "evaluation.npz", "score.py", "student.keras"):
        (tmp_path / name).write_bytes(name.encode())
    return recipe.load(tmp_path / "recipe.yaml")


def test_recipe_is_kept_as_it_was_written(written: Recipe) -> None:
    found = origin.of(written)

    assert (found.recipe_file, found.recipe_text) == ("recipe.yaml", RECIPE)


def test_every_file_the_recipe_names_has_its_sha256(written: Recipe) -> None:
    expected = {
        "model": "model.tflite",
        "data.evaluation": "evaluation.npz",
        "data.metric": "score.py",
        "variants.lean.passes.0.distill.student": "student.keras",
    }

    found = origin.of(written).files

    assert found == {key: hashlib.sha256(name.encode()).hexdigest() for key, name in expected.items()}


def test_missing_file_is_named_by_its_key(written: Recipe) -> None:
    assert written.written is not None
    (written.written.file.parent / "evaluation.npz").unlink()

    with pytest.raises(InputError, match=r"^data\.evaluation: .*evaluation\.npz does not exist"):
        origin.of(written)


def test_no_repository_no_commit(written: Recipe) -> None:
    assert origin.of(written).git is None


def test_commit_and_whether_there_are_changes_besides(written: Recipe) -> None:
    assert written.written is not None
    folder = written.written.file.parent
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )

    committed = origin.of(written).git
    (folder / "score.py").write_text("changed", encoding="utf-8")
    changed = origin.of(written).git

    assert committed is not None
    assert changed is not None
    assert (committed.sha, committed.modified, changed.modified) == (head.stdout.strip(), False, True)


def test_tools_are_those_installed(written: Recipe) -> None:
    assert {"edgegreen", "numpy", "openvino"} <= set(origin.of(written).tools)
