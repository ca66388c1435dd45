"""The one lab that all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import labs
from lab.labs import Lab


@pytest.fixture(scope="session")
def whole(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with labs.running(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(whole: Lab) -> Iterator[Lab]:
    """Each test has to leave it free."""
    yield whole
    whole.switched.clear()
    whole.broken.clear()
    left = whole.clear()
    assert not left
