"""A model's costs: its layers as a tree with figures, where the cost sits, what passes could win.

Everything here is counted or estimated. Measured energy is in the table of `deploy`, and never in this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgegreen.agent.wire import printable
from edgegreen.costs.energy import Estimate
from edgegreen.costs.layers import Costs, LayerCost, Totals
from edgegreen.costs.prospects import Prospect
from edgegreen.report import words
from edgegreen.report.listings import table

if TYPE_CHECKING:
    from edgegreen.sources import ModelSummary

HEADINGS = ("Params", "MACs", "kB in", "kB out", "MAC/B", "Zeros", "Values", "Est. µJ")
FIGURES = {
    "bytes_deflated": "weights, deflated",
    "bytes": "weights",
    "macs": "MACs",
    "bytes_moved": "bytes in and out",
}
SHARE_SHOWN, LAYERS_SHOWN = 0.8, 4
SHORTEST = 12  # letters of a layer


@dataclass(frozen=True)
class Line:
    """A row of the tree: a layer, or (None) the group of those below it."""

    guide: str
    name: str
    layer: LayerCost | None


def show(model: ModelSummary, out: Console) -> None:
    """Print all of it, or why there is nothing to print."""
    costs = model.costs
    out.print()
    if costs is None:
        out.print(f"{words.ABSENT} costs: {model.costs_absent}", markup=False)
        return
    whose = f", of {costs.of}" if costs.of else ""
    out.print(Text.assemble(("One inference", "bold"), f"{whose}, counted from its graph"))
    _show_layers(costs, out)
    for kind, reason in {one.type: one.absent for one in costs.layers if one.absent}.items():
        out.print(Text(f"{words.ABSENT} {printable(kind)}: {reason}", style="dim"))
    _show_estimate(costs, out)
    _show_where(costs, out)
    if costs.prospects:
        _show_prospects(costs, out)


def _show_layers(costs: Costs, out: Console) -> None:
    """The table; where it is too wide, names are cut and figures stay whole."""
    lines = list(tree([(printable(one.name), one) for one in costs.layers]))
    cells = [[""] * len(HEADINGS) if line.layer is None else list(_layer_cells(line.layer)) for line in lines]
    cells.append(list(_total_cells(costs.total)))
    taken = sum(1 + max(map(len, column)) for column in zip(HEADINGS, *cells, strict=True))
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    shown.add_column("Layer", no_wrap=True)
    for heading in HEADINGS:
        shown.add_column(heading, justify="right", no_wrap=True)
    for line, figures in zip(lines, cells, strict=False):
        label = Text.assemble((line.guide, "dim"), line.name)
        if line.layer:
            label.append(f" {printable(line.layer.type)}", style="dim")
        label.truncate(max(SHORTEST, out.width - taken), overflow="ellipsis")
        shown.add_row(label, *figures)
    shown.add_row(Text("total", style="bold"), *cells[-1])
    out.print(shown)


def tree(layers: Sequence[tuple[str, LayerCost]], guide: str = "") -> Iterator[Line]:
    """Layers in order, neighbours under one path of names grouped; a path that all share goes."""
    layers = [(name.strip("/"), layer) for name, layer in layers]
    while len({_first(name) for name, _ in layers if "/" in name}) == 1 and not guide:
        layers = [(name.partition("/")[2] or name, layer) for name, layer in layers]
    numbered = list(enumerate(layers))
    groups = [list(members) for _, members in groupby(numbered, key=_group)]
    for number, group in enumerate(groups):
        members = [item for _, item in group]
        last = number == len(groups) - 1
        if len(members) == 1:
            yield Line(guide + ("└ " if last else "├ "), *members[0])
        else:
            yield Line(guide + ("└ " if last else "├ "), _first(members[0][0]), None)
            below = [(name.partition("/")[2] or name, layer) for name, layer in members]
            yield from tree(below, guide + ("  " if last else "│ "))


def _group(item: tuple[int, tuple[str, LayerCost]]) -> object:
    """What neighbours have in common to be grouped: a layer's own name is shared with none."""
    number, (name, _) = item
    return _first(name) if "/" in name else number


def _first(name: str) -> str:
    return name.partition("/")[0]


def _layer_cells(layer: LayerCost) -> Iterator[str]:
    yield words.ABSENT if layer.parameters is None else _short(layer.parameters) if layer.parameters else ""
    yield _short(layer.macs)
    yield _kilobytes(layer.read_bytes)
    yield _kilobytes(layer.written_bytes)
    yield words.number(layer.intensity) if layer.macs else "" if layer.macs == 0 else words.ABSENT
    yield _percent(layer.sparsity) if layer.sparsity is not None else ""
    yield _short(layer.distinct) if layer.distinct is not None else ""
    yield _range(layer.energy_estimate)


def _total_cells(total: Totals) -> Iterator[str]:
    least = "≥" if total.incomplete else ""
    for counted in (total.parameters, total.macs):
        yield _short(counted) if counted is None else least + _short(counted)
    yield least + _kilobytes(total.read_bytes)
    yield least + _kilobytes(total.written_bytes)
    yield words.number(total.intensity)
    yield _percent(total.sparsity)
    yield _short(total.distinct)
    yield _range(total.energy_estimate)


def _show_estimate(costs: Costs, out: Console) -> None:
    found, basis = costs.total.energy_estimate, costs.energy_basis
    out.print()
    if found is None:
        out.print(f"{words.ABSENT} no estimate of the energy: it would leave layers out")
        return
    out.print(Text.assemble(
        ("Energy, estimated", "bold"),
        f": {words.number(found.low_uj)} to {words.number(found.high_uj)} µJ an inference, "
        f"{words.number(found.arithmetic_uj)} µJ of it arithmetic",
    ))  # fmt: skip
    notes = (
        f"by costs of single operations, not measured: {basis.source}, "
        f"{basis.node_nm} nm, {basis.supply_v} V",
        "; ".join(basis.assumes),
        f"left out: {'; '.join(basis.left_out)}",
    )
    for note in notes:
        out.print(Text(note, style="dim"))


def _show_where(costs: Costs, out: Console) -> None:
    """The few layers that most of each cost sits in, of costs that are known of every layer."""
    layers, total_ = costs.layers, costs.total
    if total_.incomplete:
        return
    sides: tuple[tuple[str, Callable[[LayerCost], float]], ...] = (
        ("MACs", lambda one: float(one.macs or 0)),
        ("bytes in and out", lambda one: float((one.read_bytes or 0) + (one.written_bytes or 0))),
        ("estimated µJ, from DRAM", lambda one: one.energy_estimate.high_uj if one.energy_estimate else 0.0),
    )
    shown = table("Where the cost sits", "")
    for what, cost in sides:
        total = sum(map(cost, layers))
        if total and (total_.energy_estimate or "µJ" not in what):
            ranked = sorted(layers, key=cost, reverse=True)
            shown.add_row(
                what, ", ".join(_share(one, cost(one) / total) for one in _top(ranked, cost, total))
            )
    if shown.row_count:
        out.print()
        out.print(shown)


def _top(
    ranked: Sequence[LayerCost], cost: Callable[[LayerCost], float], total: float
) -> Iterator[LayerCost]:
    reached = 0.0
    for one in ranked[:LAYERS_SHOWN]:
        if reached >= SHARE_SHOWN * total:
            return
        reached += cost(one)
        yield one


def _share(layer: LayerCost, share: float) -> str:
    return f"{printable(layer.name).rpartition('/')[2]} {100 * share:.0f} %"


def _show_prospects(costs: Costs, out: Console) -> None:
    shown = table(
        "What passes could win", "Figure", "Now", "Then", "", "Layers", right=("Now", "Then", "", "Layers")
    )
    for one in costs.prospects:
        gain = f"÷ {words.number(one.now / one.then)}" if one.now and one.then else ""
        shown.add_row(
            one.passes, FIGURES[one.unit], _figure(one, one.now), _figure(one, one.then), gain,
            str(len(one.layers)) if one.then is not None else "",
        )  # fmt: skip
    out.print()
    out.print(shown)
    notes: dict[str, list[str]] = {}
    for one in costs.prospects:
        notes.setdefault(one.absent or one.assumes, []).append(one.passes)
    absent = {one.absent for one in costs.prospects}
    for note, passes in notes.items():
        mark = f"{words.ABSENT} " if note in absent else ""
        out.print(Text(f"{mark}{', '.join(passes)}: {note}", style="dim"))
    if costs.passes_absent:
        out.print(Text(costs.passes_absent, style="dim"))
    out.print(
        Text(
            "estimates: `deploy` measures what they cost in accuracy, and whether a board gains", style="dim"
        )
    )


def _figure(prospect: Prospect, value: int | None) -> str:
    return _short(value) if prospect.unit == "macs" else words.size(value)


def _short(value: int | None) -> str:
    """904k, 12.5M: counts in three digits."""
    if value is None:
        return words.ABSENT
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * scale:
            return f"{words.number(value / scale)}{unit}"
    return str(value)


def _kilobytes(value: int | None) -> str:
    if value is None:
        return words.ABSENT
    return words.number(value / 1000) if value >= 1000 else f"{value / 1000:.2g}"


def _percent(share: float | None) -> str:
    return words.ABSENT if share is None else f"{100 * share:.0f} %"


def _range(found: Estimate | None) -> str:
    """`0.21–3.2`: both ends in two digits."""
    return (
        words.ABSENT
        if found is None
        else "0"
        if not found.high_uj
        else f"{_two(found.low_uj)}–{_two(found.high_uj)}"
    )


def _two(value: float) -> str:
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}" if value >= 0.01 or value == 0 else "<.01"
