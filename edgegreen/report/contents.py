"""What every format of a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgegreen.history.series import SeriesOf
from edgegreen.judging.compared import Against
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Run


@dataclass(frozen=True)
class Contents:
    """A run, its rows compared and judged, and where the series behind them come from.

    `against` is how it compares with a run before, where that was asked for.
    """

    run: Run
    rows: Sequence[Row]
    series: SeriesOf
    against: Against | None = None
