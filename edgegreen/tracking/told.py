"""What MLflow is told of a run: the run itself, and one child run for each row. Pure.

Figures and their names are the columns of the CSV report, so a figure is called the same in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edgegreen.agent.wire import one_line, printable
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Commit, Run
from edgegreen.report import formats, words
from edgegreen.report.contents import Contents
from edgegreen.report.html.summary import verdict
from edgegreen.report.table import COLUMNS

# What was chosen, not measured: MLflow's params. Of the other columns, numbers are metrics, texts are tags.
CHOSEN = (
    "target", "variant", "format", "precision", "passes", "runtime", "runtime_version", "delegate", "threads",
    "governor", "power_mode", "sha256", "metric",
)  # fmt: skip
TAG = "edgegreen."
RUN_ID, TRIAL = TAG + "run_id", TAG + "trial"
LONGEST_PARAM, LONGEST_TAG = 500, 5000  # characters: what servers older than MLflow 2.10 and 2.14 take


@dataclass(frozen=True)
class Entry:
    """One of MLflow's runs."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Told:
    """All that is sent. `files` are the parent's artifacts: texts by name. `at_ms`: since the epoch, UTC."""

    experiment: str
    at_ms: int
    failed: bool
    parent: Entry
    children: tuple[Entry, ...]
    files: Mapping[str, str]


def of(contents: Contents) -> Told:
    """A run as MLflow is to have it."""
    run = contents.run
    return Told(
        experiment=f"edgegreen/{printable(run.recipe)}",
        at_ms=int(run.started_at.timestamp() * 1000),
        failed=bool(run.failures),
        parent=_parent(contents),
        children=tuple(_child(row, contents) for row in contents.rows),
        files={
            "report.html": formats.report("html", contents),
            "run.json": formats.report("json", contents),
        },
    )


def _parent(contents: Contents) -> Entry:
    run, rows = contents.run, contents.rows
    tags = {**_of_run(run), TAG + "verdict": verdict(run, rows).text}
    if run.origin:
        tags |= {f"{TAG}sha256.{key}": digest for key, digest in run.origin.files.items()}
        tags |= _of_commit(run.origin.git) if run.origin.git else {}
    metrics = {
        "rows": len(rows),
        "rows_over_budget": sum(bool(row.missed) for row in rows),
        "rows_not_trusted": sum(row.measurement.verdict != "valid" for row in rows),
        "failures": len(run.failures),
    }
    # No params: what a run is made from may change when it is taken up again, and MLflow's params never do.
    return Entry(run.run_id, _cut(tags, LONGEST_TAG), {}, metrics)


def _of_run(run: Run) -> dict[str, str]:
    return {RUN_ID: run.run_id, TAG + "recipe": run.recipe, TAG + "version": run.edgegreen}


def _of_commit(commit: Commit) -> dict[str, str]:
    """The first is MLflow's own name: its pages link it."""
    return {"mlflow.source.git.commit": commit.sha, TAG + "git_modified": str(commit.modified).lower()}


def _child(row: Row, contents: Contents) -> Entry:
    """A row. Its `trial` tag is another one where anything of it was measured anew."""
    item = row.measurement
    tags = {**_of_run(contents.run), TRIAL: hashlib.sha256(item.model_dump_json().encode()).hexdigest()[:16]}
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    for name, show in COLUMNS.items():
        value = show(row)
        if value is None or value == "":
            continue
        if name in CHOSEN:
            params[name] = str(value)
        elif isinstance(value, bool | str):
            tags[TAG + name] = str(value).lower() if isinstance(value, bool) else value
        else:
            metrics[name] = value
    return Entry(_name(row, contents), _cut(tags, LONGEST_TAG), _cut(params, LONGEST_PARAM), metrics)


def _name(row: Row, contents: Contents) -> str:
    """`int8-tflite@pi5`, and what tells it from its twins."""
    item = row.measurement
    mine, *setting = words.trial(item, contents.rows).removeprefix(item.variant).split(", ")
    return printable(", ".join([f"{item.variant}{mine}@{item.target}", *setting]))


def _cut(texts: Mapping[str, str], longest: int) -> dict[str, str]:
    return {name: one_line(printable(text), longest) for name, text in texts.items()}
