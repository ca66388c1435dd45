"""Runs in one database: put in, found, listed, read back. A run that is put in twice is there once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from edgegreen.history import engine as engines
from edgegreen.history import rows, schema, series
from edgegreen.history.filters import Filter, begins
from edgegreen.history.kept import Kept
from edgegreen.history.migrate import migrate
from edgegreen.history.series import Series, SeriesOf
from edgegreen.measurement import Measurement, Run

INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# What is written anew whenever a run is put in; series are not, for those of earlier results are not at hand.
PARTS = (
    (schema.variant, rows.of_variants),
    (schema.target, rows.of_targets),
    (schema.result, rows.of_results),
    (schema.failure, rows.of_failures),
)


@dataclass(frozen=True)
class Summary:
    """A run in a list: how many results it has, how many of them are not to be trusted, what failed."""

    run_id: str
    recipe: str
    started_at: datetime
    edgegreen: str
    git_commit: str | None
    targets: tuple[str, ...]
    variants: tuple[str, ...]
    results: int
    invalid: int
    failures: int


class Store:
    """A database of runs. Its errors are InputErrors."""

    def __init__(self, url: sa.URL) -> None:
        self._url, self._engine = url, engines.connect(url)

    @classmethod
    def open(cls, url: sa.URL) -> Store:
        """The database there; its tables are made, or brought up to date. Raises InputError."""
        made = cls(url)
        with engines.told(url):
            migrate(made._engine)
        return made

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Store:
        """A database in memory, of these runs; `close` it."""
        made = cls(sa.URL.create("sqlite"))
        schema.METADATA.create_all(made._engine)
        for run in runs:
            made.put(run, ())
        return made

    def close(self) -> None:
        """Let go of a database in memory; others hold nothing."""
        self._engine.dispose()

    @contextmanager
    def _connected(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        with (
            engines.told(self._url),
            self._engine.execution_options(writes=writes).begin() as connection,
        ):
            yield connection

    def put(self, run: Run, packed: Iterable[tuple[str, bytes]]) -> None:
        """Keep a run, or what it has become, whole or not at all; with `packed` series by their trials.

        Series that were put in before stay, as long as their results do.
        """
        upsert = INSERTS[self._engine.dialect.name]
        mine = rows.of_run(run)
        key = {"run_id": run.run_id}
        with self._connected(writes=True) as connection:
            # The run first: who else puts the same one in waits here, and finds all of it afterwards.
            connection.execute(
                upsert(schema.run).values(mine).on_conflict_do_update(index_elements=key, set_=mine)
            )
            for table, of in PARTS:
                connection.execute(sa.delete(table).where(table.c.run_id == run.run_id))
                if found := of(run):
                    connection.execute(sa.insert(table), found)
            for trial, npz in packed:
                one = key | {"trial": trial, "npz": npz}
                connection.execute(
                    upsert(schema.series)
                    .values(one)
                    .on_conflict_do_update(index_elements=["run_id", "trial"], set_={"npz": npz})
                )
            there = sa.select(schema.result.c.trial).where(schema.result.c.run_id == run.run_id)
            of_series = schema.series.c
            connection.execute(
                sa.delete(schema.series).where(of_series.run_id == run.run_id, of_series.trial.not_in(there))
            )

    def ids(self, prefix: str = "") -> list[str]:
        """Of the runs whose id begins so, the newest first."""
        if not (prefix.isascii() and prefix.isprintable()):  # no id, and no text that every database takes
            return []
        column = schema.run.c.run_id
        wanted = sa.select(column).order_by(column.desc())
        with self._connected() as connection:
            return list(connection.scalars(wanted.where(begins(column, prefix)) if prefix else wanted))

    def find(self, wanted: Filter, limit: int | None = None) -> list[Summary]:
        """The runs that `wanted` asks for, the newest first."""
        run, result = schema.run.c, schema.result.c
        page = sa.select(run.run_id).where(*wanted.conditions()).order_by(run.run_id.desc()).limit(limit)
        counts = {"results": sa.func.count(), "invalid": sa.func.count().filter(result.verdict != "valid")}
        columns = (run.run_id, run.recipe, run.started_at, run.edgegreen, run.git_commit)
        with self._connected() as connection:
            heads = connection.execute(
                sa.select(*columns).where(run.run_id.in_(page)).order_by(run.run_id.desc())
            ).all()
            results = _counted(connection, schema.result, page, counts)
            failures = _counted(connection, schema.failure, page, {"failures": sa.func.count()})
            targets = _names(connection, schema.target, page)
            variants = _names(connection, schema.variant, page)
        return [
            Summary(
                *head,
                targets=tuple(targets.get(head.run_id, ())),
                variants=tuple(variants.get(head.run_id, ())),
                results=results.get(head.run_id, {}).get("results", 0),
                invalid=results.get(head.run_id, {}).get("invalid", 0),
                failures=failures.get(head.run_id, {}).get("failures", 0),
            )
            for head in heads
        ]

    def get(self, run_id: str) -> Kept | None:
        """The run of this id; None when there is none. Raises InputError, as for one of a newer edgegreen."""
        run, result, failure = schema.run, schema.result, schema.failure
        with self._connected() as connection:
            head = connection.execute(
                sa.select(run.c.run_id, run.c.record, run.c.origin).where(run.c.run_id == run_id)
            ).one_or_none()
            if head is None:
                return None
            results = connection.scalars(
                sa.select(result.c.record).where(result.c.run_id == run_id).order_by(result.c.position)
            ).all()
            failures = connection.execute(
                sa.select(failure.c.record, failure.c.exit_code)
                .where(failure.c.run_id == run_id)
                .order_by(failure.c.position)
            ).all()
        found = rows.to_run(head._asdict(), results, [(one.record, one.exit_code) for one in failures])
        return Kept(found, self.series(run_id))

    def series(self, run_id: str) -> SeriesOf:
        """Where the series of a run come from."""
        return _SeriesOfRun(self, run_id)

    def packed(self, run_id: str) -> dict[str, bytes]:
        """The packed series of a run, by their trials."""
        wanted = sa.select(schema.series.c.trial, schema.series.c.npz).where(schema.series.c.run_id == run_id)
        with self._connected() as connection:
            return {trial: bytes(npz) for trial, npz in connection.execute(wanted)}


class _SeriesOfRun:
    """The series of a run in the database; fetched together, when the first is asked for."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self._packed: dict[str, bytes] | None = None

    def __call__(self, item: Measurement) -> Series | None:
        """Those of a measurement; None where none are kept. Raises InputError."""
        if self._packed is None:
            self._packed = self._store.packed(self._run_id)
        packed = self._packed.get(series.trial_of(item))
        return None if packed is None else series.unpack(packed, f"run {self._run_id} of the history")


def _counted(
    connection: sa.Connection, table: sa.Table, page: sa.Select[Any], counts: dict[str, Any]
) -> dict[str, dict[str, int]]:
    """How many rows of a table the runs of a page have, in these ways, by the run's id."""
    key = table.c.run_id
    wanted = sa.select(key, *(count.label(name) for name, count in counts.items()))
    found = connection.execute(wanted.where(key.in_(page)).group_by(key))
    return {one.run_id: {name: getattr(one, name) for name in counts} for one in found}


def _names(connection: sa.Connection, table: sa.Table, page: sa.Select[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    wanted = sa.select(table.c.run_id, table.c.name).where(table.c.run_id.in_(page))
    for run_id, name in connection.execute(wanted.order_by(table.c.name)):
        found.setdefault(run_id, []).append(name)
    return found
