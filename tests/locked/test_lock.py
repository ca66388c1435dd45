"""The file: read back as it was written, the same text for the same lock, mistakes by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegreen.errors import InputError
from edgegreen.locked import lock
from edgegreen.locked.lock import BoardLock, Lock, OriginLock, RuntimeLock
from edgegreen.provision.lockfile import Locked
from edgegreen.recipe import Recipe

WHEEL = Locked("ai-edge-litert", "2.3.0", "ai_edge_litert-2.3.0-cp311-cp311-linux_aarch64.whl", "5f" * 32, 9)
# What YAML would take for a number: a digest of digits and one `e`, a version with one dot.
LOCK = Lock(
    version=1,
    origin=OriginLock(
        recipe={"data": "5e" + "1" * 62}, files={"model": "0" * 64}, tools={"numpy": "2.10"}, host="Linux"
    ),
    targets={
        "pi5": BoardLock(
            family="raspberry-pi-5",
            board="Raspberry Pi 5: # Rev 1.0",
            python="3.10",
            cores=4,
            runtimes={"litert": RuntimeLock(version="2.3.0", wheels=(WHEEL,))},
        )
    },
)


def test_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "recipe.lock"
    path.write_text(LOCK.to_yaml(), encoding="utf-8")
    assert lock.read(path) == LOCK
    assert lock.read(path).to_yaml() == LOCK.to_yaml()


def test_a_line_each_for_a_diff_to_show() -> None:
    text = LOCK.to_yaml()
    assert text.startswith("# Written by `edgegreen lock`")
    assert "  pi5:\n    family: raspberry-pi-5\n" in text
    assert f"          sha256: {'5f' * 32}\n" in text
    assert "governor" not in text  # what is not told takes no line


def test_no_lock(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"digits\.lock: there is no lock") as error:
        lock.read(tmp_path / "digits.lock")
    assert error.value.hint is not None
    assert "edgegreen lock" in error.value.hint


def test_a_mistake_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.lock"
    path.write_text(LOCK.to_yaml().replace("cores: 4", "cores: four"), encoding="utf-8")
    with pytest.raises(InputError, match=r"recipe\.lock:\d+: .*cores"):
        lock.read(path)


def test_a_recipe_made_in_python_has_no_place_for_one() -> None:
    with pytest.raises(InputError, match="no file that a lock could lie beside"):
        lock.place(Recipe(name="made", model=Path("model.tflite")))
