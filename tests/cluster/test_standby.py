"""Converters of a real Dask worker: they serve the next task and the next client, and end with the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from places import REPO
from waiting import until

from cluster import servers
from cluster.servers import Dask

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
RECIPE = """
name: {name}
model: {model}
variants:
  shipped: {{format: tflite, precision: fp16}}
"""


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    found = Dask(tmp_path_factory.mktemp("dask"))
    yield found
    found.end()


@pytest.fixture
def convert(dask: Dask, tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts a client, with caches of its own, that converts this model."""

    def start(name: str, model: Path) -> subprocess.Popen[bytes]:
        recipe, home = tmp_path / f"{name}.yaml", tmp_path / name
        recipe.write_text(RECIPE.format(name=name, model=model))
        command = [sys.executable, "-m", "edgegreen", "convert", str(recipe), "--executor", dask.url]
        return subprocess.Popen(
            [*command, "--output", str(home / "files"), "--cache", f"file://{home}/shared"],
            env=os.environ | {"EDGEGREEN_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return start


def said(client: subprocess.Popen[bytes]) -> str:
    words, _ = client.communicate(timeout=120)
    return f"{client.returncode} {words.decode()}"


def built(tmp_path: Path, name: str) -> bytes:
    (file,) = (tmp_path / name / "files").rglob("*.tflite")
    return file.read_bytes()


def below(nanny: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The converters of the nanny's worker."""
    workers = psutil.Process(nanny.pid).children()
    return [one for worker in workers for one in servers.converters(worker)]


def test_the_next_client_finds_the_converters_and_sigterm_ends_them(
    dask: Dask, convert: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    nanny = dask.worker()
    dask.wait_for_workers()
    digits, other = REPO / "recipes" / "digits" / "model.keras", tmp_path / "other.keras"

    assert said(convert("a", digits)).startswith("0 ")
    first = below(nanny)
    dask.forget_built()
    assert said(convert("b", digits)).startswith("0 ")
    other.write_bytes(b"PK no model")
    wrong = said(convert("c", other))

    assert len(first) == 2  # one of each lane for all tasks
    assert below(nanny) == first
    assert built(tmp_path, "a") == built(tmp_path, "b")
    assert wrong[0] != "0"
    assert "other.keras" in wrong
    nanny.send_signal(signal.SIGTERM)
    nanny.wait(timeout=60)
    until(lambda: not any(one.is_running() for one in first))


def test_two_clients_at_once_and_none_is_left_after_kill_9(
    dask: Dask, convert: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    nanny = dask.worker("--nthreads", "2", "--resources", "convert=2")
    dask.wait_for_workers()
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK no model")

    digits = REPO / "recipes" / "digits" / "model.keras"
    clients = [convert(name, model) for name, model in (("a", digits), ("b", broken), ("c", digits))]
    good, bad, too = (said(client) for client in clients)

    assert (good[0], too[0]) == ("0", "0"), good + too
    assert "broken.keras" not in good + too
    assert "broken.keras" in bad
    assert built(tmp_path, "a") == built(tmp_path, "c")
    left = below(nanny)
    assert {"tensorflow", "tools"} == {
        "tensorflow" if one.memory_info().rss > 4e8 else "tools" for one in left
    }
    (worker,) = {one.parent() for one in left}
    assert worker is not None
    worker.kill()  # -9
    until(lambda: not any(one.is_running() for one in left))
    servers.kill(nanny)
