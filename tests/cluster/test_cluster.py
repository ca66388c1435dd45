"""Models built by a real Dask scheduler and workers, which share with us nothing but the cache's URL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from places import REPO
from sshd import free_port

from cluster import servers
from cluster.servers import Dask
from edgegreen import executor
from edgegreen.artifact import Artifact
from edgegreen.cache.store import Cache
from edgegreen.cluster import driver
from edgegreen.convert import Build, BuildEvent
from edgegreen.errors import EdgegreenError, InputError, UnreachableError
from edgegreen.recipe import Recipe, load

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
DIGITS = REPO / "recipes" / "digits.yaml"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with servers.running(tmp_path_factory.mktemp("dask"), workers=2) as dask:
        yield dask


@pytest.fixture
def two(started: Dask) -> Dask:
    """A scheduler and two workers that have built nothing."""
    while len(started.running) < 2:
        started.worker()
    started.wait_for_workers()
    started.forget()
    return started


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Names the executor; the shared cache is an empty one."""
    monkeypatch.setenv("EDGEGREEN_CACHE", f"file://{tmp_path}/shared")
    return lambda url: monkeypatch.setenv(executor.VARIABLE, url)


@contextmanager
def building(
    recipe: Recipe, on_event: Callable[[BuildEvent], None] = lambda _: None, only: tuple[str, ...] = ()
) -> Iterator[Build]:
    variants = {name: one for name, one in recipe.variants.items() if name in (only or recipe.variants)}
    with closing(Cache.default()) as cache, executor.build(recipe, variants, cache, on_event) as built:
        yield built


def outcome(built: Build) -> dict[str, Artifact | EdgegreenError]:
    found: dict[str, Artifact | EdgegreenError] = {}
    for name, future in built.artifacts.items():
        try:
            found[name] = future.result(timeout=120)
        except EdgegreenError as error:
            found[name] = error
    return found


def artifacts(made: dict[str, Artifact | EdgegreenError]) -> list[Artifact]:
    """What was built, when all was."""
    assert [one for one in made.values() if isinstance(one, EdgegreenError)] == []
    return [one for one in made.values() if isinstance(one, Artifact)]


def until(true: Callable[[], object], within_s: float = 30.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_worker_killed_in_the_middle_costs_only_its_task(
    two: Dask, by: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(two.url)
    events: list[BuildEvent] = []
    recipe = load(DIGITS)

    with building(recipe, events.append) as built:
        until(lambda: any(event.stage == "converting" for event in events))
        until(two.converting)
        worker = two.converting()[0]
        environments = worker.environ(), servers.converters(worker)[0].environ()
        worker.kill()  # -9; its nanny starts another one
        made = outcome(built)
        reference = built.reference.result(timeout=60)
        expected = {name: future.result(timeout=60) for name, future in built.expected.items()}

    assert list(made) == list(recipe.variants)
    assert len(artifacts(made)) == 6
    assert sum(len(arrays[0]) for _, arrays in reference.batches()) == 450
    assert all(outputs and len(outputs[0]) == 32 for outputs in expected.values())
    # The nanny's settings are the worker's, not the converter's.
    assert ["MALLOC_TRIM_THRESHOLD_" in one for one in environments] == [True, False]
    # The same words as of a build here, and each end once.
    assert {"waiting for a worker", "loading", "converting", "checking"} <= {one.stage for one in events}
    assert sorted(one.variant for one in events if one.stage == "done" and one.variant) == sorted(made)
    # What a worker made is what this machine makes.
    monkeypatch.setenv(executor.VARIABLE, "local")
    monkeypatch.delenv("EDGEGREEN_CACHE")
    monkeypatch.setenv("EDGEGREEN_HOME", str(tmp_path / "alone"))
    with building(recipe, only=("int8-tflite",)) as alone:
        (here,) = artifacts(outcome(alone))
    assert here.sha256 in {one.sha256 for one in artifacts(made)}


def test_a_variants_own_mistake_is_its_own_and_not_tried_again(
    two: Dask, by: Callable[[str], None], tmp_path: Path
) -> None:
    by(two.url)
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    events: list[BuildEvent] = []
    recipe = Recipe.model_validate(
        {"name": "x", "model": broken, "variants": {"a": {"format": "tflite", "precision": "fp16"}}}
    )

    with building(recipe, events.append) as built:
        made = outcome(built)

    assert isinstance(made["a"], EdgegreenError)
    assert not isinstance(made["a"], UnreachableError)
    assert "broken.h5" in made["a"].message
    assert [event.stage for event in events] == ["waiting for a worker", "loading", "loading", "failed"]


def test_nothing_is_asked_of_a_cluster_when_nothing_lacks(
    two: Dask, by: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(two.url)
    recipe, names = load(DIGITS), ("fp32-tflite",)
    with building(recipe, only=names) as built:
        made = outcome(built)
        for future in (built.reference, *built.expected.values()):
            future.result(timeout=60)
    monkeypatch.setenv("EDGEGREEN_HOME", str(tmp_path / "second"))
    by(f"dask://127.0.0.1:{free_port()}")  # where nobody is

    with building(recipe, only=names) as built:
        again = outcome(built)

    assert built.unchanged == frozenset(names)
    assert [one.sha256 for one in artifacts(again)] == [one.sha256 for one in artifacts(made)]


def test_what_the_shared_cache_lost_is_put_there_again(
    two: Dask, by: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by(two.url)
    recipe, names = load(DIGITS), ("fp32-openvino",)
    with building(recipe, only=names) as built:
        (made,) = artifacts(outcome(built))
    (archive,) = tmp_path.glob(f"shared/**/{made.key}.zip")
    archive.write_bytes(archive.read_bytes()[:-30])
    monkeypatch.setenv("EDGEGREEN_HOME", str(tmp_path / "second"))

    with building(recipe, only=names) as built:
        (again,) = artifacts(outcome(built))

    assert again.sha256 == made.sha256


def test_interrupt_ends_what_the_workers_do(two: Dask, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgegreen", "convert", str(DIGITS), "--executor", two.url]
    environment = os.environ | {"EDGEGREEN_HOME": str(tmp_path / "home")}
    started = subprocess.Popen(
        [*command, "--cache", f"file://{tmp_path}/shared"], env=environment, stderr=subprocess.PIPE
    )
    until(two.converting)
    started.send_signal(signal.SIGINT)

    _, said = started.communicate(timeout=20)

    assert (started.returncode, said.decode().splitlines()[-1]) == (130, "interrupted")
    until(lambda: not two.converting(), 5.0)


def test_all_workers_gone_is_said_in_bounded_time(
    two: Dask, by: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "WORKERLESS_S", 2.0)
    by(two.url)

    with building(load(DIGITS)) as built:
        until(two.converting)
        for worker in two.running:
            servers.kill(worker)
        gone_s = time.monotonic()
        made = outcome(built)

    assert time.monotonic() - gone_s < 6
    lost = [one for one in made.values() if isinstance(one, UnreachableError)]
    assert len(lost) == len(made)
    assert "no worker with the resource `convert` is left" in lost[0].message
    with (
        pytest.raises(InputError, match="no worker there has the resource `convert`"),
        building(load(DIGITS)),
    ):
        pass


def test_worker_of_other_versions_is_named_with_them(
    by: Callable[[str], None], tmp_path: Path, two: Dask
) -> None:
    other = tmp_path / "other"
    for name, version in (("openvino", "1.2.3"), ("cloudpickle", "0.0.1")):
        told = other / f"{name}-{version}.dist-info"
        told.mkdir(parents=True)
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    old = two.worker(PYTHONPATH=os.pathsep.join([str(other), str(REPO)]))
    two.wait_for_workers()
    by(two.url)

    notes: list[str | None] = []
    with (
        pytest.raises(InputError, match=r"openvino 1\.2\.3 \(20.* here\)"),
        building(load(DIGITS), lambda event: notes.append(event.note)),
    ):
        pass

    servers.kill(old)
    assert re.search(
        r"between different versions: worker tcp://\S+ has cloudpickle 0\.0\.1 \(", notes[-1] or ""
    )


def test_scheduler_gone_is_said_in_bounded_time(by: Callable[[str], None], tmp_path: Path) -> None:
    with servers.running(tmp_path, workers=1) as one:
        by(one.url)
        with building(load(DIGITS)) as built:
            until(one.converting)
            servers.kill(one.scheduler)
            gone_s = time.monotonic()
            made = outcome(built)

    assert time.monotonic() - gone_s < 10
    assert {type(found) for found in made.values()} == {UnreachableError}
    with pytest.raises(UnreachableError, match="no scheduler answers within 5 s"), building(load(DIGITS)):
        pass
