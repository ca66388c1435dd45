"""A history in SQLite, and one in a real PostgreSQL: everything has to hold in both."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres import Server

from edgegreen.history import engine
from edgegreen.history.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty database, which EDGEGREEN_DB names."""
    if request.param == "sqlite":
        address = f"sqlite:///{home / 'team.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        address = server.new()
    monkeypatch.setenv("EDGEGREEN_DB", address)
    return address


@pytest.fixture
def store(database: str) -> Store:
    """The same, opened."""
    return Store.open(engine.url())
