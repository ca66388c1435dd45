"""The page: everything that the template is given, and the template filled in.

All text goes through jinja2's autoescape, and data through its `tojson`, which leaves no `<` in a script
element. The page's own Content-Security-Policy allows the two scripts by their digests, and no request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgegreen.errors import InputError
from edgegreen.history.series import SeriesOf
from edgegreen.judging.choice import least_energy
from edgegreen.judging.compared import Against
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Measurement, Run
from edgegreen.report import conditions, fleet, pareto, words
from edgegreen.report import run as full
from edgegreen.report.html import changes, plots, summary
from edgegreen.report.html.columns import columns
from edgegreen.report.html.plots import Plots
from edgegreen.report.html.summary import Word

HERE = Path(__file__).parent
SCRIPTS = ("charts.js", "overview.js", "trial.js", "table.js", "start.js")  # in this order, as one
BINS_MOST, BINS_LEAST, BINS_IN_ALL = 500, 60, 40_000  # of all rows' plots together: 500 rows stay a few MB
REMARKS_MOST = 20  # that are seen at once
NO_SERIES = "the series behind this row are not there"


@dataclass(frozen=True)
class Entry:
    """A row of the page. `why_no_plots` is None where there are `plots`."""

    index: int
    name: str
    row: Row
    status: tuple[Word, ...]
    on_front: bool
    plots: Plots | None
    why_no_plots: str | None

    @property
    def item(self) -> Measurement:
        """What was measured."""
        return self.row.measurement

    @property
    def facts(self) -> dict[str, list[str]]:
        """Verdict, energy and meter, in lines."""
        return {name: told for name, lines in full.facts(self.item).items() if (told := list(lines))}

    @property
    def conditions(self) -> tuple[list[conditions.Line], list[str]]:
        """Lines, and what the board does not tell."""
        return conditions.known(self.item.conditions)

    @property
    def notes(self) -> list[str]:
        """What would help to read more of the board."""
        return conditions.notes(self.item.conditions)


def render(run: Run, rows: Sequence[Row], series: SeriesOf, found: Against | None = None) -> str:
    """The whole file, with the comparison `found` if there is one.

    `series` gives what is behind a row; its InputError is told in that row's place.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    entries = _entries(run, rows, series)
    scripts = _scripts() if entries else []
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("page.html.j2").render(
        run=run,
        entries=entries,
        columns=columns(rows),
        metric=words.metric(rows),
        verdict=_verdict(run, rows, found),
        changes=changes.of(found, rows) if found else None,
        choices=_choices(run, rows),
        best_of=list(summary.BEST_OF.values()),
        best=summary.best(rows),
        fleet=fleet.of(run, rows),
        fleet_heading=fleet.HEADING,
        fleet_counted={mark: text for mark, (_, text, _) in fleet.COUNTED.items()},
        budgets=summary.budgets(run, rows),
        remarks=summary.remarks(rows),
        remarks_most=REMARKS_MOST,
        weighed=any(row.measurement.accuracy or row.measurement.energy for row in rows),
        metered=any(row.measurement.energy for row in rows),
        boards=summary.boards(rows),
        shown_first=_shown_first(entries),
        charted=_charted(entries),
        listed=summary.listed,
        style=Markup((HERE / "style.css").read_text("utf-8")),  # noqa: S704 - a file of ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - the same
        digests=[base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts],
        asdict=asdict,
        absent=words.ABSENT,
        moments=conditions.MOMENTS,
    )


def _verdict(run: Run, rows: Sequence[Row], found: Against | None) -> Word:
    """That of the run; where that is not bad, a bad one of the comparison."""
    said = summary.verdict(run, rows)
    return (changes.verdict(found) if found and said.kind != "bad" else None) or said


def _scripts() -> list[str]:
    """A released library, and ours in its own scope: with the style, all the text that is not escaped."""
    ours = "\n".join((HERE / "js" / name).read_text("utf-8") for name in SCRIPTS)
    library = (HERE / "echarts" / "echarts.common.min.js").read_text("utf-8")
    return [library, f'(() => {{\n"use strict";\n{ours}}})();']


def _entries(run: Run, rows: Sequence[Row], series: SeriesOf) -> list[Entry]:
    front = pareto.front(rows, higher_is_better=run.higher_is_better)
    bins = max(BINS_LEAST, min(BINS_MOST, BINS_IN_ALL // max(1, len(rows))))
    entries = []
    for index, (name, row) in enumerate(zip(summary.names(rows), rows, strict=True)):
        drawn, why = _plots(row.measurement, series, bins)
        status = summary.status(row, run.budgets)
        entries.append(Entry(index, name, row, status, index in front, drawn, why))
    return entries


def _plots(item: Measurement, series: SeriesOf, bins: int) -> tuple[Plots | None, str | None]:
    try:
        found = series(item)
    except InputError as error:
        return None, str(error)
    return (plots.of(found, bins), None) if found else (None, NO_SERIES)


def _choices(run: Run, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """For each target with a choice to make: the least energy within the budgets."""
    found = []
    for target in dict.fromkeys(row.measurement.target for row in rows):
        mine = [row for row in rows if row.measurement.target == target]
        if chosen := least_energy(mine):
            found.append((target, words.choice(chosen, run.budgets.on(target), mine)))
    return found


def _shown_first(entries: Sequence[Entry]) -> int:
    """The row whose plots are seen at first: one of the best that has some."""
    drawn = [entry for entry in entries if entry.plots]
    good = [entry for entry in drawn if entry.status[0].kind == "good"]
    first = [entry for key in ("energy", "p50") for entry in good if key in entry.row.best]
    return next((entry.index for entry in (*first, *good, *drawn)), 0)


def _charted(entries: Sequence[Entry]) -> dict[str, Any]:
    """What the overview plots draw; accuracies that are shares in per cent."""
    measured = [entry.item.accuracy for entry in entries if entry.item.accuracy]
    share = bool(measured) and measured[0].metric in words.SHARES
    scale = 100 if share else 1
    return {
        "accuracy": words.metric([entry.row for entry in entries]) + (" (%)" if share else ""),
        "rows": [
            {
                "name": entry.name,
                "target": entry.item.target,
                "status": [word.text for word in entry.status],
                "kind": entry.status[0].kind,
                "front": entry.on_front,
                "accuracy": entry.item.accuracy.value * scale if entry.item.accuracy else None,
                "mj": entry.item.energy.per_inference_mj if entry.item.energy else None,
                "min": entry.item.latency_ms.min,
                "p50": entry.item.latency_ms.p50,
                "p95": entry.item.latency_ms.p95,
                "p99": entry.item.latency_ms.p99,
                "max": entry.item.latency_ms.max,
            }
            for entry in entries
        ],
    }
