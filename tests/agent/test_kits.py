"""Kits beside the agent: found when ready and whole, never in the way of a runtime of the Python's own."""

from __future__ import annotations

import json
import shutil
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from agent.talk import FAKE_LITERT, Talk, job
from edgegreen.agent import kits

A, B = "a" * 12, "b" * 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two unpacked wheels without a note."""
    for name in (A, B):
        (tmp_path / "runtimes" / name).mkdir(parents=True)
    return tmp_path / "runtimes"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without runtimes."""
    monkeypatch.setattr(kits.runtimes, "version", lambda name: None)
    monkeypatch.setattr(sys, "path", list(sys.path))


def ready(folder: Path, kit: kits.Kit) -> Path:
    kits.note(str(folder), kit)
    path = Path(kit.folders[0])
    (path / kits.UNTRIED).rename(path / kits.READY)
    return path / kits.READY


def kit(folder: Path, *names: str, version: str = "2.3.0") -> kits.Kit:
    return kits.Kit("litert", version, [str(folder / name) for name in names])


def test_one_counts_once_it_is_ready(folder: Path, bare: None) -> None:
    kits.note(str(folder), kit(folder, A, B))
    assert kits.versions(str(folder)) == {}
    ready(folder, kit(folder, A, B))
    assert kits.versions(str(folder)) == kits.ready(str(folder)) == {"litert": "2.3.0"}
    kits.use("litert", str(folder))
    assert sys.path[:2] == [str(folder / A), str(folder / B)]


def test_untried_ones_can_be_tried(folder: Path, bare: None) -> None:
    kits.note(str(folder), kit(folder, A, B))
    kits.use("litert", str(folder))
    assert sys.path[0] == str(folder / A)


def test_there_is_one_for_each_runtime_and_python(folder: Path, bare: None) -> None:
    note = ready(folder, kit(folder, A, B))
    assert kits.unneeded(str(folder)) == []
    kits.note(str(folder), kit(folder, B, version="9.9"))
    assert not note.exists()
    assert kits.unneeded(str(folder)) == [str(folder / A)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda note: note.write_text("{"),
        lambda note: note.write_text("[1]"),
        lambda note: note.write_text(json.dumps({"folders": ["../../etc"], "runtime": "litert"})),
        lambda note: note.write_text(note.read_text().replace("cpython", "pypy")),  # another Python's
        lambda note: shutil.rmtree(note.parent.parent / B),
    ],
)
def test_what_is_damaged_is_as_if_not_there(folder: Path, bare: None, damage: object) -> None:
    note = ready(folder, kit(folder, A, B))
    damage(note)  # type: ignore[operator]
    assert kits.versions(str(folder)) == {}
    kits.use("litert", str(folder))
    assert str(folder / A) not in sys.path


def test_without_a_folder_there_are_none(tmp_path: Path, bare: None) -> None:
    assert kits.versions(str(tmp_path / "runtimes")) == {}


@pytest.mark.parametrize("own", [False, True])
def test_a_runtime_of_its_own_is_never_shadowed(tmp_path: Path, pyz: Path, own: bool) -> None:
    """The same agent, with the same kit beside it, in a Python with and without that runtime."""
    store, folder = tmp_path / "store", tmp_path / "runtimes"
    store.mkdir()
    agent = shutil.copy(pyz, store)
    for where, factor in ((folder / A, 3), (tmp_path / "own", 5)):
        (where / "ai_edge_litert").mkdir(parents=True)
        (where / "ai_edge_litert/__init__.py").touch()
        (where / "ai_edge_litert-1.0.dist-info").mkdir()
        code = FAKE_LITERT.format(load="pass", invoke=f"sys.stderr.write('{factor}'); os._exit({factor})")
        (where / "ai_edge_litert/interpreter.py").write_text(code)
    ready(folder, kit(folder, A))
    venv.create(tmp_path / "bare", with_pip=False)
    real, lone = Path(np.__file__).parent, tmp_path / "numpy only"
    lone.mkdir()
    (lone / "numpy").symlink_to(real)  # its libraries are found beside where it really is
    path = f"{lone}:{tmp_path}/own" if own else str(lone)
    env = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    with Talk(Path(agent), str(tmp_path / "bare/bin/python"), env) as talk:
        last = talk.ask(job(Path(__file__)))
    assert last["error"].startswith(f"the trial ended with exit code {5 if own else 3} ")
