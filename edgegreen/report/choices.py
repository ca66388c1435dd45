"""The rows of a run as a plot: accuracy over what is paid for it, and the rows that no other beats."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from edgegreen.judging.comparison import Row
from edgegreen.report import pareto, scatter, words
from edgegreen.report.terminal import note

POINT = 0.01  # of a share: accuracies closer than this are not pulled apart over the whole axis


def tenth(largest: float) -> float:
    """The narrowest axis for what has no better: a tenth of its largest value."""
    return 0.1 * largest or 1.0


LATENCY = scatter.Axis("p50 ms", "{:g}".format, tenth, may_be_log=True)
ENERGY = scatter.Axis("mJ an inference above idle", "{:g}".format, tenth, may_be_log=True)


def accuracy_axis(metric: str, label: str) -> scatter.Axis:
    """Shares in percent, other metrics as they are."""
    if metric in words.SHARES:
        return scatter.Axis(label, lambda value: f"{100 * value:.4g} %", lambda _: POINT)
    return scatter.Axis(label, "{:g}".format, tenth)


def show(rows: Sequence[Row], out: Console, *, higher_is_better: bool = True) -> None:
    """A plot for each target that has two rows or more to weigh, where accuracies can be set side by side."""
    front = pareto.front(rows, higher_is_better=higher_is_better)
    for target in dict.fromkeys(row.measurement.target for row in rows):
        places = [at for at, row in enumerate(rows) if row.measurement.target == target and _has_a_place(row)]
        metered = any(rows[at].measurement.energy for at in places)
        if metered:
            places = [at for at in places if rows[at].measurement.energy]
        metrics = {accuracy.metric for at in places if (accuracy := rows[at].measurement.accuracy)}
        if len(places) > 1 and len(metrics) == 1 and front.intersection(places):
            best = [rows[at] for at in places if at in front]
            others = [rows[at] for at in places if at not in front]
            plot = _plot(best, others, rows, out.width, metered=metered)
            out.print(Text.assemble((target, "bold"), "  ", plot))
            costs = "accuracy, p50 and energy" if metered else "accuracy and p50"
            names = ", ".join(words.trial(row.measurement, rows) for row in best)
            out.print(note("●", f"beaten by no other row here, by {costs} together: {names}", "green"))
            out.print()


def _has_a_place(row: Row) -> bool:
    return row.measurement.accuracy is not None and not row.measurement.emulated


def _plot(
    best: Sequence[Row], others: Sequence[Row], rows: Sequence[Row], width: int, *, metered: bool
) -> Text:
    trusted = [row for row in others if row.measurement.verdict == "valid"]
    doubted = [row for row in others if row.measurement.verdict != "valid"]
    kinds = [
        _points(trusted, "beaten by another row", "·", metered=metered),
        _points(doubted, "not to be trusted", "?", "yellow", metered=metered),
        _points(best, "", "●", "green", metered=metered, names=rows),
    ]
    found = best[0].measurement.accuracy
    assert found is not None
    label = words.metric(best)
    return scatter.drawn(kinds, ENERGY if metered else LATENCY, accuracy_axis(found.metric, label), width)


def _points(
    rows: Sequence[Row], label: str, mark: str, style: str = "", *, metered: bool, names: Sequence[Row] = ()
) -> scatter.Points:
    """One kind; `names` are all the rows that a name has to tell a row from."""
    items = [row.measurement for row in rows]
    return scatter.Points(
        label,
        mark,
        tuple(
            item.energy.per_inference_mj if metered and item.energy else item.latency_ms.p50 for item in items
        ),
        tuple(item.accuracy.value for item in items if item.accuracy),
        tuple(words.trial(item, names) for item in items) if names else (),
        style,
    )
