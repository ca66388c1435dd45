"""Comparison: measurements side by side against a baseline, and against the recipe's budgets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from edgegreen import mixture
from edgegreen.config.limitkeys import Budgets
from edgegreen.judging import edgetpu, fakewins, limits, slowdown
from edgegreen.measurement import Measurement, Run


@dataclass(frozen=True)
class Row:
    """A measurement and how it stands.

    `speedup` is the baseline's p50 over this one's, on the same target with as many threads under the same
    setting; None without such a baseline. Rows that are not valid bear their mark, and are compared all
    the same. `missed` says which budgets are not met, in words. `best` names the columns in which no other
    valid row of the target is better. Rows of an emulated board are compared in what does not depend on its
    speed. `warnings` say what is worth knowing of how it ran.
    """

    measurement: Measurement
    speedup: float | None
    accuracy_change: float | None
    missed: tuple[str, ...]
    best: frozenset[str]
    warnings: tuple[str, ...] = ()


# Column → the value to be small. An accuracy counts by its distance from the best.
COLUMNS: dict[str, Callable[[Measurement, bool], float | None]] = {
    "size": lambda m, _: m.artifact.size_bytes,
    "accuracy": lambda m, higher: (-m.accuracy.value if higher else m.accuracy.value) if m.accuracy else None,
    "p50": lambda m, _: m.latency_ms.p50,
    "p95": lambda m, _: m.latency_ms.p95,
    "first": lambda m, _: m.first_inference_ms,
    "memory": lambda m, _: m.peak_rss_bytes,
    "energy": lambda m, _: m.energy.per_inference_mj if m.energy else None,
}


def of(run: Run) -> list[Row]:
    """A run's measurements compared as its recipe wants it, in their order."""
    return rows(run.results, run.baseline, run.budgets, higher_is_better=run.higher_is_better)


OF_SPEED = ("p50", "p95", "first", "energy")


def rows(
    measurements: Iterable[Measurement],
    baseline: str | None,
    budgets: Budgets,
    *,
    higher_is_better: bool = True,
) -> list[Row]:
    """Compare measurements; the order is kept."""
    items = list(measurements)
    best: dict[int, set[str]] = {index: set() for index in range(len(items))}
    for target in {item.target for item in items}:
        for column, value_of in COLUMNS.items():
            values = {
                index: value
                for index, item in enumerate(items)
                if item.target == target
                and item.verdict == "valid"
                and not (item.emulated and column in OF_SPEED)
                and (value := value_of(item, higher_is_better)) is not None
            }
            # One row is not the best of anything, nor is any when all are equal.
            if len(set(values.values())) > 1:
                lowest = min(values.values())
                for index, value in values.items():
                    if value == lowest:
                        best[index].add(column)
    slower, fake = slowdown.warnings(items), fakewins.warnings(items)
    return [
        Row(
            item,
            _speedup(item, items, baseline),
            _accuracy_change(item),
            limits.missed(item, budgets.on(item.target), higher_is_better=higher_is_better),
            frozenset(best[index]),
            (
                *_of_mixture(item, items, higher_is_better=higher_is_better),
                *(edgetpu.notes(item.artifact.compilation) if item.artifact.compilation else ()),
                *edgetpu.ran(item.conditions.get("accelerator")),
                *_of_evaluation(item),
                *_of_budget(item, budgets),
                *slower[index],
                *fake[index],
            ),
        )
        for index, item in enumerate(items)
    ]


def _of_mixture(
    item: Measurement, among: Sequence[Measurement], *, higher_is_better: bool
) -> tuple[str, ...]:
    """For a variant with a limit on its accuracy drop: what was chosen for it, and what came of that.

    The limit counts from the variant's own float model. That is the recipe's when it has no passes; else a
    row that has the same passes and is fp32.
    """
    if item.artifact.mixed is None:
        return ()
    drop, own = limits.accuracy_drop(item, higher_is_better=higher_is_better), _own_float(item, among)
    if own and own.accuracy and item.accuracy:
        loss = own.accuracy.value - item.accuracy.value
        drop = loss if higher_is_better else -loss
    n = item.accuracy.n if item.accuracy else None
    with_passes = bool(item.passes) and own is None
    return tuple(mixture.notes(item.artifact.mixed, item.precision, drop, n, with_passes=with_passes))


def _of_evaluation(item: Measurement) -> tuple[str, ...]:
    """That only a part of the evaluation data was run."""
    whole = item.conditions.get("evaluated_of")
    return (f"accuracy over {item.accuracy.n} of {whole} samples",) if whole and item.accuracy else ()


def _of_budget(item: Measurement, budgets: Budgets) -> Iterator[str]:
    """That the budget on its accuracy drop lies within what the samples leave open."""
    found, limit = item.accuracy, budgets.on(item.target).accuracy_drop_max
    change = _accuracy_change(item)
    if limit is None or found is None or change is None or found.change_ci95 is None:
        return
    if limits.LIMITED["accuracy_drop_max"].doubted(item):
        return  # as the budget says already
    if said := limits.unsettled(change, found.change_ci95, limit, found.n):
        yield said


def _own_float(item: Measurement, among: Sequence[Measurement]) -> Measurement | None:
    """The row of the float model that the passes of this one left; None without passes, or without a row."""
    rows = (one for one in among if one.precision == "fp32" and one.accuracy and item.passes)
    return next((one for one in rows if (one.passes, one.target) == (item.passes, item.target)), None)


def _accuracy_change(item: Measurement) -> float | None:
    if item.accuracy is None or item.accuracy.baseline is None:
        return None
    return item.accuracy.value - item.accuracy.baseline


def _speedup(item: Measurement, items: list[Measurement], baseline: str | None) -> float | None:
    if item.emulated:
        return None
    peers = [
        other
        for other in items
        if other.variant == baseline
        and (other.target, other.threads, other.tuning) == (item.target, item.threads, item.tuning)
    ]
    # A valid one rather than one that bears a mark, the same runtime rather than another.
    peers.sort(key=lambda other: (other.verdict != "valid", other.runtime.name != item.runtime.name))
    return peers[0].latency_ms.p50 / item.latency_ms.p50 if peers else None
