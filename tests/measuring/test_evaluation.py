"""Outputs that stream in and are scored: which samples were right, and how sure the change is."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgegreen.artifact import File
from edgegreen.config.datakeys import Metric
from edgegreen.history import hits
from edgegreen.measuring.evaluation import Baseline, Evaluation, EvaluationSet, baseline
from edgegreen.statistics import shares
from edgegreen.statistics.shares import Table

N = 40
LABELS = np.arange(N) % 3


def over(tmp_path: Path, of: int | None = None) -> EvaluationSet:
    (tmp_path / "evaluation.npz").write_bytes(b"samples")
    return EvaluationSet(File.of(tmp_path / "evaluation.npz"), N, LABELS, of)


def outputs(*wrong: int) -> Any:
    answers = LABELS.copy()
    answers[list(wrong)] = (answers[list(wrong)] + 1) % 3
    return np.eye(3, dtype=np.float32)[answers]


def scored(
    tmp_path: Path, made: Any, float_model: Baseline | None, metric: Metric = "top1", of: int | None = None
) -> Evaluation:
    future: Future[Baseline | None] = Future()
    future.set_result(float_model)
    found = Evaluation(metric, over(tmp_path, of), future, None)
    for start in range(0, N, 16):
        found.update(start, [made[start : start + 16]])
    return found


def test_which_were_right_and_the_interval_of_the_change(tmp_path: Path) -> None:
    float_model = baseline("top1", over(tmp_path), [(0, [outputs(1, 2, 3)])])
    assert float_model is not None
    assert float_model.value == 37 / N
    found = scored(tmp_path, outputs(3, 20), float_model)
    right = found.hits()
    assert right is not None
    assert np.flatnonzero(~right.right).tolist() == [3, 20]
    accuracy = found.accuracy()
    assert accuracy is not None
    assert (accuracy.value, accuracy.baseline) == (38 / N, 37 / N)
    assert accuracy.change_ci95 == shares.paired_gap(Table(both=36, lost=1, gained=2, neither=1)).ci95


def test_a_part_of_the_samples_is_not_paired_with_all(tmp_path: Path) -> None:
    whole = baseline("top1", over(tmp_path), [(0, [outputs()])])
    part = scored(tmp_path, outputs(), whole, of=2 * N)
    accuracy = part.accuracy()
    assert accuracy is not None
    assert accuracy.change_ci95 is None
    again = scored(tmp_path, outputs(), baseline("top1", over(tmp_path, 2 * N), [(0, [outputs()])]), of=2 * N)
    assert hits.pair(part.hits(), again.hits()) is not None
    assert (found := again.accuracy()) is not None
    assert found.change_ci95 is not None


@pytest.mark.parametrize("metric", ["mse", "top1"])
def test_no_hits_without_a_count_or_an_accuracy(tmp_path: Path, metric: Metric) -> None:
    made = outputs()
    if metric == "mse":
        made = made[:, :1]
    else:
        made[7] = np.nan
    found = scored(tmp_path, made, None, metric)
    assert found.hits() is None
    accuracy = found.accuracy()
    assert (accuracy is None) == (metric == "top1")
    if accuracy:
        assert (accuracy.baseline, accuracy.change_ci95) == (None, None)
