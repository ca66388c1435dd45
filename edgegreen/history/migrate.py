"""Brings a database to this edgegreen's tables when it is opened; refuses one of a newer edgegreen.

Alembic is imported only where there is something to do.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from edgegreen.errors import InputError
from edgegreen.history import schema

STEPS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"
ADVISORY_LOCK = 0x6564676567  # of PostgreSQL: any number, always the same


def migrate(engine: sa.Engine, steps: Path = STEPS, to: str = schema.REVISION) -> None:
    """Make the tables, or change older ones, in one transaction. Raises InputError for newer ones."""
    with engine.begin() as connection:
        if _revision(connection) == to:
            return
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        now = _revision(connection)  # again: another process may have done it meanwhile
        if now != to:
            _upgrade(connection, now, steps, to)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)))


def _upgrade(connection: sa.Connection, now: str | None, steps: Path, to: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if now is not None and now not in known:
        raise InputError(
            f"the history was written by a newer edgegreen: its tables are at revision {now}, "
            f"and this one knows them up to {to}",
            hint="update edgegreen; runs wait in the spool until then",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, to)
