"""The real wheels, from the index that pip is configured for; skipped where that is out of reach."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from agent.pythons import Version, dotted, interpreters

from edgegreen import releases
from edgegreen.artifact import File
from edgegreen.client import Agent
from edgegreen.deployment import deploy
from edgegreen.errors import DeviceError
from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.interpreter import Interpreter
from edgegreen.provision import Site, elf, provide, wheels
from edgegreen.releases import Pin
from edgegreen.target import Target
from edgegreen.transport.local import LocalTransport

pytestmark = pytest.mark.slow

PYTHONS = {version[:2]: path for version, path in interpreters().items() if version >= (3, 7)}
CELLS = [
    (name, release, arch)
    for name, row in releases.RELEASES.items()
    for release in row
    for arch in release.glibc
    if (name, arch) != ("openvino", "x86_64")  # 300 MB more, and nothing new
]


# What is not to be had for a Python, whatever the index has.
ABSENT = {(3, 7): {"openvino"}}


@contextmanager
def index_in_reach() -> Iterator[None]:
    """Skip where pip finds nothing at all."""
    try:
        yield
    except DeviceError as error:
        if "from versions: none" not in error.message:
            raise
        pytest.skip(f"pip's index is out of reach: {error.message}")


@pytest.mark.parametrize(
    ("name", "release", "arch"),
    CELLS,
    ids=[f"{name}-{release.version}-{arch}" for name, release, arch in CELLS],
)
def test_the_table_says_what_the_wheels_link(name: RuntimeName, release: releases.Release, arch: str) -> None:
    for minor in {release.first, release.last}:
        interpreter = Interpreter((3, minor), arch, (2, release.glibc[arch]))
        with index_in_reach():
            (wheel,) = wheels.obtain(
                [Pin(releases.DISTRIBUTIONS[name], release.version)], interpreter, Event()
            )
        assert elf.glibc_needed(wheel.file.path) == (2, release.glibc[arch])


@pytest.mark.parametrize("version", sorted(PYTHONS), ids=dotted)
def test_every_python_of_this_machine_gets_runtimes_that_compute(
    version: Version, pyz: File, tmp_path: Path
) -> None:
    """In an environment of its own without packages."""
    python = tmp_path / "bare"
    subprocess.run([PYTHONS[version], "-m", "venv", "--without-pip", python], check=True)
    target = Target(host="local", python=f"{python}/bin/python", root=f"{tmp_path}/root").called("bare")
    with LocalTransport() as link:
        placed = deploy(link, target.folder, [pyz])
        with Agent.start(link, target.interpreter, placed.agent) as agent:
            board = agent.probe()
            assert board.runtimes == {}
            site = Site(link, target, pyz, agent)
            wanted = [traits.runtimes for traits in FORMATS.values() if traits.any_board]
            done = provide(site, board, wanted, lambda *_: None, Event())
            there = agent.probe().runtimes
    for want, refusal in done.refused.items():
        if not set(want) & ABSENT.get(version, set()):
            with index_in_reach():
                raise refusal
    assert set(there) == {kit.runtime for kit in done.brought.values()}
    assert len(done.brought) == len(wanted) - len(ABSENT.get(version, ()))
