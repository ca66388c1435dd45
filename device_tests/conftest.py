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
