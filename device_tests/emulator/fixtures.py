"""An emulated board as a pytest fixture. Where it cannot be had the test skips, unless it must be had.

`EDGEGREEN_REQUIRE_EMULATOR=1` says that it must, as in CI: then the test fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from device_tests.emulator.boards import BOARDS
from device_tests.emulator.running import Running, boot
from edgegreen.errors import InputError, UnreachableError

DEFAULT = ("jetson-orin", "raspberry-pi-5-trixie")  # both meters, both releases
REQUIRE = "EDGEGREEN_REQUIRE_EMULATOR"


def add_options(parser: pytest.Parser) -> None:
    """`--emulated-board`."""
    parser.addoption(
        "--emulated-board",
        action="append",
        choices=list(BOARDS),
        help=f"emulated board to test on, may be given several times (default: {', '.join(DEFAULT)})",
    )


def generate(metafunc: pytest.Metafunc) -> None:
    """One instance of a test for each board; pytest orders them so that one board is up at a time."""
    if "emulated" in metafunc.fixturenames:
        names = metafunc.config.getoption("--emulated-board") or DEFAULT
        metafunc.parametrize("emulated", list(dict.fromkeys(names)), indirect=True, scope="session")


def leave_out(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Skip what needs an emulated board unless it was asked for: it takes minutes, and packages."""
    if config.getoption("--emulated-board") or "emulated" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("emulated"):
            item.add_marker(pytest.mark.skip(reason="emulated boards are tested with `-m emulated`"))


@pytest.fixture(scope="session")
def emulated(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A booted board that tests share; what they write to it is gone when they are through."""
    with booted(request.param) as running:
        yield running


@contextmanager
def booted(name: str) -> Iterator[Running]:
    """A board of one's own. Where it cannot be had the test skips, or fails if it must be had."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(boot(name, tell=_tell))
        except (InputError, UnreachableError) as error:
            if os.environ.get(REQUIRE) == "1":
                pytest.fail(f"{error}, but {REQUIRE}=1")
            pytest.skip(str(error))
        yield running


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
