"""Fixtures of the agent's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.talk import Talk
from edgegreen import bundle


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent, packed as it is sent to boards."""
    return bundle.pack(tmp_path_factory.mktemp("agent")).path


@pytest.fixture(scope="module")
def talk(pyz: Path) -> Iterator[Talk]:
    """An agent of this Python, with the real runtimes."""
    with Talk(pyz) as running:
        yield running


@pytest.fixture(scope="session")
def models() -> Path:
    """The small models; see make.py beside them."""
    return Path(__file__).parent.parent / "fixtures" / "models"
