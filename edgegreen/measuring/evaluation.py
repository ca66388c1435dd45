"""Accuracy of one trial, from outputs that stream in, and whether they are what the host computes.

Scoring that fails (a metric's own fault, or labels that do not fit) ends the score, never the trial: what
the board measured besides is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgegreen import metrics
from edgegreen.artifact import File
from edgegreen.config.datakeys import Hook, Metric
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.history import hits
from edgegreen.history.hits import Hits
from edgegreen.measurement import NOT_FINITE, NOT_SCORED, Accuracy
from edgegreen.metrics import Outputs, Score
from edgegreen.statistics import shares

T = TypeVar("T")
# The same file in two runtimes differs by rounding: above 20 dB wherever both work, 0 dB and below where
# one does not (docs/method.md has the cases). The floor stands well apart from either.
SAME_FILE_SQNR_DB = 6.0


@dataclass(frozen=True)
class EvaluationSet:
    """The samples every trial's accuracy is measured on: `n` of them, with labels if the file has any.

    `of` is how many the file has, where these are a part of them.
    """

    file: File
    n: int
    labels: NDArray[Any] | None
    of: int | None = None

    def hits(self, score: Score) -> Hits | None:
        """Which of them were right, as far as the score has come; None of a metric that counts none."""
        right = metrics.right(score)
        return None if right is None else Hits(right, hits.digest(self.file.sha256, self.n, self.of))


@dataclass(frozen=True)
class Baseline:
    """What the float model scores on the host; and which samples were right, where the metric counts them."""

    value: float
    hits: Hits | None


def baseline(
    metric: Metric | Hook, over: EvaluationSet, batches: Iterable[tuple[int, Outputs]]
) -> Baseline | None:
    """By these outputs of the float model; None when they are no finite numbers. Raises InputError."""
    score = metrics.score(metric, over.labels)
    for start, batch in batches:
        score.update(start, batch)
    value = score.value()
    return Baseline(value, over.hits(score)) if math.isfinite(value) else None


class Evaluation:
    """Scores a device's outputs as they stream in, and compares the first with the host's.

    `baseline` gives what the float model scores; `expected` are the host's outputs of the same file for the
    first samples, if there are any. `error` is set when the metric could not be computed.
    """

    def __init__(
        self,
        metric: Metric | Hook,
        over: EvaluationSet | None,
        baseline: Future[Baseline | None],
        expected: Outputs | None,
    ) -> None:
        self.metric, self.over, self.baseline, self.expected = metric, over, baseline, expected
        self.score = metrics.score(metric, over.labels) if over else None
        self.error: InputError | None = None
        self.n = 0
        self.finite = True
        self.signal, self.noise = 0.0, 0.0

    def update(self, start: int, outputs: Outputs) -> None:
        """Take outputs of samples from `start` on; see `metrics.Score.update`."""
        assert self.score is not None
        if self.error is None:
            try:
                self.score.update(start, outputs)
            except InputError as error:
                self.error = error
        self.n += len(outputs[0])
        self.finite = self.finite and all(bool(np.isfinite(output).all()) for output in outputs)
        for want, got in zip(self.expected or [], outputs, strict=False):
            part = want[start : start + len(got)].astype(np.float64)
            self.signal += float((part**2).sum())
            self.noise += float(((part - got[: len(part)]) ** 2).sum())

    def accuracy(self) -> Accuracy | None:
        """The metric; None when nothing was evaluated, outputs are no finite numbers, or scoring failed."""
        if self.score is None or not self._scored:
            return None
        try:
            value = self.score.value()
        except InputError as error:
            self.error = error
            return None
        float_model, mine = built(self.baseline), self.hits()
        return Accuracy(
            metric=metrics.name(self.metric),
            value=value,
            n=self.n,
            baseline=float_model.value if float_model else None,
            change_ci95=_change(float_model.hits, mine) if float_model else None,
        )

    def hits(self) -> Hits | None:
        """Which samples were right; None of a metric that counts none, and without an accuracy."""
        return self.over.hits(self.score) if self.over and self.score and self._scored else None

    @property
    def _scored(self) -> bool:
        """Whether there are outputs, all of them finite numbers and none refused."""
        return self.n > 0 and self.finite and self.error is None

    def named(self, fed: str) -> str:
        """What the timed calls were fed, by the data's own name: the board knows them by their digest."""
        if self.over is None:
            return fed
        file = self.over.file
        return fed.replace(file.sha256 + file.path.suffix, file.path.name)

    def reasons(self) -> list[str]:
        """Why the outputs are not to be trusted. Ask after `accuracy`."""
        found = [f"{NOT_SCORED}{self.error.line}"] if self.error else []
        if not self.finite:
            found.append(f"{NOT_FINITE} numbers on this board")
        elif self.noise > 0 and 10 * np.log10(max(self.signal, 1e-30) / self.noise) < SAME_FILE_SQNR_DB:
            found.append("this board's runtime computes something else than the host with the same file")
        return found


def _change(before: Hits | None, after: Hits | None) -> tuple[float, float] | None:
    pair = hits.pair(before, after)
    return shares.paired_gap(shares.Table.of(*pair)).ci95 if pair else None


def built(future: Future[T]) -> T | None:
    """What the future gives, or None when it failed: whoever owns the future reports that."""
    try:
        return future.result()
    except EdgegreenError:
        return None
