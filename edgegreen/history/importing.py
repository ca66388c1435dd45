"""Runs from elsewhere into the history: those of another history in SQLite, or one in a JSON file.

For a team that gets a database of its own, for a run of another machine, for a backup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from edgegreen.agent.wire import printable
from edgegreen.errors import InputError
from edgegreen.history import engine, intake, kept, series, spool
from edgegreen.history.store import Store
from edgegreen.measurement import Run

SQLITE = b"SQLite format 3\0"  # what such a file begins with
OURS = {"run", "result"}  # tables that every history has
Packed = tuple[Run, Mapping[str, bytes]]  # with its series, by their trials


@dataclass
class Imported:
    """What became of the runs of a file: so many were put in, or there already; others cannot be read."""

    taken: int = 0
    there: int = 0
    broken: list[InputError] = field(default_factory=list)


def take(path: Path) -> Imported:
    """Put the runs of a file into the history, with their series. One that is there stays as it is.

    Raises InputError when the file has no runs, or the history is away; what was put in until then stays.
    """
    into = Store.open(engine.url())
    intake.take_in(into)
    known, found = set(into.ids()), Imported()
    runs_of = _of_history if _is_sqlite(path) else _of_json
    for run, packed in runs_of(path, known, found):
        into.put(run, packed.items())
        found.taken += 1
    return found


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(SQLITE)) == SQLITE
    except OSError:  # which `kept` says better
        return False


def _of_history(path: Path, known: set[str], found: Imported) -> Iterator[Packed]:
    """The runs of a history that are not known, the oldest first."""
    url = sa.URL.create("sqlite", database=str(path))
    with engine.told(url):
        tables = sa.inspect(engine.connect(url)).get_table_names()
    if not set(tables) >= OURS:  # and is not to get our tables
        raise InputError(f"{path}: a database, and no history of edgegreen's")
    source = Store.open(url)
    for run_id in reversed(source.ids()):
        if run_id in known:
            found.there += 1
            continue
        try:
            one, packed = source.get(run_id), source.packed(run_id)
        except InputError as error:
            found.broken.append(error)
            continue
        if one:
            yield one.run, packed


def _of_json(path: Path, known: set[str], found: Imported) -> Iterator[Packed]:
    """The run in a file unless it is known, with the series in the folder beside it, if there is one."""
    run = kept.of_file(path).run
    if not spool.RUN_ID.fullmatch(run.run_id):
        raise InputError(f"{path}: `{printable(run.run_id)}` is no run's id")
    if run.run_id in known:
        found.there += 1
        return
    try:
        packed = dict(series.packed_in(series.folder_of(path)))
    except OSError as error:
        raise InputError(f"{series.folder_of(path)}: {error.strerror}") from None
    yield run, packed
