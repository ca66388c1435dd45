"""Points on a terminal, by plotext: what a search found, accuracy over its objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgegreen.errors import InputError

HEIGHT = 16
WIDTHS = 40, 100


@dataclass(frozen=True)
class Points:
    """Points of one kind, all drawn with the same `mark`."""

    label: str
    mark: str
    x: tuple[float, ...]
    y: tuple[float, ...]


def drawn(kinds: Sequence[Points], x_label: str, y_label: str, width: int) -> str:
    """The plot as plain text, at most `width` columns wide. Of points in one place the last kind's is seen.

    Raises InputError when plotext is not installed.
    """
    try:
        import plotext
    except ImportError:
        raise InputError(
            "a search takes plotext, which is not installed", hint="pip install 'edgegreen[search]'"
        ) from None
    figure = plotext.figure
    figure.clear()
    figure.plot_size(max(WIDTHS[0], min(width, WIDTHS[1])), HEIGHT)
    for kind in kinds:
        if kind.x:
            figure.draw(figure.signal(list(kind.x), list(kind.y), marker=kind.mark))
    figure.label(x_label, "x")
    figure.label(y_label, "y")
    text: str = plotext.uncolorize(str(figure.build()))
    figure.clear()
    # The legend stands below: plotext's own would lie on the corner where the front is.
    legend = "   ".join(f"{kind.mark} {kind.label}" for kind in kinds if kind.x)
    return "\n".join([*(line.rstrip() for line in text.splitlines()), legend])
