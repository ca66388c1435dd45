"""Options and fixtures of the tests on boards."""

from __future__ import annotations

import pytest

from device_tests.emulator import fixtures

emulated = fixtures.emulated


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which emulated boards the tests marked `emulated` run on."""
    fixtures.add_options(parser)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of an emulated board runs on each of them."""
    fixtures.generate(metafunc)


def pytest_configure(config: pytest.Config) -> None:
    """Known wherever this folder is copied to."""
    config.addinivalue_line("markers", "emulated: needs an emulated board; see emulator/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Emulated boards only where they were asked for."""
    fixtures.leave_out(config, items)
