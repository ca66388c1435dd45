"""A user's shell with models built already, and boards to deploy to."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from delay_proxy import DelayProxy
from filelock import FileLock
from sshd import Sshd

from cli.harness import Done, Shell

TAKEN = "cold.json"


@pytest.fixture(scope="session")
def cold(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The first deploy of all, by one process for the whole test run: its EDGEGREEN_HOME, and how it went."""
    if (
        importlib.util.find_spec("tensorflow") is None
    ):  # importing it would take seconds, and nobody here needs to
        pytest.skip("the digits model is a Keras file, and tensorflow is not installed")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cold-deploy"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / TAKEN).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # of a first deploy that failed
            shell = Shell(folder, folder / "kept")
            done = shell.run("deploy", shell.recipe(), limit_s=200)
            assert done.code == 0, done.err
            (folder / TAKEN).write_text(json.dumps(vars(done)))
    return folder / "kept", Done(**json.loads((folder / TAKEN).read_text()))


@pytest.fixture
def empty(tmp_path: Path, home: Path) -> Shell:
    """A user's shell; nothing was ever built."""
    return Shell(tmp_path, home)


@pytest.fixture
def shell(empty: Shell, cold: tuple[Path, Done]) -> Shell:
    """A user's shell; the quick recipe's models are built already."""
    empty.take_models(cold[0])
    return empty


@pytest.fixture
def board(shell: Shell, sshd: Sshd, tmp_path: Path) -> str:
    """The name of a target: a real SSH server on this machine, with nothing on it."""
    return add_board(shell, sshd, "board")


@pytest.fixture
def proxy(sshd: Sshd) -> Iterator[DelayProxy]:
    """A way to the SSH server that can be cut."""
    with DelayProxy(sshd.port) as way:
        yield way


def add_board(shell: Shell, sshd: Sshd, name: str, **fields: object) -> str:
    """Write a target that means `sshd`, with a root of its own."""
    import sys

    (shell.home / ".ssh" / "config").write_text(sshd.config.read_text())
    whole = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "user": sshd.user,
        "identity_file": sshd.identity,
        "python": sys.executable,
        "root": shell.folder / f"{name}-root",
        "patience_s": 0,  # most faults here last
    }
    return shell.target(name, **(whole | fields))
