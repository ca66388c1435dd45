"""From the spool into the database: runs that are done, and those of processes that are gone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edgegreen.errors import InputError
from edgegreen.history import engine, kept, series, spool
from edgegreen.history.kept import Kept
from edgegreen.history.series import SeriesOf
from edgegreen.history.store import Store
from edgegreen.measurement import Run

CLAIM_S = 60.0  # longer than a database may take to answer another process that takes the same run in


@dataclass(frozen=True)
class Place:
    """Where a run is, in words, and where its series come from."""

    name: str
    series: SeriesOf


@dataclass
class Left:
    """What stays in the spool: runs that are still going on, or were not taken (`why`), and broken files."""

    runs: dict[str, Kept] = field(default_factory=dict)
    broken: dict[str, InputError] = field(default_factory=dict)
    why: InputError | None = None


def keep(run: Run) -> Place:
    """Move a run that is done from the spool into the database.

    Raises InputError, and then the run is still in the spool.
    """
    where = engine.url()
    store = Store.open(where)
    try:
        with spool.claimed(run.run_id, CLAIM_S) as mine:
            if not mine:
                raise InputError(f"another process is putting run {run.run_id} into the history")
            _put(store, run)
    except OSError:  # no spool to speak of: then at least what is in memory
        store.put(run, ())
    take_in(store)  # what waited for a database that was away
    return Place(engine.shown(where), store.series(run.run_id))


def take_in(store: Store) -> Left:
    """Put every run of the spool into the database that no process writes any more."""
    left = Left()
    for path in spool.files():
        try:
            with spool.claimed(path.stem) as mine:
                _take(path, store if mine else None, left)
        except OSError as error:
            _take(path, None, left)
            left.why = InputError(f"the spool in {spool.folder()}: {error.strerror}")
    with suppress(OSError):
        spool.sweep()
    return left


def leave() -> Left:
    """What is in the spool, while there is no database to put it into."""
    left = Left()
    for path in spool.files():
        _take(path, None, left)
    return left


def _take(path: Path, store: Store | None, left: Left) -> None:
    """One run, left where it is without a store; what is wrong with file or database is noted."""
    if not path.exists():  # another process was faster
        return
    try:
        found = kept.of_file(path)
    except InputError as error:
        if path.exists():  # or else another process has just taken it in
            left.broken[path.stem] = error
        return
    try:
        away = left.why is not None and left.why.transient  # and would let us wait once more for each run
        if store and not away and found.run.run_id == path.stem:
            _put(store, found.run)
            return
    except InputError as error:
        left.why = error
    left.runs[path.stem] = found


def _put(store: Store, run: Run) -> None:
    store.put(run, series.packed_in(series.folder_of(spool.file_of(run.run_id))))
    spool.remove(run.run_id)
