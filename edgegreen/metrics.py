"""Accuracy metrics, computed on the host from outputs that stream in from anywhere.

The same code scores the float model on the host and every variant on every board, so a difference
between two rows is a difference between two files or two runtimes, never between two metrics.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgegreen.config.datakeys import Hook, Metric
from edgegreen.errors import InputError

Outputs = list[NDArray[Any]]


class Score(Protocol):
    """Takes outputs batch by batch, and gives one number at the end."""

    def update(self, start: int, outputs: Outputs) -> None:
        """`outputs[k]` has shape (batch, …): the k-th output of samples start … start + batch − 1."""

    def value(self) -> float:
        """The metric over everything seen. Raises InputError when outputs and labels do not fit."""


class TopK:
    """Share of samples whose label is among the k largest values of the first output.

    Of equal values the first counts as the larger, as in argmax: a dead model, whose outputs are all
    equal, knows nothing. A sample with a NaN among its outputs is never a hit.
    """

    def __init__(self, labels: NDArray[Any], k: int) -> None:
        self.labels, self.k = class_numbers(labels), k
        self._right: list[NDArray[np.bool_]] = []

    def update(self, start: int, outputs: Outputs) -> None:  # noqa: D102
        scores = outputs[0].reshape(len(outputs[0]), -1)
        classes = scores.shape[1]
        if classes <= self.k:
            raise InputError(
                f"top{self.k} needs more than {self.k} classes; the model gives {classes} values"
            )
        wanted = _part(self.labels, start, len(scores))[:, None]
        if wanted.max(initial=0) >= classes:
            raise InputError(
                f"labels go up to {wanted.max()}, but the model has {classes} classes (0 … {classes - 1})"
            )
        own = np.take_along_axis(scores, wanted, 1)
        rank = ((scores > own) | ((scores == own) & (np.arange(classes) < wanted))).sum(axis=1)
        self._right.append((rank < self.k) & ~np.isnan(scores).any(axis=1))

    def value(self) -> float:  # noqa: D102
        right = self.right()
        return int(right.sum()) / _some(len(right))

    def right(self) -> NDArray[np.bool_]:
        """Of each sample seen, in their order, whether it is a hit."""
        return np.concatenate([np.zeros(0, bool), *self._right])


class MeanSquaredError:
    """Mean of (output − y)² over every element of the first output."""

    def __init__(self, labels: NDArray[Any]) -> None:
        self.labels = numbers(labels).astype(np.float64)
        self.total, self.n = 0.0, 0

    def update(self, start: int, outputs: Outputs) -> None:  # noqa: D102
        got = outputs[0].astype(np.float64)
        wanted = _part(self.labels, start, len(got))
        if wanted.size != got.size:
            raise InputError(f"y has shape {wanted.shape[1:]} a sample, the model's output {got.shape[1:]}")
        self.total += float(((got - wanted.reshape(got.shape)) ** 2).sum())
        self.n += got.size

    def value(self) -> float:  # noqa: D102
        return self.total / _some(self.n)


class AreaUnderCurve:
    """Area under the ROC curve of the first output against binary labels.

    A two-column output is scored by the second less the first, which ranks logits and softmax alike.
    Equal scores count half: the Mann–Whitney U statistic over n₊·n₋ (Hanley & McNeil 1982, Radiology
    143:29–36).
    """

    def __init__(self, labels: NDArray[Any]) -> None:
        classes = class_numbers(labels)
        if classes.max(initial=0) > 1:
            raise InputError(f"auc takes labels 0 and 1; y goes up to {classes.max()}")
        self.labels = classes.astype(bool)
        self.scores: list[NDArray[Any]] = []

    def update(self, start: int, outputs: Outputs) -> None:  # noqa: ARG002, D102
        columns = outputs[0].reshape(len(outputs[0]), -1)
        if columns.shape[1] > 2:
            raise InputError(f"auc takes one or two values a sample, the model gives {columns.shape[1]}")
        wide = columns.astype(np.float64)
        self.scores.append(wide[:, -1] - wide[:, 0] if wide.shape[1] == 2 else wide[:, 0])

    def value(self) -> float:  # noqa: D102
        scores = np.concatenate([np.zeros(0), *self.scores])
        positive = _part(self.labels, 0, _some(len(scores)))
        n_pos, n_neg = int(positive.sum()), int((~positive).sum())
        if not n_pos or not n_neg:
            raise InputError("auc takes labels of both classes; y has one only")
        if not np.isfinite(scores).all():
            return math.nan
        _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
        mean_rank = np.cumsum(counts) - (counts - 1) / 2
        rank_sum = float(mean_rank[inverse][positive].sum())
        return (rank_sum - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)


class HookScore:
    """The recipe's own function, given all outputs at once: `function(outputs, y) -> float`.

    `outputs` is one array when the model has one output, else a list of arrays.
    """

    def __init__(self, labels: NDArray[Any] | None, hook: Hook) -> None:
        self.labels, self.hook = labels, hook
        self.function = _import(hook.python)
        self.batches: list[Outputs] = []

    def update(self, start: int, outputs: Outputs) -> None:  # noqa: ARG002, D102
        self.batches.append(outputs)

    def value(self) -> float:  # noqa: D102
        _some(len(self.batches))
        arrays = [np.concatenate(parts) for parts in zip(*self.batches, strict=True)]
        try:
            with redirect_stdout(sys.stderr):  # stdout is edgegreen's own
                found = float(self.function(arrays[0] if len(arrays) == 1 else arrays, self.labels))
        except (Exception, SystemExit) as error:
            raise InputError(f"metric {self.hook.python} failed: {type(error).__name__}: {error}") from error
        if not math.isfinite(found):
            raise InputError(f"metric {self.hook.python} gave {found}, which is no reading")
        return found


METRICS: dict[Metric, Callable[[NDArray[Any]], Score]] = {
    "top1": lambda labels: TopK(labels, 1),
    "top5": lambda labels: TopK(labels, 5),
    "mse": MeanSquaredError,
    "auc": AreaUnderCurve,
}


def score(metric: Metric | Hook, labels: NDArray[Any] | None) -> Score:
    """A fresh Score for `metric` over samples with these labels.

    Raises InputError: no labels where they are needed, labels of the wrong kind, a hook that cannot
    be loaded.
    """
    if isinstance(metric, Hook):
        return HookScore(labels, metric)
    if labels is None:
        raise InputError(f"metric `{metric}` needs labels: the evaluation npz has no `y`")
    return METRICS[metric](labels)


def right(score: Score) -> NDArray[np.bool_] | None:
    """Of each sample scored, in their order, whether it was right; None of a metric that counts none."""
    return score.right() if isinstance(score, TopK) else None


def name(metric: Metric | Hook) -> str:
    """What the metric is called in tables and JSON."""
    return metric.python.rpartition(":")[2] if isinstance(metric, Hook) else metric


def higher_is_better(metric: Metric | Hook) -> bool:
    """Whether a larger value is better."""
    return metric.higher_is_better if isinstance(metric, Hook) else metric != "mse"


def class_numbers(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Class numbers, from class numbers or one-hot rows. Raises InputError when they are neither."""
    flat = numbers(labels).reshape(len(labels), -1)
    if flat.shape[1] > 1:
        if ((flat == 0) | (flat == 1)).all() and (flat.sum(axis=1) == 1).all():
            hot: NDArray[np.int64] = flat.argmax(axis=1)
            return hot
    elif (flat == np.floor(flat)).all() and flat.min(initial=0) >= 0:
        return flat[:, 0].astype(np.int64)
    raise InputError("y should be class numbers (0, 1, …) or one-hot rows")


def numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """The labels as they are, when they are numbers at all. Raises InputError when they are not."""
    if labels.dtype.kind not in "biuf" or not labels.ndim or not np.isfinite(labels).all():
        raise InputError(
            f"y should be finite numbers, one row a sample, not {labels.dtype} of shape {labels.shape}"
        )
    return labels


def _part(labels: NDArray[Any], start: int, n: int) -> NDArray[Any]:
    """The labels of samples `start` … `start + n − 1`."""
    if start + n > len(labels):
        raise InputError(f"{len(labels)} labels, but outputs of {start + n} samples")
    return labels[start : start + n]


def _some(n: int) -> int:
    if not n:
        raise InputError("nothing to score: no outputs came")
    return n


def _import(reference: str) -> Callable[..., Any]:
    path, _, function = reference.rpartition(":")
    spec = importlib.util.spec_from_file_location("edgegreen_recipe_metric", path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise InputError(f"metric {reference}: no such file", hint="the path is relative to the recipe")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        with redirect_stdout(sys.stderr):  # stdout is edgegreen's own
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"metric {path}: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"metric {path} has no function `{function}`")
    return found  # type: ignore[no-any-return]
