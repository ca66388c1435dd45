"""Older tables are brought up to date when a history is opened; newer ones are refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from builders import measurement, run

from edgegreen.errors import InputError
from edgegreen.history import engine, migrate, schema
from edgegreen.history.store import Store

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    with op.batch_alter_table("run") as table:
        table.add_column(sa.Column("note", sa.Text, server_default="from before", nullable=False))
"""


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """The migrations of an edgegreen to come: ours, and one more."""
    folder = tmp_path / "100%" / "migrations"  # alembic takes a % for its own
    shutil.copytree(migrate.STEPS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "r0002_next.py").write_text(NEXT)
    return folder


def test_the_tables_are_those_of_the_last_migration(store: Store) -> None:
    with engine.connect(engine.url()).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_revision() == schema.REVISION
        assert compare_metadata(context, schema.METADATA) == []


def test_sqlite_is_in_wal_mode_and_forgets_parts_with_their_run(store: Store) -> None:
    store.put(run(measurement()), ())
    with store._connected(writes=True) as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        connection.execute(sa.delete(schema.run))
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.result)) == 0


def test_older_tables_are_migrated_and_newer_ones_refused(store: Store, steps: Path) -> None:
    kept = run(measurement())
    store.put(kept, ())
    migrate.migrate(store._engine, steps, "0002")
    with store._connected() as connection:
        assert connection.exec_driver_sql("SELECT run_id, note FROM run").all() == [
            (kept.run_id, "from before")
        ]
    with pytest.raises(InputError, match="newer edgegreen: its tables are at revision 0002") as caught:
        Store.open(engine.url())
    assert "update edgegreen" in str(caught.value.hint)
    found = store.get(kept.run_id)
    assert found is not None
    assert found.run == kept


def test_a_migration_that_fails_changes_nothing(store: Store, steps: Path) -> None:
    broken = NEXT + '    op.execute("SELECT nothing FROM nowhere")\n'
    (steps / "versions" / "r0002_next.py").write_text(broken)
    with pytest.raises(sa.exc.DBAPIError, match="nowhere"):
        migrate.migrate(store._engine, steps, "0002")
    assert Store.open(engine.url()).ids() == []
    with store._connected() as connection:
        names = [one["name"] for one in sa.inspect(connection).get_columns("run")]
    assert "note" not in names
