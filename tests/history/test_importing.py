"""Runs of another history, and of JSON files, taken into this one: SQLite, and a real PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders import measurement, run

from edgegreen.errors import InputError
from edgegreen.history import importing, runs, series, spool
from edgegreen.history.store import Store
from history.putting import spooled

ONE, TWO = "20261122-040000-000001", "20261122-050000-000002"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A history of two runs, with their series."""
    path = tmp_path / "other.db"
    store = Store.open(sa.URL.create("sqlite", database=str(path)))
    for run_id in (ONE, TWO):
        made = spooled(run_id, "a", "b")
        store.put(made, series.packed_in(series.folder_of(spool.file_of(run_id))))
        spool.remove(run_id)
    return path


def test_a_history_moves_with_its_series(store: Store, other: Path) -> None:
    found = importing.take(other)
    assert (found.taken, found.there, found.broken) == (2, 0, [])
    source = Store.open(sa.URL.create("sqlite", database=str(other)))
    assert store.ids() == source.ids() == [TWO, ONE]
    for run_id in (ONE, TWO):
        before, after = source.get(run_id), store.get(run_id)
        assert before is not None
        assert after is not None
        assert before.run == after.run
        assert len(store.packed(run_id)) == 2
        assert store.packed(run_id) == source.packed(run_id)


def test_what_is_there_stays_as_it_is(store: Store, other: Path) -> None:
    later = run(measurement("a"), measurement("b"), measurement("c")).model_copy(update={"run_id": ONE})
    store.put(later, ())
    for taken, there in ((1, 1), (0, 2)):
        found = importing.take(other)
        assert (found.taken, found.there) == (taken, there)
    assert runs.load(ONE) == later


def test_a_run_that_cannot_be_read_is_in_nobodys_way(store: Store, other: Path) -> None:
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("UPDATE run SET record = '{\"schema\": 9}' WHERE run_id = ?", [ONE])
        connection.commit()
    found = importing.take(other)
    assert (found.taken, store.ids()) == (1, [TWO])
    (why,) = found.broken
    assert f"run {ONE} of the history: not a run that this edgegreen can read" in str(why)


def test_a_json_file(store: Store, tmp_path: Path) -> None:
    made = spooled(ONE, "a")
    there = spool.file_of(ONE)
    path = tmp_path / "nightly.json"
    there.rename(path)
    series.folder_of(there).rename(series.folder_of(path))
    assert importing.take(path).taken == 1
    assert importing.take(path).there == 1
    kept = runs.find(ONE)
    assert kept.run == made
    assert kept.series(made.results[0]) is not None


def test_what_is_no_run(database: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE run (a)")
    named = tmp_path / "run.json"
    named.write_text(run().model_copy(update={"run_id": "../x"}).to_json())
    for path, words in (
        (foreign, "no history of edgegreen's"),
        (named, "is no run's id"),
        (tmp_path / "none.json", "no such file"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(InputError, match=words):
            importing.take(path)
    with closing(sqlite3.connect(foreign)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("run",)]
