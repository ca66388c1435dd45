"""`accuracy_drop_max` with the real quantizers, on a model whose outlier channels int8 cannot hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.conftest import Built, run
from convert.test_build import artifact, top1
from edgegreen.artifact import Artifact
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data, Hook
from edgegreen.convert import ai_edge_mixed, build, keys, openvino_mixed, yardstick
from edgegreen.convert.model import Job
from edgegreen.convert.sensitivity import Bounds
from edgegreen.convert.yardstick import Yardstick
from edgegreen.errors import ConversionError, InputError
from edgegreen.mixture import Mixed, within
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import load, tflitefile
from edgegreen.sources.load import Workshop
from edgegreen.sources.request import Request

pytestmark = pytest.mark.slow  # many conversions: half a minute and more

LIMIT = 0.005
# Workers silence what the interpreter says of being calibrated with.
in_this_process = pytest.mark.filterwarnings("ignore:Warning. Enabling .experimental_preserve_all_tensors.")


def variant(
    format_: str = "tflite", precision: str = "int8", limit: float | None = LIMIT, **more: Any
) -> Variant:
    return Variant(format=format_, precision=precision, accuracy_drop_max=limit, **more)


def recipe(models: Path, **data: Any) -> Recipe:
    files = {name: models / f"outliers_{name}.npz" for name in ("calibration", "training", "evaluation")}
    return Recipe(name="outliers", model=models / "outliers.tflite", data=Data(**(files | data)))


def chosen_by(told: Recipe, wanted: Variant) -> Yardstick | None:
    """The yardstick of a recipe, whatever it evaluates on."""
    return yardstick.of(told, {"v": wanted}, None, Cache(Path("never-used")))


def mixed_of(made: Artifact) -> Mixed:
    assert made.mixed is not None
    return made.mixed


@pytest.fixture(scope="module")
def built(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    wanted = {
        "int8": variant(limit=None),
        "tflite": variant(),
        "io": variant(io="int8"),
        "openvino": variant("openvino"),
        "loose": variant(limit=0.5),
    }
    return run(recipe(models), wanted, tmp_path_factory.mktemp("mixed"))


@pytest.mark.parametrize("name", ["tflite", "io", "openvino"])
def test_the_limit_holds_on_data_that_had_no_part_in_the_choice(
    built: Built, models: Path, name: str
) -> None:
    evaluation = models / "outliers_evaluation.npz"
    made = artifact(built, name)
    assert 1.0 - top1(made, evaluation) <= LIMIT  # the float model has them all right
    mixed = mixed_of(made)
    assert 0 < len(mixed.kept) < mixed.operators
    assert (mixed.limit, mixed.n, mixed.held_out_n, mixed.stopped) == (LIMIT, 768, 256, None)
    assert mixed.judged_by == "top1 on 768 training samples"
    assert mixed.held_out_drop is not None
    assert mixed.drop_upper is not None
    assert mixed.drop_all is not None
    assert mixed.drop <= mixed.drop_upper <= LIMIT < mixed.drop_all


def test_int8_throughout_loses_more_than_two_points(built: Built, models: Path) -> None:
    assert 1.0 - top1(artifact(built, "int8"), models / "outliers_evaluation.npz") > 0.02


def test_the_file_has_those_in_float_and_the_others_in_int8(built: Built) -> None:
    made = artifact(built, "tflite")
    kept = mixed_of(made).kept
    assert [one.kind for one in kept] == ["CONV_2D", "CONV_2D"]
    assert [layer for one in kept for layer in ("wide", "narrow", "calm") if f"/{layer}" in one.name]
    model = tflitefile.read(made.files[0].path)
    kernels = [
        t for t in model.subgraphs[0].tensors if len(t.shape) == 4 and tflitefile.is_constant(model, t)
    ]
    assert sorted(tflitefile.dtype_of(kernel) for kernel in kernels) == ["float32", "float32", "int8"]


def test_the_types_of_inputs_and_outputs_are_kept(built: Built) -> None:
    model = tflitefile.read(artifact(built, "io").files[0].path)
    assert {port.dtype for ports in tflitefile.ports(model) for port in ports} == {"int8"}


def test_a_limit_that_int8_keeps_leaves_nothing_in_float(built: Built) -> None:
    made = artifact(built, "loose")
    assert mixed_of(made).kept == ()
    assert made.sha256 == artifact(built, "int8").sha256
    assert made.key != artifact(built, "int8").key


def test_the_same_again_is_the_same_file(built: Built, tmp_path: Path) -> None:
    again = run(built.recipe, {"tflite": variant()}, tmp_path)
    assert artifact(again, "tflite").sha256 == artifact(built, "tflite").sha256
    assert artifact(again, "tflite").mixed == artifact(built, "tflite").mixed


def test_without_labels_agreement_with_the_float_model_stands_in(models: Path, tmp_path: Path) -> None:
    x = np.load(models / "outliers_training.npz")["x"]
    np.savez(tmp_path / "unlabelled.npz", x=x[:200])
    wanted = recipe(models, training=None, calibration=tmp_path / "unlabelled.npz")
    made = mixed_of(artifact(run(wanted, {"v": variant(limit=0.02)}, tmp_path / "cache"), "v"))
    on = "agreement with the float model (top1) on 200 calibration samples, which have no labels"
    assert made.judged_by == on
    assert within(made.drop, 0.02)
    assert made.held_out_drop is None  # 200 are all needed for the choice


@pytest.fixture(scope="module")
def jobs(models: Path, shop: Workshop) -> Any:
    """Jobs of the model, to convert in this process."""

    def make(wanted: Variant) -> Job:
        told = recipe(models)
        request = Request.of(models / "outliers.tflite", calibration=models / "outliers_calibration.npz")
        source = load.load(request, shop, lambda *_: None)
        return Job(request, source, source.model, wanted, chosen_by(told, wanted))

    return make


@in_this_process
@pytest.mark.parametrize("bounds", [Bounds(seconds=0.0), Bounds(steps=1)])
@pytest.mark.parametrize("converter", [ai_edge_mixed, openvino_mixed])
def test_out_of_bounds_it_ends_with_what_it_has(
    jobs: Any, tmp_path: Path, converter: Any, bounds: Bounds
) -> None:
    wanted = variant("openvino" if converter is openvino_mixed else "tflite", limit=0.001)
    said: list[str] = []
    built, mixed = converter.convert(
        lambda stage, done=None: said.append(stage), jobs(wanted), tmp_path, bounds
    )
    assert all(file.is_file() for file in built.files)
    assert mixed.stopped is not None
    assert mixed.stopped.startswith("after ")
    assert mixed.steps <= 3
    assert set(said) <= {"converting", "choosing precision"}


@in_this_process
def test_what_only_float_keeps_is_refused(jobs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that gets worse however little of it is quantised."""
    monkeypatch.setattr("edgegreen.convert.judge.Bench.drop", lambda *_: 0.25)
    with pytest.raises(
        ConversionError, match="no mixture of int8 and fp32 that was tried keeps to"
    ) as caught:
        ai_edge_mixed.convert(lambda *_: None, jobs(variant()), tmp_path)
    assert "a drop of 0.25" in caught.value.message


class TestWhatItIsChosenOn:
    def test_never_the_evaluation_data(self, models: Path, tmp_path: Path) -> None:
        for data in (
            {"training": models / "outliers_evaluation.npz"},
            {"training": None, "calibration": models / "outliers_evaluation.npz"},
        ):
            with (
                pytest.raises(InputError, match="are the evaluation data as well"),
                build(recipe(models, **data), {"v": variant()}, Cache(tmp_path), lambda _: None),
            ):
                pass

    def test_nor_data_that_have_a_sample_of_them(self, models: Path, tmp_path: Path) -> None:
        x = np.load(models / "outliers_evaluation.npz")["x"][:1]
        other = np.load(models / "outliers_calibration.npz")["x"][:30]
        np.savez(tmp_path / "mostly.npz", x=np.concatenate([other, x]))
        wanted = recipe(models, training=None, calibration=tmp_path / "mostly.npz")
        with (
            pytest.raises(InputError, match="have 1 sample of the evaluation data"),
            build(wanted, {"v": variant()}, Cache(tmp_path / "cache"), lambda _: None),
        ):
            pass

    def test_a_hook_needs_labels(self, models: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "unlabelled.npz", x=np.zeros((30, 4, 4, 2), np.float32))
        (tmp_path / "m.py").write_text("def f(outputs, y): return 1.0\n")
        hook = Hook(python=f"{tmp_path / 'm.py'}:f")
        wanted = recipe(models, training=None, calibration=tmp_path / "unlabelled.npz", metric=hook)
        with pytest.raises(InputError, match="has no `y`"):
            chosen_by(wanted, variant())

    def test_the_key_has_the_limit_and_the_data(self, models: Path, tmp_path: Path) -> None:
        request = Request.of(models / "outliers.tflite", calibration=models / "outliers_calibration.npz")
        stick = chosen_by(recipe(models), variant())
        assert stick is not None
        other = chosen_by(recipe(models, training=None), variant())
        assert other is not None
        assert (stick.what, other.what) == ("training", "calibration")
        (tmp_path / "m.py").write_text("def f(outputs, y): return 1.0\n")
        hook = Hook(python=f"{tmp_path / 'm.py'}:f")
        found = [
            keys.of_artifact(request, variant(), stick),
            keys.of_artifact(request, variant(limit=0.01), stick),
            keys.of_artifact(request, variant(), other),
            keys.of_artifact(request, variant(), replace(stick, metric="mse")),
            keys.of_artifact(request, variant(), replace(stick, metric=hook)),
            keys.of_artifact(request, variant(limit=None), stick),
        ]
        (tmp_path / "m.py").write_text("def f(outputs, y): return 2.0\n")
        found.append(keys.of_artifact(request, variant(), replace(stick, metric=hook)))
        assert len(set(found)) == len(found)
        assert keys.of_artifact(request, variant(limit=None), stick) == keys.of_artifact(
            request, variant(limit=None)
        )

    def test_nothing_is_read_for_variants_without_a_limit(self) -> None:
        absent = Data(training=Path("/nowhere.npz"))
        wanted = Recipe(name="r", model=Path("m.tflite"), data=absent)
        assert chosen_by(wanted, variant(limit=None)) is None
