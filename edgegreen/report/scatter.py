"""Points on a terminal, by plotext: accuracy over what it costs, for a run's rows and what a search tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from edgegreen.report import fitting

HEIGHT = 12
WIDTHS = 40, 90
LABEL_WIDTH = 20
MARGIN = 0.06  # of an axis, beyond the outermost points
LOG_FROM = 20.0  # times the smallest value
NAMED_FROM = 0xE000  # private characters: each stands for a point that has a name, until all is drawn


@dataclass(frozen=True)
class Points:
    """Points of one kind, all drawn with the same `mark`; `names` are beside them where there is room.

    A kind without a label is not in the legend.
    """

    label: str
    mark: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    names: tuple[str, ...] = ()
    style: str = ""


@dataclass(frozen=True)
class Axis:
    """What is along an axis.

    `narrowest` says how much it spans at least, from its largest value: what hardly differs is not pulled
    apart.
    """

    label: str
    shown: Callable[[float], str]
    narrowest: Callable[[float], float]
    may_be_log: bool = False


Named = dict[str, tuple[Points, str]]
"""The kind and the name of a point, by the character that stands for it."""


def drawn(kinds: Sequence[Points], x: Axis, y: Axis, width: int) -> Text:
    """The plot, at most `width` columns wide. Of points in one place the last kind's is seen."""
    import plotext

    columns = max(WIDTHS[0], min(width, WIDTHS[1]))
    figure = plotext.figure
    figure.clear()
    figure.plot_size(columns, HEIGHT)
    figure.axes(False, side=1)  # those above and to the right
    _set(figure.ruler("x", 0), x, [value for kind in kinds for value in kind.x])
    _set(figure.ruler("y", 0), y, [value for kind in kinds for value in kind.y])
    named: Named = {}
    for kind in kinds:
        for at, (across, up) in enumerate(zip(kind.x, kind.y, strict=True)):
            mark = kind.mark
            if kind.names:
                mark = chr(NAMED_FROM + len(named))
                named[mark] = kind, kind.names[at]
            figure.draw(figure.signal([across], [up], marker=mark))
    text: str = plotext.uncolorize(str(figure.build()))
    figure.clear()
    lines = _with_names([line.rstrip().ljust(columns) for line in text.splitlines()], named)
    # The legend stands below: plotext's own would lie on the corner where the front is.
    legend = "   ".join(f"{kind.mark} {kind.label}" for kind in kinds if kind.x and kind.label)
    return Text("\n").join(
        [Text(f"{y.label} over {x.label}", style="dim"), *lines, *([Text(legend)] if legend else [])]
    )


def _set(ruler: Any, axis: Axis, values: Sequence[float]) -> None:
    """Where the axis ends, and round values along it."""
    low, high = min(values), max(values)
    if axis.may_be_log and low > 0 and high >= LOG_FROM * low:
        margin = (high / low) ** MARGIN
        ends = low / margin, high * margin
        decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in (1, 3)]
        ruler.scale("log")
        ruler.lim(*map(math.log10, ends))  # plotext takes logarithms here, but values for the ticks
    else:
        span = max(high - low, axis.narrowest(max(abs(low), abs(high))))
        reach = span * (0.5 + MARGIN)
        ends = (low + high) / 2 - reach, (low + high) / 2 + reach
        step = _round_step(span / 3)
        places = range(math.ceil(ends[0] / step), math.floor(ends[1] / step) + 1)
        ticks = [round(place * step, 12) for place in places]
        ruler.lim(*ends)
    inside = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    ruler.ticks(inside, [axis.shown(tick) for tick in inside])


def _round_step(wanted: float) -> float:
    """1, 2 or 5 times a power of ten: the largest that is not above `wanted`."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(power * factor for factor in (1, 2, 5) if factor == 1 or power * factor <= wanted)


def _with_names(lines: Sequence[str], named: Named) -> list[Text]:
    """The plot with its marks, and names beside them, above or below: wherever it is empty, or nowhere."""
    cells = [list(line) for line in lines]
    spots = [(up, at, cell) for up, line in enumerate(lines) for at, cell in enumerate(line) if cell in named]
    styled = []
    for up, at, cell in spots:
        kind, _ = named[cell]
        cells[up][at] = kind.mark
        styled.append((kind.style, up, at, at + 1))
    for up, at, cell in spots:
        kind, name = named[cell]
        label = fitting.cut(name, LABEL_WIDTH)
        left = at - 1 - len(label)
        for row, start in (
            (up, at + 2),
            (up, left),
            (up - 1, at),
            (up + 1, at),
            (up - 1, left),
            (up + 1, left),
        ):
            end = start + len(label)
            if row >= 0 and start > 0 and cells[row][start - 1 : end + 1] == [" "] * (len(label) + 2):
                cells[row][start:end] = label
                styled.append((kind.style, row, start, end))
                break
    texts = [Text("".join(line)) for line in cells]
    for style, row, start, end in styled:
        texts[row].stylize(style, start, end)
    for text in texts:
        text.rstrip()
    return texts
