"""Passes in a recipe: what is refused before any work, and one through the whole build."""

from __future__ import annotations

import importlib.util
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import training_jobs

from edgegreen import building, session
from edgegreen.agent import runtimes
from edgegreen.agent.normalize import Normalize
from edgegreen.cache.store import Cache
from edgegreen.compress.training import TrainingData
from edgegreen.config.passes import Pass
from edgegreen.convert import compressing
from edgegreen.errors import InputError
from edgegreen.prepare import prepare
from edgegreen.recipe import Recipe
from edgegreen.sources import tflitefile
from edgegreen.sources.request import Request
from edgegreen.workers.pool import Workers

DIGITS = Path(__file__).parents[2] / "recipes" / "digits"


def recipe(folder: Path, passes: str, **data: str) -> Path:
    files = {name: DIGITS / f"{name}.npz" for name in ("calibration", "evaluation", "training")} | data
    lines = ", ".join(f"{name}: {file}" for name, file in files.items() if file)
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: small\nmodel: {DIGITS / 'model.keras'}\ndata: {{{lines}}}\n"
        f"variants: {{v: {{passes: [{passes}], format: tflite, precision: fp32}}}}\n"
    )
    return path


tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)


class Quiet:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, *_: object) -> None: ...
    def finish(self, *_: object) -> None: ...
    def note(self, who: str, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize(
    ("passes", "data", "words"),
    [
        ("{prun: {sparsity: 0.5}}", {}, "did you mean `prune`"),
        ("{prune: {sparsity: 1.5}}", {}, "sparsity"),
        ("{prune: {}}", {"training": DIGITS / "evaluation.npz"}, "are the evaluation data as well"),
        ("{prune_filters: {share: 1}}", {}, "share"),
        ("{low_rank: {rank: 0.5, energy: 0.9}}", {}, "either `energy` or `rank`"),
        ("{fold: {batch_norm: false, input: false}}", {}, "folds nothing"),
        ("{qat: {}}", {"training": ""}, "pass `qat` trains, and the recipe names no `data.training`"),
        ("{distill: {}}", {}, "would teach the model by itself"),
        ("{prune: {}}, {distill: {student: recipe.yaml}}", {}, "loses what the passes before it made"),
        (
            "{distill: {student: small.keras}}",
            {},
            r"recipe\.yaml:\d+: `.*student`: .*small\.keras does not exist",
        ),
        ("{distill: {teacher: recipe.yaml, epochs: 1}}", {}, "`.yaml` is no model format known here"),
    ],
)
def test_refused(tmp_path: Path, passes: str, data: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        building.build_only(prepare(recipe(tmp_path, passes, **data)), Quiet())


@tensorflow
def test_samples_in_both_are_refused(tmp_path: Path) -> None:
    with np.load(DIGITS / "training.npz") as one, np.load(DIGITS / "evaluation.npz") as other:
        both = {name: np.concatenate([one[name], other[name][:2]]) for name in ("x", "y")}
    np.savez(tmp_path / "both.npz", **both)
    path = recipe(tmp_path, "{prune: {}}", training=str(tmp_path / "both.npz"))
    with pytest.raises(InputError, match="have 2 samples of the evaluation data"):
        building.build_only(prepare(path), Quiet())


@pytest.mark.slow
def test_calibrating_on_what_is_evaluated_is_noted(tmp_path: Path) -> None:
    notes: list[str] = []

    class Noting(Quiet):
        def note(self, *words: object) -> None:
            notes.append(" ".join(map(str, words)))

    path = recipe(tmp_path, "", calibration=str(DIGITS / "evaluation.npz"))
    path.write_text(path.read_text().replace("precision: fp32", "precision: int8"))
    building.build_only(prepare(path), Noting())
    assert len(notes) == 1
    assert notes[0].startswith("models 450 samples of the evaluation data are among the calibration data")


def test_a_teacher_counts_by_its_content(tmp_path: Path) -> None:
    """The same teacher elsewhere is the same model; another is not."""
    keys = []
    for name, source in (("one", DIGITS / "model.keras"), ("two", DIGITS / "model.keras"), ("one", None)):
        teacher = tmp_path / f"{name}.keras"
        if source:
            shutil.copyfile(source, teacher)
        else:
            with zipfile.ZipFile(teacher, "a") as archive:
                archive.writestr("note.txt", "another")
        step = Pass.model_validate({"distill": {"teacher": str(teacher)}})
        request = Request.of(DIGITS / "model.keras")
        keys.append(compressing.key(request, [step], TrainingData(None, "top1", None, 0)))
    assert keys[0] == keys[1] != keys[2]


def test_where_a_metric_of_ones_own_lies_counts_for_nothing(tmp_path: Path) -> None:
    """Passes train for a loss; the same recipe on another machine is the same model."""
    found = []
    for folder in ("one", "two"):
        metric = {"python": str(tmp_path / folder / "score.py:score")}
        told = Recipe.model_validate(
            {"name": "x", "model": DIGITS, "data": {"metric": metric, "loss": "mse"}}
        )
        found.append(compressing.training_data(told, {}, None, Cache(tmp_path / "cache")))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed")
def test_qat_trains_with_the_rounding_that_the_file_has(tmp_path: Path) -> None:
    """Nobody rounds to the same values; but the noise that it makes is as strong in both, within 2 dB."""
    path = recipe(tmp_path, "")
    path.write_text(path.read_text().replace("precision: fp32", "precision: int8"))
    built, _ = building.build_only(prepare(path), Quiet())
    assert built["v"].agreement is not None
    workers = Workers(tmp_path, tools=1)
    try:
        plain, rounded = workers.run(
            "tensorflow", training_jobs.rounded_outputs, DIGITS / "model.keras", DIGITS / "calibration.npz"
        )
    finally:
        workers.close()
    noise_db = 10 * np.log10((plain**2).sum() / ((plain - rounded) ** 2).sum())
    assert abs(noise_db - built["v"].agreement.sqnr_db) < 2


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed")
@pytest.mark.slow
def test_a_pruned_model_keeps_its_zeros_to_the_file(tmp_path: Path) -> None:
    plan = prepare(recipe(tmp_path, "{prune: {sparsity: 0.75, epochs: 4}}"))
    built, failed = building.build_only(plan, Quiet())
    assert not failed
    artifact = built["v"]
    assert artifact.compressed_bytes < 0.5 * artifact.size_bytes
    model = tflitefile.read(artifact.files[0].path)
    large = [one.data for one in model.buffers if one.data is not None and len(one.data) >= 4000]
    assert len(large) == 2  # conv2 and conv3; batch normalisation is folded in, which keeps zeros
    assert all(np.mean(np.frombuffer(bytes(one), np.float32) == 0) >= 0.74 for one in large)
    again, _ = building.build_only(plan, Quiet())
    assert again["v"].sha256 == artifact.sha256


def raw_recipe(folder: Path) -> Path:
    """The digits as bytes, 0 … 16, as a camera would give them; the model wants them divided by 16."""
    for name in ("calibration", "evaluation", "training"):
        with np.load(DIGITS / f"{name}.npz") as data:
            x = np.rint(16 * data["x"]).astype(np.uint8)
            np.savez(folder / f"{name}.npz", x=x, y=data["y"])
    path = folder / "raw.yaml"
    path.write_text(
        f"name: raw\nmodel: {DIGITS / 'model.keras'}\n"
        "data: {calibration: calibration.npz, evaluation: evaluation.npz, training: training.npz,"
        " normalize: {std: 16}}\n"
        "variants:\n"
        "  whole: {format: tflite, precision: int8, io: int8}\n"
        "  lean: {passes: [{prune_filters: {share: 0.5, epochs: 6}}, {fold: {}}],"
        " format: tflite, precision: int8, io: int8}\n"
        "benchmark: {duration_s: 0.2, warmup_s: 0.1}\n"
    )
    return path


@tensorflow
@pytest.mark.slow
def test_a_lean_model_takes_bytes_and_is_as_good(tmp_path: Path) -> None:
    heard = Quiet()
    run = session.deploy(raw_recipe(tmp_path), progress=heard)
    assert not run.failures
    whole, lean = run.results
    assert whole.accuracy is not None
    assert lean.accuracy is not None
    assert whole.accuracy.value > 0.97
    assert lean.accuracy.value > 0.95
    assert lean.artifact.size_bytes < 0.5 * whole.artifact.size_bytes
    assert "lean: prune_filters: 29,098 → 7,642 parameters, 903,808 → 230,720 multiplications" in heard.notes
    assert "lean: fold: the input's normalisation is now in conv1; the model takes raw values" in heard.notes
    built, _ = building.build_only(prepare(tmp_path / "raw.yaml"), Quiet())  # from the cache
    taken = {name: input_of(artifact.files[0].path) for name, artifact in built.items()}
    assert taken["lean"] == ("int8", 1.0, -128)
    assert taken["whole"][1] == pytest.approx(1 / 255, rel=0.01)
    assert built["lean"].normalize is None
    assert built["whole"].normalize == Normalize((0.0,), (1 / 16,))


def input_of(model: Path) -> tuple[str, float | None, int]:
    tensor = runtimes.load("litert", [str(model)], 1).inputs[0]
    return tensor.dtype, tensor.scale, tensor.zero_point


@tensorflow
@pytest.mark.slow
@pytest.mark.slow
def test_resnet8_without_30_percent_of_its_filters_converts_and_runs(assets: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "calibration.npz", x=random.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"name: ic\nmodel: {assets / 'resnet8' / 'pretrainedResnet.h5'}\n"
        "data: {calibration: calibration.npz}\n"
        "variants:\n"
        "  int8: {format: tflite, precision: int8}\n"
        "  lean: {passes: [{prune_filters: {share: 0.3, epochs: 0}}, {low_rank: {energy: 0.9, epochs: 0}},"
        " {fold: {}}], format: tflite, precision: int8}\n"
        "benchmark: {duration_s: 0.5}\n"
    )
    run = session.deploy(recipe)
    assert not run.failures
    int8, lean = run.results
    assert lean.artifact.size_bytes < 0.7 * int8.artifact.size_bytes
    assert lean.latency_ms.n >= 50
