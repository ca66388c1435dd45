"""Wheels fetched with pip for another Python than this one, and kept."""

from __future__ import annotations

import sys
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event

import pytest

from edgegreen.errors import DeviceError, InputError
from edgegreen.interpreter import Interpreter
from edgegreen.provision import lockfile, wheels
from edgegreen.releases import Pin
from provision import makewheels

BOARD = Interpreter((3, 9), "aarch64", (2, 31))
PIN = Pin("ai-edge-litert", "2.1.0")


def test_the_one_for_the_board_is_chosen(index: Path, home: Path) -> None:
    for tag in (
        "cp39-cp39-manylinux_2_27_x86_64", "cp310-cp310-manylinux_2_27_aarch64",
        "cp39-cp39-manylinux_2_35_aarch64", "cp39-cp39-manylinux_2_27_aarch64",
    ):  # fmt: skip
        makewheels.wheel(index, PIN.name, PIN.version, tag, {"a.py": tag})
    (found,) = wheels.obtain([PIN], BOARD, Event())
    assert found.locked.file == "ai_edge_litert-2.1.0-cp39-cp39-manylinux_2_27_aarch64.whl"
    assert found.file.path == home / "provision" / "wheels" / found.file.sha256 / found.locked.file

    for path in index.iterdir():
        path.unlink()
    assert wheels.obtain_locked([found.locked], BOARD, Event()) == [found]
    found.file.path.write_bytes(b"damaged")
    with pytest.raises(DeviceError, match="cannot fetch"):
        wheels.obtain_locked([found.locked], BOARD, Event())


def test_a_tag_may_ask_for_too_much(index: Path) -> None:
    """What a wheel really links is looked up in it: tflite-runtime 2.14 says 2.34 and needs 2.27."""
    makewheels.wheel(index, PIN.name, PIN.version, "cp39-cp39-manylinux_2_34_aarch64", {})
    assert wheels.obtain([PIN], BOARD, Event())


def test_published_for_other_boards_only(index: Path) -> None:
    makewheels.wheel(index, PIN.name, "2.0.9", "cp39-cp39-manylinux_2_27_aarch64", {})
    with pytest.raises(wheels.NotPublished, match=r"cannot fetch ai-edge-litert==2\.1\.0 for Python 3\.9 on"):
        wheels.obtain([PIN], BOARD, Event())


def test_called_off(index: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(CancelledError):
        wheels.obtain([PIN], BOARD, stop)


def test_without_pip_uv_runs_one(index: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A uv that does what `uv tool run pip` does, from its settings; the real one would fetch pip first."""
    makewheels.wheel(index, PIN.name, PIN.version, "cp39-cp39-manylinux_2_27_aarch64", {})
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f'#!/bin/sh\n[ "$1 $2 $3 $4" = "tool run --quiet pip" ] && shift 4 && {sys.executable} -m pip "$@"\n'
    )
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}:/usr/bin:/bin")
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("UV_FIND_LINKS", str(index))
    assert wheels.obtain([PIN], BOARD, Event())
    uv.unlink()
    with pytest.raises(InputError, match="has no pip, and there is no uv"):
        wheels.obtain([PIN], BOARD, Event())


def test_locks_are_read_as_they_were_written(home: Path) -> None:
    locked = lockfile.Locked("numpy", "1.26.4", "numpy-1.26.4-cp39-cp39-x.whl", "0" * 64, 5)
    assert lockfile.read("litert", BOARD) is None
    lockfile.write("litert", BOARD, (locked,))
    lock = lockfile.read("litert", BOARD)
    assert lock is not None
    assert (lock.wheels, lock.interpreter) == ((locked,), "cp39-aarch64-glibc2.31")


@pytest.mark.parametrize(
    "change", [("0" * 64, "0" * 63), ('"numpy"', '"../x"'), ("{", "["), ("1.26.4", "-r /x")]
)
def test_a_lock_that_makes_no_sense_is_refused(home: Path, change: tuple[str, str]) -> None:
    locked = lockfile.Locked("numpy", "1.26.4", "numpy-1.26.4-cp39-cp39-x.whl", "0" * 64, 5)
    lockfile.write("litert", BOARD, (locked,))
    path = lockfile.path("litert", BOARD)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError, match="no lock of edgegreen's") as caught:
        lockfile.read("litert", BOARD)
    assert str(path) in caught.value.message
