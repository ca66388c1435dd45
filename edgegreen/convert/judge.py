"""How much a candidate loses against the float model, on samples that are held in memory.

Used while the precision of operators is chosen. A quarter of the samples, where there are enough, takes no part
in the choice and says afterwards what it is worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegreen import data, metrics
from edgegreen.convert.model import Job
from edgegreen.convert.yardstick import Yardstick
from edgegreen.errors import InputError
from edgegreen.recipe import Hook, Metric
from edgegreen.sources import host, shapes
from edgegreen.sources.agreement import compare
from edgegreen.sources.outputs import Row
from edgegreen.sources.samples import SEED, rows

SAMPLES_MAX = 1024
MEMORY_MAX_BYTES = 256_000_000  # of samples and the float model's outputs
HELD_OUT_FROM = 256  # samples; fewer are all needed for the choice
HELD_OUT_SHARE = 0.25


@dataclass(frozen=True)
class Judged:
    """What a candidate loses in the metric (inf: it gives no numbers), and its SQNR against the float model."""

    drop: float
    sqnr_db: float


@dataclass(frozen=True)
class Bench:
    """Samples, what the float model makes of them, and the metric that candidates are held to.

    `value` is the float model's own metric; `about` says what it is and on which samples.
    """

    inputs: list[Row]
    floats: list[Row]
    metric: Metric | Hook
    labels: NDArray[np.generic]
    value: float
    about: str

    @property
    def n(self) -> int:
        """How many samples."""
        return len(self.inputs)

    def judge(self, outputs: Iterable[Row]) -> Judged:
        """Judge a candidate by its outputs for `inputs`, in order."""
        got = list(outputs)
        found = compare(self.floats, got)
        return Judged(self.drop(got), -math.inf if found.sqnr_db is None else found.sqnr_db)

    def drop(self, outputs: Sequence[Row]) -> float:
        """What these outputs lose against the float model's; below 0 they gain. inf when it cannot be told."""
        value = score(self.metric, self.labels, outputs)
        loss = self.value - value if metrics.higher_is_better(self.metric) else value - self.value
        return math.inf if math.isnan(loss) else loss

    def first(self, n: int) -> Bench:
        """The same with the first `n` samples only; the metric's value stays that of all."""
        return Bench(self.inputs[:n], self.floats[:n], self.metric, self.labels[:n], self.value, self.about)


def score(metric: Metric | Hook, labels: NDArray[np.generic], outputs: Iterable[Row]) -> float:
    """The metric of one sample's outputs after the other."""
    found = metrics.score(metric, labels)
    for number, row in enumerate(outputs):
        found.update(number, [value if value.shape[:1] == (1,) else value[None] for value in row])
    return found.value()


def open_benches(job: Job) -> tuple[Bench, Bench | None]:
    """Samples to choose on, and some held out from the choice (None: there are too few).

    Drawn at random, the same every time. Raises InputError for data that do not fit the model or the metric.
    """
    stick = job.yardstick
    assert stick is not None
    with data.open_samples(stick.file.path, stick.what) as samples:
        shapes.check_data(samples, job.source.inputs, stick.what, stick.file.path)
        labels = samples.labels()
    numbers = np.random.default_rng(SEED).permutation(stick.n)[: _how_many(job)]
    held = round(HELD_OUT_SHARE * len(numbers)) if len(numbers) >= HELD_OUT_FROM else 0
    inputs = _read(stick, set(numbers.tolist()))
    parts = [np.sort(part) for part in (numbers[held:], numbers[:held]) if len(part)]
    benches = [_bench(job, [inputs[number] for number in part], labels, part) for part in parts]
    return benches[0], benches[1] if len(benches) > 1 else None


def _how_many(job: Job) -> int:
    """As many samples as memory is given to, with the float model's outputs of each."""
    assert job.yardstick is not None
    first = next(rows(job.yardstick.file.path, job.yardstick.what))
    size = sum(value.nbytes for value in first)
    size += sum(8 * math.prod(tensor.shape) for tensor in job.source.outputs)
    return max(1, min(SAMPLES_MAX, MEMORY_MAX_BYTES // max(1, size)))


def _read(stick: Yardstick, numbers: set[int]) -> dict[int, Row]:
    found = enumerate(rows(stick.file.path, stick.what))
    return {number: row for number, row in found if number in numbers}


def _bench(
    job: Job, inputs: list[Row], labels: NDArray[np.generic] | None, numbers: NDArray[np.int64]
) -> Bench:
    stick = job.yardstick
    assert stick is not None
    floats = list(host.outputs(job.source.model, inputs, job.request.threads))
    on = f"{len(inputs)} {stick.what} samples"
    if labels is not None:
        metric, wanted = stick.metric, labels[numbers]
        about = f"{metrics.name(metric)} on {on}"
    else:
        metric, wanted = _stand_in(stick.metric, floats)
        about = f"agreement with the float model ({metrics.name(metric)}) on {on}, which have no labels"
    try:
        value = score(metric, wanted, floats)
    except InputError as error:
        raise InputError(f"{stick.what} data {stick.file.path}: {error.message}", hint=error.hint) from error
    if not math.isfinite(value):
        raise InputError(f"{stick.what} data {stick.file.path}: the float model's {about} is {value}")
    return Bench(inputs, floats, metric, wanted, value, about)


def _stand_in(metric: Metric | Hook, floats: Sequence[Row]) -> tuple[Metric, NDArray[np.generic]]:
    """A metric and labels from the float model's own outputs, in the unit of `metric`.

    top1 and top5: the class that it gives; mse: its output; auc: whether its score is above its median.
    """
    first = [np.asarray(row[0]).reshape(-1) for row in floats]
    if metric == "mse":
        return "mse", np.stack(first)
    if metric == "auc":
        scores = np.array([row[-1] - row[0] if len(row) == 2 else row[0] for row in first])
        return "auc", (scores > np.median(scores)).astype(np.int64)
    return "top1", np.array([row.argmax() for row in first])


def within(drop: float, limit: float) -> bool:
    """Whether a drop keeps to a limit; 0.01 in floats is a hair more than 0.01."""
    return drop <= limit * (1 + 1e-9) + 1e-12

