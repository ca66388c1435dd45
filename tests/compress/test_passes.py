"""Passes that train, on small models, in the worker and through the job that a build runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import training_jobs

from edgegreen.artifact import File
from edgegreen.compress import job
from edgegreen.compress.training import TrainingData
from edgegreen.config.passes import Pass
from edgegreen.errors import InputError
from edgegreen.workers.pool import Workers

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="tensorflow is not installed"
)
PRUNE = {"prune": {"sparsity": 0.5, "epochs": 2}}
CLUSTER = {"cluster": {"clusters": 8, "epochs": 1}}
QAT = {"qat": {"epochs": 1}}


class Bench:
    """A worker, the models and the data: images with one of three bars."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers = Workers(folder, tools=1)
        self.workers.run("tensorflow", training_jobs.save_models, folder)
        random = np.random.default_rng(0)
        y = random.integers(0, 3, 240)
        x = random.normal(0, 0.3, (240, 8, 8, 1)).astype(np.float32)
        for number, label in enumerate(y):
            x[number, 2 * label + 1] += 1
        self.x, self.y, self.data = x, y, self.npz("training", x=x, y=y)
        self.made = 0

    def npz(self, name: str, **arrays: Any) -> Path:
        path = self.folder / f"{name}.npz"
        np.savez(path, **arrays)
        return path

    def make(self, model: str | Path, *passes: dict[str, Any], data: Path | None, **more: Any) -> Path:
        """The file that these passes make of a model."""
        self.made += 1
        folder = self.folder / f"made{self.made}"
        folder.mkdir()
        file = File.of(data) if data else None
        wanted = TrainingData(file, **{"metric": "top1", "loss": None, "seed": 0} | more)
        path = self.folder / f"{model}.keras" if isinstance(model, str) else model
        steps = [Pass.model_validate(one) for one in passes]
        self.workers.run("tensorflow", job.make, path, steps, wanted, folder)
        return folder / job.MODEL

    def look(self, model: str | Path) -> dict[str, Any]:
        path = self.folder / f"{model}.keras" if isinstance(model, str) else model
        found: dict[str, Any] = self.workers.run("tensorflow", training_jobs.look, path, self.data)
        return found

    def accuracy(self, model: str | Path) -> float:
        return float((self.look(model)["outputs"].argmax(1) == self.y).mean())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("passes"))
    yield made
    made.workers.close()


def sparse(kernels: list[np.ndarray], share: float) -> bool:
    return all((one == 0).mean() >= share for one in kernels)


def shared(kernels: list[np.ndarray], values: int) -> bool:
    return all(len(np.unique(one)) <= values for one in kernels)


@pytest.mark.slow
def test_zeros_and_clusters_survive_what_follows(bench: Bench) -> None:
    distil = {"distill": {"epochs": 1}}
    found = bench.look(bench.make("branched", PRUNE, CLUSTER, distil, QAT, data=bench.data))
    kernels = found["kernels"]
    assert len(kernels) == 5  # all but the last, of which two have the same name
    assert not any(np.signbit(one[one == 0]).any() for one in kernels)
    assert sparse(kernels, 0.5)
    assert shared(kernels, 8)
    before = bench.look("branched")
    assert found["config"] == before["config"]
    assert not found["compiled"]
    assert any(not np.array_equal(a, b) for a, b in zip(found["weights"], before["weights"], strict=True))


@pytest.mark.slow
def test_zeros_survive_a_milder_prune(bench: Bench) -> None:
    hard, mild = ({"prune": {"sparsity": share, "epochs": 2}} for share in (0.8, 0.3))
    kernels = bench.look(bench.make("branched", hard, mild, data=bench.data))["kernels"]
    assert sparse(kernels, 0.79)  # a share of few weights is rounded


@pytest.mark.slow
def test_qat_of_a_recurrent_layer(bench: Bench) -> None:
    before, after = bench.look("recurrent"), bench.look(bench.make("recurrent", QAT, data=bench.data))
    assert after["outputs"].shape == before["outputs"].shape


def test_without_training_nothing_but_the_kernels_changes(bench: Bench) -> None:
    still = [{"prune": {"sparsity": 0.5, "epochs": 0}}, {"cluster": {"clusters": 8, "epochs": 0}}]
    found = bench.look(bench.make("branched", *still, data=None))
    assert sparse(found["kernels"], 0.5)
    assert shared(found["kernels"], 8)
    small = [one for one in found["weights"] if one.size < 4 * 8]
    kept = [one for one in bench.look("branched")["weights"] if one.size < 4 * 8]
    assert all(np.array_equal(a, b) for a, b in zip(small, kept, strict=True))


@pytest.mark.slow
def test_a_models_own_constraint_holds_beside_the_zeros(bench: Bench) -> None:
    found = bench.look(bench.make("plain", {"prune": {"sparsity": 0.5, "epochs": 6}}, QAT, data=bench.data))
    assert sparse(found["kernels"], 0.5)
    assert np.linalg.norm(found["kernels"][0], axis=0).max() <= 1 + 1e-5


@pytest.mark.slow
def test_a_student_learns_from_its_teacher(bench: Bench) -> None:
    taught = {
        "teacher": str(bench.make("branched", {"cluster": {"epochs": 8, "clusters": 64}}, data=bench.data))
    }
    student = {"student": str(bench.folder / "plain.keras"), "epochs": 8, "learning_rate": 0.01}
    made = bench.make("branched", {"distill": taught | student}, data=bench.data)
    assert [one.shape for one in bench.look(made)["kernels"]] == [(64, 8)]
    assert bench.accuracy("plain") < 0.6
    assert bench.accuracy(made) > 0.9


@pytest.mark.slow
def test_a_teacher_of_probabilities_and_one_of_logits_teach_the_same(bench: Bench) -> None:
    """With no labels but the teacher's the student comes to say what that says, wrong as it is."""
    wrong = bench.npz("wrong", x=bench.x, y=(bench.y + 1) % 3)
    teacher = bench.make(
        "plain", {"cluster": {"epochs": 12, "clusters": 64, "learning_rate": 0.01}}, data=wrong
    )
    student = {
        "student": str(bench.folder / "branched.keras"),
        "alpha": 1.0,
        "epochs": 10,
        "learning_rate": 0.01,
    }
    made = bench.make("branched", {"distill": student | {"teacher": str(teacher)}}, data=bench.data)
    assert (bench.look(made)["outputs"].argmax(1) == (bench.y + 1) % 3).mean() > 0.9


@pytest.mark.slow
def test_qat_trains_all_but_the_stored_statistics(bench: Bench) -> None:
    before = bench.look("branched")
    found = bench.look(bench.make("branched", {"qat": {"epochs": 3}}, data=bench.data))
    assert found["config"] == before["config"]
    changed = [not np.array_equal(a, b) for a, b in zip(found["weights"], before["weights"], strict=True)]
    assert changed.count(False) == 4  # moving means and variances of two batch normalisations
    assert bench.accuracy("branched") < 0.6


@pytest.mark.slow
def test_one_output_of_two_classes(bench: Bench) -> None:
    data = bench.npz("two", x=bench.x, y=(bench.y == 1).astype(np.uint8))
    made = bench.make("binary", PRUNE, {"distill": {"epochs": 4}}, QAT, data=data, metric="auc")
    outputs = bench.look(made)["outputs"][:, 0]
    assert outputs[bench.y == 1].mean() > outputs[bench.y != 1].mean() + 0.1


@pytest.mark.parametrize(
    ("model", "arrays", "more", "words"),
    [
        ("plain", {"y": "high"}, {}, "labels go up to 3, but the model has 3 classes"),
        ("plain", {"y": None}, {}, "have no labels `y`"),
        ("plain", {"x": "nan"}, {}, "have NaN or infinite values"),
        ("plain", {"x": "narrow"}, {}, "has samples of shape 7×8×1, but the model's input"),
        ("plain", {}, {"metric": "mine.py:score"}, "does not say what passes train for"),
        ("plain", {}, {"loss": "mse"}, "y has 1 values a sample, the model's output 3"),
        ("pair", {"x": "two"}, {}, "trains one output, and the model has 2"),
    ],
)
def test_data_that_do_not_fit(bench: Bench, model: str, arrays: Any, more: Any, words: str) -> None:
    x, y = bench.x.copy(), bench.y.copy()
    given: dict[str, Any] = {"x": x, "y": y}
    match arrays:
        case {"y": "high"}:
            y[7] = 3
        case {"y": None}:
            del given["y"]
        case {"x": "nan"}:
            x[5, 0, 0] = np.nan
        case {"x": "narrow"}:
            given["x"] = x[:, 1:]
        case {"x": "two"}:
            given = {"x0": x, "x1": np.zeros((len(x), 4), np.float32), "y": y}
    with pytest.raises(InputError, match=words):
        bench.make(model, PRUNE, data=bench.npz("odd", **given), **more)


def test_a_training_that_diverges_is_told(bench: Bench) -> None:
    data = bench.npz("huge", x=bench.x * 1e30, y=bench.y)
    with pytest.raises(InputError, match="training diverges"):
        bench.make("plain", {"qat": {"learning_rate": 10, "epochs": 3}}, data=data)


def test_a_student_of_another_shape(bench: Bench) -> None:
    step = {"distill": {"student": str(bench.folder / "binary.keras")}}
    with pytest.raises(InputError, match="student's outputs have the shapes"):
        bench.make("plain", step, data=bench.data)


@pytest.mark.slow
def test_the_same_again_gives_the_same_weights(bench: Bench) -> None:
    """Whatever the worker did before: with dropout, shuffling, a depthwise convolution and concatenation."""
    steps = (PRUNE, QAT)
    first, again = (bench.look(bench.make("branched", *steps, data=bench.data))["weights"] for _ in range(2))
    other = bench.look(bench.make("branched", *steps, data=bench.data, seed=1))["weights"]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
