"""What GitHub Actions shows of a run: annotations, and the Markdown report as the summary of the step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgegreen.agent.wire import printable
from edgegreen.judging.compared import Against
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Run
from edgegreen.report import ratios, words
from edgegreen.report.contents import Contents

MOST = 10  # GitHub shows as many of each kind from a step, and drops the others without a word


def is_here(env: Mapping[str, str]) -> bool:
    """Whether this is a step of a workflow."""
    return env.get("GITHUB_ACTIONS") == "true"


def commands(contents: Contents) -> list[str]:
    """A line for each row that misses a budget, each failure, each regression; and each doubted row."""
    errors = [*_errors(contents.run, contents.rows)]
    errors += _regressions(contents.against) if contents.against else ()
    return [*_at_most("error", errors), *_at_most("warning", list(_warnings(contents.rows)))]


def summarize(env: Mapping[str, str], text: str) -> None:
    """Append Markdown to the step's summary, where there is one. Raises OSError."""
    if place := env.get("GITHUB_STEP_SUMMARY"):
        with Path(place).open("a", encoding="utf-8") as summary:
            summary.write(text)


def _errors(run: Run, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.missed:
            yield f"Budget missed: {_named(row, rows)}", "\n".join(row.missed)
    for failure in run.failures:
        where = f"{failure.name} on {failure.target}" if failure.target else failure.name
        yield f"Failed ({failure.stage}): {where}", failure.error


def _regressions(found: Against) -> Iterator[tuple[str, str]]:
    if found.nothing_common:
        yield "Not compared", found.nothing_common
    for one in found.trials:
        if one.failed:
            what = "Regression" if one.compared else "Not compared"
            yield f"{what}: {ratios.called(one, found.trials)} on {one.target}", "\n".join(one.failed)


def _warnings(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        if row.measurement.verdict == "invalid":
            yield f"Not to be trusted: {_named(row, rows)}", "\n".join(row.measurement.reasons)


def _named(row: Row, rows: Sequence[Row]) -> str:
    return f"{words.trial(row.measurement, rows)} on {row.measurement.target}"


def _at_most(kind: str, said: Sequence[tuple[str, str]]) -> list[str]:
    """All of them, or as many as are shown; the last then names the others."""
    shown, others = (said, ()) if len(said) <= MOST else (said[: MOST - 1], said[MOST - 1 :])
    lines = [_command(kind, title, text) for title, text in shown]
    if others:
        lines.append(_command(kind, f"And {len(others)} more", "\n".join(title for title, _ in others)))
    return lines


def _command(kind: str, title: str, text: str) -> str:
    """A workflow command, escaped as @actions/core does (packages/core/src/command.ts).

    What is not printable is replaced, carriage returns with it: a command begins after one as well.
    """
    data = printable(text).replace("%", "%25").replace("\n", "%0A")
    prop = printable(title).replace("%", "%25").replace("\n", "%0A")
    prop = prop.replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={prop}::{data}"
