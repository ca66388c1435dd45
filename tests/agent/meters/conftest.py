"""Fixtures of the meters' tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.meters import boards
from agent.meters.boards import Board

NOBODY = 65534


@pytest.fixture
def board(tmp_path: Path) -> Callable[[str], Board]:
    """Lays out the recorded board of a name."""
    return lambda name: boards.lay_out(name, tmp_path)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may look into; pytest's own are the user's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def nobody() -> Iterator[None]:
    """As a user without privileges: as root, permissions would not be tested."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
