"""A real PostgreSQL server of Debian's, for tests of the history; nothing of it outlives the test run.

EDGEGREEN_REQUIRE_POSTGRES=1 says that it must be there.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "team", "s3cret of the team"
# PostgreSQL refuses to run as root.
AS_POSTGRES: dict[str, Any] = (
    {} if os.getuid() else {"user": "postgres", "group": "postgres", "extra_groups": []}
)


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are: the newest of Debian's folders, or on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Server:
    """A server of its own on a free port of 127.0.0.1, in a folder that goes with it."""

    def __init__(self, folder: Path, where: Path) -> None:
        self._folder, self._binaries = folder, where
        self._numbers = itertools.count()
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if not os.getuid():
            for path in (folder, secret):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run(
            [where / "initdb", "-D", folder / "data", "-U", USER, "--pwfile", secret, "--no-sync",
             "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True, capture_output=True, cwd=folder, **AS_POSTGRES,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._folder / "data", "-F", "-k", self._folder,
             "-h", "127.0.0.1", "-p", str(self.port), "-c", "log_min_messages=fatal"],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **AS_POSTGRES,
        )  # fmt: skip
        deadline_s = time.monotonic() + 30
        ready = [self._binaries / "pg_isready", "-q", "-h", self._folder, "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, "postgres ended"
            assert time.monotonic() < deadline_s, "postgres does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, with all connections, and without tidying up: that would take seconds."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Its address, as a user writes it in EDGEGREEN_DB."""
        coded = password.replace(" ", "%20")
        return f"postgresql+psycopg://{USER}:{coded}@127.0.0.1:{self.port}/{database}"

    def new(self) -> str:
        """An address where nothing is yet: a schema of its own, which costs less than a database."""
        name = f"history{next(self._numbers)}"
        self.run(f"CREATE SCHEMA {name}")
        return self.url("postgres") + f"?options=-csearch_path%3D{name}"

    def run(self, statement: str) -> None:
        """Run SQL."""
        import psycopg

        where = f"host={self._folder} port={self.port} user={USER} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server; skips, or fails where it must be there, when PostgreSQL is not installed."""
    where = binaries()
    if where is None:
        why = "PostgreSQL is not installed (apt: postgresql)"
        if os.environ.get("EDGEGREEN_REQUIRE_POSTGRES") == "1":
            pytest.fail(f"{why}, but EDGEGREEN_REQUIRE_POSTGRES=1")
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="edgegreen-postgres-"))
    try:
        server = Server(folder, where)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
