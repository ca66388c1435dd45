"""Passes in a recipe: what is refused before any work, and one through the whole build."""

from __future__ import annotations

import importlib.util
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import training_jobs

from edgegreen import session
from edgegreen.compress.training import TrainingData
from edgegreen.convert import compressing
from edgegreen.errors import InputError
from edgegreen.passes import Pass
from edgegreen.prepare import prepare
from edgegreen.sources import tflitefile
from edgegreen.sources.request import Request
from edgegreen.workers import Workers

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


class Quiet:
    def step(self, *_: object) -> None: ...
    def finish(self, *_: object) -> None: ...
    def note(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("passes", "data", "words"),
    [
        ("{prun: {sparsity: 0.5}}", {}, "did you mean `prune`"),
        ("{prune: {sparsity: 1.5}}", {}, "sparsity"),
        ("{prune: {}}", {"training": DIGITS / "evaluation.npz"}, "are the evaluation data as well"),
        ("{qat: {}}", {"training": ""}, "pass `qat` trains, and the recipe names no `data.training`"),
        ("{distill: {}}", {}, "would teach the model by itself"),
        ("{prune: {}}, {distill: {student: small.keras}}", {}, "loses what the passes before it made"),
        ("{distill: {student: small.keras}}", {}, r"student: .*small\.keras does not exist"),
        ("{distill: {teacher: recipe.yaml, epochs: 1}}", {}, "`.yaml` is no model format known here"),
    ],
)
def test_refused(tmp_path: Path, passes: str, data: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        session.build_only(prepare(recipe(tmp_path, passes, **data)), Quiet())


def test_samples_in_both_are_refused(tmp_path: Path) -> None:
    with np.load(DIGITS / "training.npz") as one, np.load(DIGITS / "evaluation.npz") as other:
        both = {name: np.concatenate([one[name], other[name][:2]]) for name in ("x", "y")}
    np.savez(tmp_path / "both.npz", **both)
    path = recipe(tmp_path, "{prune: {}}", training=str(tmp_path / "both.npz"))
    with pytest.raises(InputError, match="have 2 samples of the evaluation data"):
        session.build_only(prepare(path), Quiet())


def test_calibrating_on_what_is_evaluated_is_noted(tmp_path: Path) -> None:
    notes: list[str] = []

    class Noting(Quiet):
        def note(self, *words: object) -> None:
            notes.append(" ".join(map(str, words)))

    path = recipe(tmp_path, "", calibration=str(DIGITS / "evaluation.npz"))
    path.write_text(path.read_text().replace("precision: fp32", "precision: int8"))
    session.build_only(prepare(path), Noting())
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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed")
def test_qat_trains_with_the_rounding_that_the_file_has(tmp_path: Path) -> None:
    """Nobody rounds to the same values; but the noise that it makes is as strong in both, within 2 dB."""
    path = recipe(tmp_path, "")
    path.write_text(path.read_text().replace("precision: fp32", "precision: int8"))
    built, _ = session.build_only(prepare(path), Quiet())
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
def test_a_pruned_model_keeps_its_zeros_to_the_file(tmp_path: Path) -> None:
    plan = prepare(recipe(tmp_path, "{prune: {sparsity: 0.75, epochs: 4}}"))
    built, failed = session.build_only(plan, Quiet())
    assert not failed
    artifact = built["v"]
    assert artifact.compressed_bytes < 0.5 * artifact.size_bytes
    model = tflitefile.read(artifact.files[0].path)
    large = [one.data for one in model.buffers if one.data is not None and len(one.data) >= 4000]
    assert len(large) == 2  # conv2 and conv3; batch normalisation is folded in, which keeps zeros
    assert all(np.mean(np.frombuffer(bytes(one), np.float32) == 0) >= 0.74 for one in large)
    again, _ = session.build_only(plan, Quiet())
    assert again["v"].sha256 == artifact.sha256
