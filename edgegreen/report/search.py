"""What a search found: a plot of all it tried, a table of the front, and what became of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement as Width
from rich.table import Table
from rich.text import Text

from edgegreen.judging.front import Outcome, Tried
from edgegreen.judging.objectives import Objective
from edgegreen.measurement import Measurement
from edgegreen.report import choices, scatter, words
from edgegreen.report.listings import table
from edgegreen.report.terminal import note

SIZES = ("size", "compressed")
REASON_WIDTH = 160
FAR = 10.0  # times the limit


def shown(objective: Objective, value: float) -> str:
    """A value of the objective, as in its column."""
    return words.size(round(value)) if objective.name in SIZES else words.number(value)


def headline(outcome: Outcome, wanted: int) -> str:
    """`12 of 40 candidates; best trial-007: p50 ms 0.0312, loss 0.4 points`."""
    count = sum(not one.given for one in outcome.tried)
    best = outcome.best
    found = "none within the limit yet"
    if best and best.score:
        objective = outcome.objective
        value = shown(objective, best.score.value)
        found = f"best {best.name}: {objective.heading} {value}, loss {_loss(best, best.score.drop)}"
    return f"{count} of {wanted} candidates; {found}"


def show_space(told: Mapping[str, Any], size: int, out: Console) -> None:
    """What a search would try: as `Space.told` has it, and how many candidates that is."""
    made = table("Choice", "Values")
    made.add_row("conversion", ", ".join(told["ways"]))
    made.add_row("threads", ", ".join(map(str, told["threads"])))
    for name, knobs in told["passes"].items():
        inside = "; ".join(f"{key} {', '.join(values)}" for key, values in knobs.items())
        made.add_row(name, f"without, or with: {inside}" if inside else "without, or with")
    out.print(made)
    out.print(f"{size:,} candidates")


def show(outcome: Outcome, out: Console, *, plot: bool = True) -> None:
    """Print it all: the plot, the front, then why others do not count."""
    scored = [one for one in outcome.tried if one.score]
    if len(scored) > 1 and plot:
        out.print(_plot(outcome, scored, out.width))
        out.print()
    if scored:
        _show_front(outcome, out)
    if best := outcome.best:
        out.print(
            note("→", f"best within a loss of {_loss(best, outcome.limit)}: {best.name}, {best.what}", "bold")
        )
        if outcome.alike:
            names = ", ".join(one.name for one in outcome.alike)
            out.print(note("→", f"not to be told apart from it: {names}", "bold"))
    else:
        out.print(note("!", f"nothing keeps to a loss of {outcome.limit:g}", "red"))
    _show_rest(outcome, out)


def show_all(outcome: Outcome, out: Console) -> None:
    """Print everything that was tried, in order, and what became of it."""
    shown_ = table(
        "Tried", outcome.objective.heading, "Loss", "What", "Fate", right=(outcome.objective.heading, "Loss")
    )
    for one in outcome.tried:
        value, loss = _figures(outcome, one)
        shown_.add_row(one.name, value, loss, one.what, Text(outcome.fate(one)[:REASON_WIDTH]))
    out.print(shown_)


def _show_front(outcome: Outcome, out: Console) -> None:
    """The front's table; what each is stands below it where the window is too narrow for a column of that."""
    best = outcome.best
    ones = [*outcome.front, *([best] if best and best not in outcome.front else [])]
    whole = _front(outcome, ones, with_what=True)
    fits = Width.get(out, out.options.update(width=1000), whole).maximum <= out.width
    out.print(whole if fits else _front(outcome, ones, with_what=False))
    for one in [] if fits else ones:
        out.print(note("·", f"{one.name}: {one.what}", "dim"))


def _front(outcome: Outcome, ones: Sequence[Tried], *, with_what: bool) -> Table:
    heading = outcome.objective.heading
    sizes = [name for name in ("Size", "Deflated") if name != heading]
    figures = (heading, "Accuracy", "Loss", *sizes)
    made = table("Front", *figures, *("What",) * with_what, right=figures)
    for one in ones:
        item = one.measurement
        assert item is not None
        value, loss = _figures(outcome, one)
        file = item.artifact
        held = {"Size": words.size(file.size_bytes), "Deflated": words.size(file.compressed_bytes)}
        name = Text.assemble(one.name, (" ★", "bold green") if one is outcome.best else "")
        cells = (value, _accuracy(item), loss, *(held[size] for size in sizes))
        made.add_row(name, *cells, *(one.what,) * with_what)
    return made


def _show_rest(outcome: Outcome, out: Console) -> None:
    """How many were dominated; the others by their reasons."""
    fates = {one.name: outcome.fate(one) for one in outcome.tried if one.score}
    dominated = sum(fate.startswith(("dominated", "equal")) for fate in fates.values())
    if dominated:
        out.print(note("·", f"{dominated} of {len(outcome.tried)} tried are dominated", "dim"))
    reasons = Counter(one.reason for one in outcome.tried if one.reason)
    for reason, count in reasons.most_common():
        names = [one.name for one in outcome.tried if one.reason == reason]
        told = ", ".join(names[:4]) + (f" and {count - 4} more" if count > 4 else "")
        out.print(note("✗", f"{told}: {(reason or '')[:REASON_WIDTH]}", "red"))
    if outcome.tried:
        out.print(
            note("…", "accuracy and loss here are of validation data, which the choice was made on", "dim")
        )


def _plot(outcome: Outcome, scored: Sequence[Tried], width: int) -> Text:
    """Accuracy over the objective. What lost far more than the limit would flatten it, and is counted."""
    front, best = outcome.front, outcome.best
    near = [one for one in scored if one.score and one.score.drop <= FAR * outcome.limit] or scored
    below, scored = len(scored) - len(near), near
    kinds = {
        "·": ("dominated", [one for one in scored if one not in front and not one.given]),
        "○": ("the recipe's own", [one for one in scored if one.given]),
        "●": ("on the front", [one for one in front if one in near and one is not best and not one.given]),
        "★": ("the best within the limit", [best] if best else []),
    }
    points = [
        scatter.Points(
            label,
            mark,
            tuple(one.score.value for one in ones if one.score),
            tuple(
                one.measurement.accuracy.value for one in ones if one.measurement and one.measurement.accuracy
            ),
        )
        for mark, (label, ones) in kinds.items()
    ]
    metric = next(
        one.measurement.accuracy.metric for one in scored if one.measurement and one.measurement.accuracy
    )
    objective = outcome.objective
    cost = scatter.Axis(
        objective.heading, lambda value: shown(objective, value), choices.tenth, may_be_log=True
    )
    drawn = scatter.drawn(points, cost, choices.accuracy_axis(metric, metric), width)
    return drawn.append(f"   ({below} lie further below)" if below else "")


def _figures(outcome: Outcome, one: Tried) -> tuple[str, str]:
    if one.score is None:
        return words.ABSENT, words.ABSENT
    return shown(outcome.objective, one.score.value), _loss(one, one.score.drop)


def _accuracy(item: Measurement) -> str:
    found = item.accuracy
    if found is None:
        return words.ABSENT
    return f"{100 * found.value:.1f} %" if found.metric in words.SHARES else words.number(found.value)


def _loss(one: Tried, drop: float) -> str:
    """In points for shares, else in the metric's own unit."""
    found = one.measurement.accuracy if one.measurement else None
    return f"{100 * drop:.1f} points" if found and found.metric in words.SHARES else words.number(drop)
