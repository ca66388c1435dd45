"""The database that keeps the history: where it is, how it is connected to, and what its errors mean.

All of SQLAlchemy's and the drivers' errors end here. Passwords are in no message.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError, SQLAlchemyError

from edgegreen.errors import InputError
from edgegreen.home import home

VARIABLE = "EDGEGREEN_DB"
SQLITE_TIMEOUT_S = 30
LONGEST = 300  # of what a database says
POSTGRES = {"connect_timeout": "10", "tcp_user_timeout": "30000", "application_name": "edgegreen"}
EXAMPLE = (
    f"write {VARIABLE} as postgresql+psycopg://user:password@host/database, with %40 for an @ in the password"
)


def url() -> sa.URL:
    """`$EDGEGREEN_DB`, or a file in edgegreen's home, which is made. Raises InputError."""
    given = os.environ.get(VARIABLE)
    if not given:
        try:
            home().mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the history in {home()}: {error.strerror}",
                hint="EDGEGREEN_HOME moves everything edgegreen keeps",
            ) from None
        return sa.URL.create("sqlite", database=str(home() / "history.db"))
    try:
        found = sa.make_url(given)
    except (ArgumentError, ValueError):  # whose text may have the password
        raise InputError(f"{VARIABLE} is no address of a database", hint=EXAMPLE) from None
    if found.drivername == "postgresql":
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername not in ("sqlite", "postgresql+psycopg"):
        raise InputError(
            f"{VARIABLE}: no history is kept in `{found.drivername}`",
            hint=f"{EXAMPLE}, or sqlite:////folder/history.db",
        )
    if "@" in (found.host or ""):
        raise InputError(f"{VARIABLE}: the host has an @", hint=EXAMPLE)
    return found


def shown(of: sa.URL) -> str:
    """Which database, for messages: a file, or an address without its password."""
    if of.drivername == "sqlite":
        return of.database or "memory"
    return of.set(query={}).render_as_string(hide_password=True)


def connect(of: sa.URL) -> sa.Engine:
    """An engine whose connections are closed after use."""
    with told(of):
        if of.drivername != "sqlite":
            given = {key: value for key, value in POSTGRES.items() if key not in of.query}
            return sa.create_engine(of, poolclass=sa.NullPool, connect_args=given)
        pool: type[sa.Pool] = sa.NullPool if of.database else sa.StaticPool
        made = sa.create_engine(of, poolclass=pool, connect_args={"timeout": SQLITE_TIMEOUT_S})
        sa.event.listen(made, "connect", _prepare_sqlite)
        sa.event.listen(made, "begin", _begin_sqlite)
        return made


@contextmanager
def told(of: sa.URL) -> Iterator[None]:
    """What goes wrong with this database is an InputError in the block."""
    try:
        yield
    except NoSuchModuleError as error:
        raise InputError(f"{VARIABLE}: {error}", hint=EXAMPLE) from None
    except ModuleNotFoundError as error:
        raise InputError(
            f"a history in {of.get_backend_name()} needs the package {error.name}",
            hint="pip install 'edgegreen[postgres]'",
        ) from None
    except UnicodeEncodeError:
        raise InputError(f"the history in {shown(of)} has no such name: it is no text") from None
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        said = " ".join(str(cause).split())[:LONGEST] or type(cause).__name__
        raise InputError(
            f"the history in {shown(of)}: {said}",
            hint=_hint(said),
            transient=isinstance(error, OperationalError),
        ) from None


def _hint(said: str) -> str:
    for words, hint in (
        ("password", f"{VARIABLE} has the user and the password"),
        ("permission denied", "the database's user needs the right to create and to write tables there"),
        ("does not exist", "create it on the server first, with `createdb`"),
        ("disk is full", "make room; runs wait in the spool until then"),
        ("disk I/O", "make room if its disk is full; runs wait in the spool until then"),
        ("not a database", f"move the file away, or have {VARIABLE} name another"),
    ):
        if words in said:
            return hint
    return f"see that it is there, or have {VARIABLE} name another; runs wait in the spool until then"


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Transactions begin when we say so, and readers do not wait for a writer (WAL)."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
        with suppress(
            sqlite3.OperationalError
        ):  # another process has it, and does the same, or may not write
            connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    """A transaction that is to write waits for others at its beginning: later it could not wait, but fail."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
