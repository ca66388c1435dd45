"""What is read of the history: every run of the database, and those that are still in the spool.

Runs of the spool are those that are going on, and those that the database did not take. They are filtered by
the same code: as rows of a database in memory. While the database is away they are all there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edgegreen.errors import InputError
from edgegreen.history import engine, intake
from edgegreen.history.filters import Filter
from edgegreen.history.intake import Left
from edgegreen.history.kept import Kept
from edgegreen.history.series import Series
from edgegreen.history.store import Store, Summary
from edgegreen.measurement import Measurement


@dataclass(frozen=True)
class Broken:
    """A file of the spool that cannot be read, and why."""

    run_id: str
    why: InputError


class Shelf:
    """All runs, wherever they are. Made by `opened`."""

    def __init__(self, database: Store, left: Left, away: InputError | None = None) -> None:
        self._database, self._left = database, left
        self.away = away
        """Why only the spool is read, if so."""
        self._waiting = Store.of(one.run for one in left.runs.values())

    def close(self) -> None:
        """Nothing is left open."""
        self._waiting.close()
        self._database.close()

    @property
    def not_taken(self) -> InputError | None:
        """Why runs that are done are still in the spool, if some are."""
        return self._left.why

    def ids(self, prefix: str = "") -> list[str]:
        """Of all runs whose id begins so, also of those that cannot be read; the newest first."""
        spooled = {*self._left.runs, *self._left.broken}
        return sorted(
            {*self._database.ids(prefix), *(one for one in spooled if one.startswith(prefix))}, reverse=True
        )

    def get(self, run_id: str) -> Kept:
        """The run of this id. Raises InputError when it cannot be read, or is not there."""
        if run_id in self._left.broken:
            raise self._left.broken[run_id]
        kept = self._database.get(run_id) if run_id not in self._left.runs else self._spooled(run_id)
        if kept is None:
            raise InputError(f"run {run_id} is no longer there")
        return kept

    def find(self, wanted: Filter, limit: int | None = None) -> list[Summary]:
        """The runs that `wanted` asks for, the newest first."""
        spooled = self._waiting.find(wanted) if self._left.runs else []
        stored = self._database.find(wanted, limit and limit + len(self._left.runs))
        found = [*spooled, *(one for one in stored if one.run_id not in self._left.runs)]
        return sorted(found, key=lambda one: one.run_id, reverse=True)[:limit]

    def broken(self) -> list[Broken]:
        """The files that cannot be read, the newest first."""
        return [Broken(run_id, why) for run_id, why in sorted(self._left.broken.items(), reverse=True)]

    def _spooled(self, run_id: str) -> Kept:
        """With the series of what it measured before it was taken up again: the database has those."""
        spooled, stored = self._left.runs[run_id], self._database.series(run_id)

        def series(item: Measurement) -> Series | None:
            return spooled.series(item) or stored(item)

        return Kept(spooled.run, series)


@contextmanager
def opened() -> Iterator[Shelf]:
    """The history, once what waited in the spool was taken in; the spool alone while the database is away.

    Raises InputError when it is away and nothing is in the spool.
    """
    shelf = _opened()
    try:
        yield shelf
    finally:
        shelf.close()


def _opened() -> Shelf:
    try:
        database = Store.open(engine.url())
        return Shelf(database, intake.take_in(database))
    except InputError as error:
        left = intake.leave()
        if not left.runs:
            raise
        return Shelf(Store.of(()), left, away=error)
