"""Metrics against brute force, in whatever batches the outputs come."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegreen import metrics
from edgegreen.config.datakeys import Hook
from edgegreen.errors import InputError

Array = np.ndarray[Any, Any]


def value(metric: Any, labels: Any, outputs: Any, cuts: list[int] | None = None) -> float:
    """The metric of `outputs`, fed in batches that end at `cuts`."""
    score = metrics.score(metric, None if labels is None else np.asarray(labels))
    arrays = outputs if isinstance(outputs, list) else [outputs]
    n = len(arrays[0])
    edges = sorted({0, n, *(cuts or [])})
    for start, stop in itertools.pairwise(edges):
        score.update(start, [array[start:stop] for array in arrays])
    return score.value()


def refused(metric: Any, labels: Any, outputs: Any) -> str:
    with pytest.raises(InputError) as caught:
        value(metric, labels, outputs)
    return caught.value.message


# The definitions, one sample and one comparison at a time.


def brute_top(labels: Array, outputs: Array, k: int) -> float:
    hits = 0
    for label, row in zip(labels, outputs, strict=True):
        order = sorted(range(len(row)), key=lambda index: -row[index])  # stable: of equals the first
        hits += int(label) in order[:k] and not any(math.isnan(entry) for entry in row)
    return hits / len(labels)


def brute_auc(labels: Array, scores: Array) -> float:
    pairs = [(p, n) for p in scores[labels == 1] for n in scores[labels == 0]]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)


def cut_anywhere(data: st.DataObject, n: int) -> list[int]:
    return data.draw(st.lists(st.integers(0, n), max_size=6))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 40), st.integers(6, 12), st.integers(0, 2**32 - 1))
def test_top_k_in_any_batches(data: st.DataObject, n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    outputs = rng.integers(-3, 3, (n, classes)).astype(np.int8)  # int8 outputs are full of ties
    cuts = cut_anywhere(data, n)
    assert value("top1", labels, outputs, cuts) == pytest.approx(brute_top(labels, outputs, 1))
    assert value("top5", labels, outputs, cuts) == pytest.approx(brute_top(labels, outputs, 5))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_mse_in_any_batches(data: st.DataObject, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=(n, 3, 2))
    outputs = rng.normal(size=(n, 6)).astype(np.float32)
    brute = sum((float(a) - float(b)) ** 2 for a, b in zip(outputs.ravel(), labels.ravel(), strict=True))
    assert value("mse", labels, outputs, cut_anywhere(data, n)) == pytest.approx(brute / labels.size)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 30), st.integers(0, 2**32 - 1))
def test_auc_in_any_batches(data: st.DataObject, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.r_[0, 1, rng.integers(0, 2, n - 2)]
    scores = rng.integers(0, 5, n) / 4  # with ties
    assert value("auc", labels, scores, cut_anywhere(data, n)) == pytest.approx(brute_auc(labels, scores))


class TestTopK:
    """Class numbers or one-hot rows, against the largest outputs."""

    def test_a_dead_model_is_no_better_than_its_first_class(self) -> None:
        # All outputs equal, as saturated int8 models give them: argmax says class 0, always.
        assert value("top1", np.arange(10), np.full((10, 10), 127, np.int8)) == 0.1
        assert value("top5", np.arange(10), np.zeros((10, 10))) == 0.5

    def test_a_nan_is_never_a_hit(self) -> None:
        outputs = np.array([[np.nan, 1, 2], [0, 1, np.nan], [np.nan] * 3, [0, 1, 2]])
        assert value("top1", [2, 2, 0, 2], outputs) == 0.25

    def test_minus_infinity_is_an_ordinary_log_probability(self) -> None:
        assert value("top1", [1, 0], np.array([[-np.inf, 0.0], [-np.inf, 0.0]])) == 0.5

    def test_one_hot_labels(self) -> None:
        labels, outputs = np.array([2, 0, 1]), np.random.default_rng(0).normal(size=(3, 6))
        for kind in (np.float32, np.uint8, bool):
            assert value("top1", np.eye(6, dtype=kind)[labels], outputs) == value("top1", labels, outputs)

    def test_labels_as_a_column_and_as_floats(self) -> None:
        outputs = np.eye(3)
        assert value("top1", np.array([[0], [1], [1]]), outputs) == pytest.approx(2 / 3)
        assert value("top1", [0.0, 1.0, 2.0], outputs) == 1

    def test_outputs_of_any_shape_are_rows(self) -> None:
        assert value("top1", [0, 1, 2], np.eye(3).reshape(3, 1, 1, 3)) == 1

    def test_only_the_first_output_counts(self) -> None:
        assert value("top1", [0, 1], [np.eye(2), np.zeros((2, 7))]) == 1

    @pytest.mark.parametrize(
        ("labels", "reason"),
        [
            ([0, 3], "labels go up to 3, but the model has 3 classes (0 … 2)"),
            ([0, -1], "class numbers (0, 1, …) or one-hot rows"),
            ([0, 0.5], "class numbers (0, 1, …) or one-hot rows"),
            ([[1, 1, 0], [0, 0, 1]], "class numbers (0, 1, …) or one-hot rows"),
            ([[0.2, 0.8, 0], [0, 0, 1]], "class numbers (0, 1, …) or one-hot rows"),
            ([0, np.nan], "finite numbers"),
            (["cat", "dog"], "finite numbers"),
            (0, "one row a sample"),
            ([0], "1 labels, but outputs of 2 samples"),
        ],
    )
    def test_labels_that_do_not_fit(self, labels: Any, reason: str) -> None:
        assert reason in refused("top1", labels, np.eye(3)[:2])

    def test_as_many_classes_as_guesses_is_no_metric(self) -> None:
        # A sigmoid's single value, or top5 of five classes: always 100 %.
        assert (
            refused("top1", [0, 0], np.ones((2, 1)))
            == "top1 needs more than 1 classes; the model gives 1 values"
        )
        assert "top5 needs more than 5" in refused("top5", [0, 1], np.eye(5)[:2])


class TestMeanSquaredError:
    """In the labels' own unit, whatever the outputs' type."""

    def test_integers_do_not_overflow(self) -> None:
        assert value("mse", np.full((4, 1), -100), np.full((4, 1), 100, np.int8)) == 40_000
        assert value("mse", np.full(4, 200, np.uint8), np.zeros((4, 1), np.uint8)) == 40_000

    def test_a_shape_that_does_not_fit(self) -> None:
        reason = refused("mse", np.zeros((4, 3)), np.zeros((4, 2)))
        assert reason == "y has shape (3,) a sample, the model's output (2,)"
        assert "3 labels, but outputs of 4 samples" in refused("mse", np.zeros((3, 2)), np.zeros((4, 2)))

    def test_labels_that_are_no_numbers(self) -> None:
        assert "finite numbers" in refused("mse", ["a", "b"], np.zeros((2, 1)))


class TestAreaUnderCurve:
    """Binary labels; ties count half."""

    def test_known_values(self) -> None:
        assert (
            value("auc", [0, 0, 1, 1], np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
        )  # scikit-learn's own example
        assert value("auc", [0, 1], np.array([0.0, 1.0])) == 1
        assert value("auc", [0, 1], np.array([1.0, 0.0])) == 0
        assert value("auc", [0, 1, 0, 1], np.zeros(4)) == 0.5

    def test_two_columns_are_scored_by_the_second(self) -> None:
        second = np.array([0.1, 0.4, 0.35, 0.8])
        assert value("auc", [0, 0, 1, 1], np.stack([1 - second, second], 1)) == 0.75

    def test_one_hot_labels_are_the_same_as_class_numbers(self) -> None:
        scores = np.array([0.1, 0.4, 0.35, 0.8])
        assert value("auc", np.eye(2)[[0, 0, 1, 1]], scores) == value("auc", [0, 0, 1, 1], scores)

    @pytest.mark.parametrize(
        ("labels", "columns", "reason"),
        [
            ([1, 1], 1, "both classes"),
            ([0, 0], 1, "both classes"),
            ([0, 2], 1, "labels 0 and 1; y goes up to 2"),
            ([-1, 1], 1, "class numbers"),
            ([0, 1], 3, "one or two values a sample, the model gives 3"),
            ([0], 1, "1 labels, but outputs of 2 samples"),
        ],
    )
    def test_what_does_not_fit(self, labels: list[int], columns: int, reason: str) -> None:
        assert reason in refused("auc", labels, np.arange(2.0 * columns).reshape(2, columns))

    def test_a_nan_gives_no_number(self) -> None:
        assert math.isnan(value("auc", [0, 1], np.array([np.nan, 1.0])))


class TestHook:
    """A function of the user's, in a file beside the recipe."""

    @pytest.fixture
    def hook(self, tmp_path: Path) -> Any:
        def made(body: str, function: str = "metric") -> Hook:
            path = tmp_path / "metric.py"
            path.write_text(body)
            return Hook(python=f"{path}:{function}")

        return made

    def test_one_output_is_an_array(self, hook: Any) -> None:
        good = hook("def metric(outputs, y): return (outputs.argmax(-1) == y).mean()")
        assert value(good, [0, 1, 1], np.eye(3), [1]) == pytest.approx(2 / 3)

    def test_several_outputs_are_a_list_of_whole_arrays(self, hook: Any) -> None:
        good = hook("def metric(outputs, y):\n  a, b = outputs\n  return a.sum() + b.shape[0] + len(y)")
        assert value(good, [0] * 4, [np.ones((4, 2)), np.ones((4, 3))], [1, 3]) == 16

    def test_what_it_prints_is_no_result(self, hook: Any, capsys: pytest.CaptureFixture[str]) -> None:
        chatty = hook("print('hello')\ndef metric(outputs, y):\n  print('there')\n  return 1")
        assert value(chatty, None, np.eye(2)) == 1
        said = capsys.readouterr()
        assert (said.out, said.err.split()) == ("", ["hello", "there"])

    def test_labels_may_be_absent(self, hook: Any) -> None:
        assert value(hook("def metric(outputs, y): return 1 if y is None else 0"), None, np.eye(2)) == 1

    def test_a_dataclass_in_the_file_works(self, hook: Any) -> None:
        body = (
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Box:\n  w: float\ndef metric(outputs, y): return Box(0.5).w"
        )
        assert value(hook(body), None, np.eye(2)) == 0.5

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("def metric(outputs, y): return outputs[99]", "failed: IndexError"),
            ("def metric(outputs, y): return 'good'", "failed: ValueError: could not convert"),
            ("def metric(outputs, y): return None", "failed: TypeError"),
            ("def metric(outputs, y): return outputs", "failed: TypeError"),
            ("def metric(outputs): return 1", "failed: TypeError"),
            ("def metric(outputs, y): raise SystemExit(0)", "failed: SystemExit"),
            ("def metric(outputs, y): return float('nan')", "gave nan, which is no reading"),
            ("def metric(outputs, y): return float('inf')", "gave inf, which is no reading"),
            ("def other(outputs, y): return 1", "has no function `metric`"),
            ("metric = 3", "has no function `metric`"),
            ("def metric(outputs, y) return 1", "SyntaxError"),
            ("import a_module_that_is_not_there", "ModuleNotFoundError"),
            ("raise SystemExit(3)", "SystemExit: 3"),
        ],
    )
    def test_what_is_wrong_with_it_is_said_with_its_name(self, hook: Any, body: str, reason: str) -> None:
        message = refused(hook(body), [0, 1], np.eye(2))
        assert reason in message
        assert "metric.py" in message

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such file") as caught:
            metrics.score(Hook(python=f"{tmp_path / 'iou.py'}:mean_iou"), None)
        assert caught.value.hint == "the path is relative to the recipe"


@pytest.mark.parametrize("metric", ["top1", "top5", "mse", "auc"])
def test_what_every_metric_needs(metric: Any) -> None:
    with pytest.raises(InputError, match="the evaluation npz has no `y`"):
        metrics.score(metric, None)
    with pytest.raises(InputError, match="no outputs came"):
        metrics.score(metric, np.array([0, 1])).value()


def test_a_hook_needs_outputs_too(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(outputs, y): return 1")
    with pytest.raises(InputError, match="no outputs came"):
        metrics.score(Hook(python=f"{tmp_path}/m.py:f"), None).value()


def test_names_and_directions() -> None:
    assert [metrics.name(m) for m in ("top1", "mse", Hook(python="/r/iou.py:mean_iou"))] == [
        "top1",
        "mse",
        "mean_iou",
    ]
    assert [m for m in ("top1", "top5", "mse", "auc") if not metrics.higher_is_better(m)] == ["mse"]
    assert not metrics.higher_is_better(Hook(python="/r/e.py:error", higher_is_better=False))
