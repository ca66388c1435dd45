"""What every format of a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegreen.comparison import Row
from edgegreen.measurement import Run


@dataclass(frozen=True)
class Contents:
    """A run, its rows compared and judged, and the folder in which the series behind them are, if any are."""

    run: Run
    rows: Sequence[Row]
    series: Path
