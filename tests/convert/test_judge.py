"""What a candidate loses: the recipe's metric, its upper bound, and what stands in without labels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edgegreen.config.datakeys import Hook, Metric
from edgegreen.convert.judge import Bench, _stand_in, score

Array = np.ndarray


def bench(metric: Metric | Hook, floats: Array, labels: Array) -> Bench:
    rows = [[row[None]] for row in floats]
    return Bench(rows, rows, metric, labels, score(metric, labels, rows), "")


def rows(outputs: Array) -> list[list[Array]]:
    return [[row[None]] for row in outputs]


def classes(labels: Array) -> Array:
    return np.eye(4, dtype=np.float32)[labels]


LABELS = np.arange(400) % 4


def test_a_share_is_never_surer_than_the_number_of_samples_allows() -> None:
    judged = bench("top1", classes(LABELS), LABELS).judge(rows(classes(LABELS)), 0.01)
    assert (judged.drop, judged.upper) == (0.0, 3 / 400)


def test_the_bound_of_a_share_is_that_of_its_binomial() -> None:
    wrong = LABELS.copy()
    wrong[np.random.default_rng(0).choice(400, 20, replace=False)] += 1
    judged = bench("top1", classes(LABELS), LABELS).judge(rows(classes(wrong % 4)), 0.1)
    assert judged.drop == pytest.approx(0.05)
    expected = 1.645 * math.sqrt(0.05 * 0.95 / 400)
    assert judged.upper - judged.drop == pytest.approx(expected, rel=0.4)


def test_mistakes_that_both_models_make_are_no_uncertainty() -> None:
    poor = LABELS.copy()
    poor[::2] += 1
    judged = bench("top1", classes(poor % 4), LABELS).judge(rows(classes(poor % 4)), 0.1)
    assert (judged.drop, judged.upper) == (0.0, 3 / 400)


def test_beyond_the_limit_the_bound_is_the_drop() -> None:
    judged = bench("top1", classes(LABELS), LABELS).judge(rows(classes((LABELS + 1) % 4)), 0.01)
    assert judged == type(judged)(1.0, 1.0)


def test_where_smaller_is_better_a_rise_is_the_drop() -> None:
    wanted = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    judged = bench("mse", wanted, wanted).judge(rows(wanted + 0.1), 0.1)
    assert judged.drop == pytest.approx(0.01, rel=1e-4)
    assert judged.upper == pytest.approx(0.01, rel=1e-4)


def test_nan_is_no_number() -> None:
    given = classes(LABELS)[:, :1]
    found = bench("mse", given, given).drop(rows(np.full_like(given, np.nan)))
    assert found == math.inf


def test_a_metric_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "metric.py").write_text(
        "def hits(outputs, y):\n    return 100 * (outputs.argmax(1) == y).mean()\n"
    )
    hook = Hook(python=f"{tmp_path / 'metric.py'}:hits")
    wrong = np.where(LABELS == 0, 1, LABELS)
    assert bench(hook, classes(LABELS), LABELS).judge(rows(classes(wrong)), 50.0).drop == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("metric", "floats", "value"),
    [
        ("top1", classes(LABELS), 1.0),
        ("top5", classes(LABELS), 1.0),
        ("mse", np.linspace(0, 1, 40)[:, None], 0.0),
        ("auc", np.linspace(0, 1, 40)[:, None], 1.0),
        ("auc", np.stack([np.linspace(1, 0, 40), np.zeros(40)], axis=1), 1.0),
    ],
)
def test_without_labels_the_float_model_gives_them(metric: Metric, floats: Array, value: float) -> None:
    found, labels = _stand_in(metric, rows(floats))
    made = bench(found, floats, labels)
    assert made.value == value
    assert made.drop(rows(floats)) == 0.0
    assert made.drop(rows(floats[::-1].copy())) > 0.0
