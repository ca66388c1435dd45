"""`best.yaml`: what it says is what was found, whatever stands in names, paths and numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import measurement

from edgegreen import recipe
from edgegreen.config.datakeys import Hook
from edgegreen.config.yamlfile import parse
from edgegreen.errors import InputError
from edgegreen.judging.front import Outcome, Tried
from edgegreen.judging.objectives import OBJECTIVES, Score
from edgegreen.recipe import Recipe, Variant
from edgegreen.search import best
from edgegreen.search.best import Found

TEXT = """
name: 12-kws
model: sub/m.keras
input_shape: {"in:0": [1, 8]}
data:
  training: t.npz
  evaluation: {file: e.npz, sha256: %s}
  validation: 0.25
  metric: {python: "own.py:score", higher_is_better: false}
variants:
  "1e3": {format: tflite, precision: fp32}
  mine: {passes: [{prune: {pattern: "2:4", learning_rate: 1.0e-7}}], format: tflite, precision: int8}
benchmark: {duration_s: 3, threads: [1, 4], power_modes: [1]}
budgets:
  latency_p95_ms_max: 50
  energy_mj_max: 3
  targets: {"ssh://pi@pi": {energy_mj_max: null, power_w_max: 4}}
seed: 7
search: {passes: {}}
""" % ("ab" * 32)


def found(folder: Path, *, given: bool = False) -> Found:
    loaded: Recipe = parse(TEXT, Recipe, "r.yaml", folder=folder)
    variants = loaded.variants
    winner = Tried(
        "mine" if given else "trial-003", "prune\n→ x: y", variants["mine"], given, measurement(threads=4),
        Score(0.004, 1.5), None,
    )  # fmt: skip
    outcome = Outcome((winner,), OBJECTIVES["latency"], 0.01)
    return Found(
        loaded, outcome, winner, variants["mine"], ("1e3", variants["1e3"]), "20261122-040000-abc123"
    )


@pytest.mark.parametrize("given", [False, True])
def test_it_is_a_recipe_that_says_the_same(given: bool, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "best.yaml"
    wanted = found(tmp_path, given=given)
    best.write(wanted, path, "top1 0.9\nmodel: other")
    made = recipe.load(path)
    was = wanted.judging
    assert list(made.variants.values()) == [was.variants["1e3"], was.variants["mine"]]
    assert list(made.variants) == ["1e3", "mine" if given else "best"]
    assert (made.name, made.seed, made.baseline, made.input_shape) == ("12-kws", 7, "1e3", was.input_shape)
    assert made.benchmark.threads == (4,)
    assert made.benchmark.duration_s == 3
    assert not made.benchmark.power_modes
    assert made.budgets == was.budgets.model_copy(update={"accuracy_drop_max": 0.01})
    assert isinstance(made.model, Path)
    assert isinstance(made.data.training, Path)
    assert made.model.resolve() == (tmp_path / "sub" / "m.keras").resolve()
    assert made.data.training.resolve() == (tmp_path / "t.npz").resolve()
    assert (made.data.evaluation, made.data.validation) == (was.data.evaluation, 0.25)
    assert isinstance(made.data.metric, Hook)
    assert Path(made.data.metric.python.rpartition(":")[0]).resolve() == (tmp_path / "own.py").resolve()
    text = path.read_text()
    assert all(line.startswith("#") for line in text.partition("\n\n")[0].splitlines())
    for said in ("trial-003" if not given else "mine", "5f" * 32, "top1 0.9 model: other", "loss 0.004"):
        assert said in text.partition("\n\n")[0]


def test_the_winner_gets_a_name_of_its_own(tmp_path: Path) -> None:
    wanted = found(tmp_path)
    clash = Found(
        wanted.judging, wanted.outcome, wanted.winner, wanted.variant,
        ("best", Variant(format="tflite", precision="fp32")), "x",
    )  # fmt: skip
    best.write(clash, tmp_path / "best.yaml")
    assert list(recipe.load(tmp_path / "best.yaml").variants) == ["best", "best-found"]


def test_only_what_a_search_wrote_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    best.check_place(path)
    best.write(found(tmp_path), path)
    best.check_place(path)
    path.write_text("name: mine\n")
    with pytest.raises(InputError, match="no search wrote it"):
        best.check_place(path)
    with pytest.raises(InputError, match="a folder, not a file"):
        best.check_place(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        best.check_place(tmp_path / "none" / "best.yaml")
