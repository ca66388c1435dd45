"""How much a candidate loses against the float model, on samples that are held in memory.

Used while the precision of operators is chosen. A quarter of the samples, where there are enough, takes no
part in the choice and says afterwards what it is worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgegreen import data, metrics
from edgegreen.config.datakeys import Hook, Metric
from edgegreen.convert.model import Job
from edgegreen.errors import InputError
from edgegreen.mixture import within
from edgegreen.sources import host, shapes
from edgegreen.sources.agreement import compare
from edgegreen.sources.outputs import Row
from edgegreen.sources.samples import SEED, rows

SAMPLES_MAX = 1024
MEMORY_MAX_BYTES = 256_000_000  # of samples and the float model's outputs
HELD_OUT_FROM = 256  # samples; fewer are all needed for the choice
HELD_OUT_SHARE = 0.25
JACKKNIFE_GROUPS = 16
Z_95 = 1.645  # one-sided


@dataclass(frozen=True)
class Judged:
    """What a candidate loses in the metric; inf when it gives no numbers.

    `upper` is the drop's one-sided 95 % bound; where the drop alone is over the limit, the drop.
    """

    drop: float
    upper: float


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

    def judge(self, outputs: Iterable[Row], limit: float) -> Judged:
        """Judge a candidate by its outputs for `inputs`, in order."""
        got = list(outputs)
        drop = self.drop(got)
        return Judged(drop, drop + self._margin(got) if within(drop, limit) else drop)

    def sqnr_db(self, outputs: Iterable[Row]) -> float:
        """How close these outputs are to the float model's (see `agreement`); −inf: they make no sense."""
        found = compare(self.floats, outputs).sqnr_db
        return -math.inf if found is None else found

    def drop(self, outputs: Sequence[Row]) -> float:
        """What these outputs lose against the float model's; below 0 they gain. inf: it cannot be told."""
        return self._drop(outputs, np.arange(self.n), self.value)

    def first(self, n: int) -> Bench:
        """The same with the first `n` samples only, for `sqnr_db`."""
        return replace(self, inputs=self.inputs[:n], floats=self.floats[:n], labels=self.labels[:n])

    def _drop(self, outputs: Sequence[Row], numbers: NDArray[np.int64], of_float: float) -> float:
        value = score(self.metric, self.labels[numbers], [outputs[number] for number in numbers])
        loss = of_float - value if metrics.higher_is_better(self.metric) else value - of_float
        return math.inf if math.isnan(loss) else loss

    def _margin(self, outputs: Sequence[Row]) -> float:
        """From the drop to its upper bound; of a share never less than 3/n.

        What happens to none of n samples may happen to as many all the same (the rule of three: Hanley &
        Lippman-Hand 1983, JAMA 249:1743).
        """
        least = 3 / self.n if self.metric in ("top1", "top5") else 0.0
        return max(Z_95 * self._error(outputs), least)

    def _error(self, outputs: Sequence[Row]) -> float:
        """The drop's standard error, of whatever metric; inf when too few samples tell it.

        Delete-a-group jackknife (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 11), of both
        models' outputs alike: what they get wrong together does not count.
        """
        numbers = np.arange(self.n)
        groups = min(JACKKNIFE_GROUPS, self.n)
        try:
            drops = []
            for group in range(groups):
                rest = numbers[numbers % groups != group]
                of_float = score(self.metric, self.labels[rest], [self.floats[number] for number in rest])
                drops.append(self._drop(outputs, rest, of_float))
        except InputError:  # a part without one of the classes, or without a sample
            return math.inf
        return math.sqrt((groups - 1) * float(np.var(drops)))


def score(metric: Metric | Hook, labels: NDArray[np.generic], outputs: Sequence[Row]) -> float:
    """The metric over these samples' outputs. Raises InputError when they do not fit."""
    found = metrics.score(metric, labels)
    rows = [[value if value.shape[:1] == (1,) else value[None] for value in row] for row in outputs]
    alike = len({tuple(value.shape for value in row) for row in rows}) == 1
    parts = [[np.concatenate(column) for column in zip(*rows, strict=True)]] if alike else rows
    start = 0
    for part in parts:
        found.update(start, part)
        start += len(part[0])
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
    inputs = _read(job, set(numbers.tolist()))
    parts = [part for part in (numbers[held:], numbers[:held]) if len(part)]
    benches = [_bench(job, [inputs[number] for number in part], labels, part) for part in parts]
    return benches[0], benches[1] if len(benches) > 1 else None


def _how_many(job: Job) -> int:
    """As many samples as memory is given to, with the float model's outputs of each."""
    first = next(_rows(job))
    size = sum(value.nbytes for value in first)
    size += sum(8 * math.prod(tensor.shape) for tensor in job.source.outputs)
    return max(1, min(SAMPLES_MAX, MEMORY_MAX_BYTES // max(1, size)))


def _read(job: Job, numbers: set[int]) -> dict[int, Row]:
    return {number: row for number, row in enumerate(_rows(job)) if number in numbers}


def _rows(job: Job) -> Iterator[Row]:
    """The samples to choose on, as the model takes them."""
    assert job.yardstick is not None
    return rows(job.yardstick.file.path, job.yardstick.what, normalize=job.request.normalize)


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
