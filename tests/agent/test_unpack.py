"""Wheels unpacked by every Python of this machine: whole or not at all, with byte code of its own."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agent.pythons import Version, dotted, interpreters
from edgegreen.agent import kits, unpack

FILES = {
    "fast/__init__.py": "import fast.inner",
    "fast/inner.py": "x = 1",
    "fast/tests/test_it.py": "x = 2",
    "fast/templates/not_python.py": "{% nothing %}",
    "fast-1.0.data/platlib/beside.py": "y = 1",
    "fast-1.0.data/scripts/fast": "#!python",
    "fast-1.0.dist-info/METADATA": "Name: fast",
}
DIGEST = "0123456789ab" + "0" * 52


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make(tmp_path / f"{DIGEST}.whl", FILES)


def make(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def request(root: Path, *wheels: Path, anew: bool = False) -> dict[str, Any]:
    return {
        "folder": str(root / "runtimes"),
        "wheels": [(str(path), path.stem, anew) for path in wheels],
        "kits": [("litert", "1.0", [path.stem[:12] for path in wheels])],
    }


def run(python: str, pyz: Path, spec: dict[str, Any]) -> list[dict[str, Any]]:
    command = [python, str(pyz), "unpack", json.dumps(spec)]
    done = subprocess.run(command, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("version", sorted(v for v in interpreters() if v >= (3, 7)), ids=dotted)
def test_unpacked_by_every_python(pyz: Path, wheel: Path, tmp_path: Path, version: Version) -> None:
    said = run(interpreters()[version], pyz, request(tmp_path, wheel))
    assert said[-1] == {"v": 1, "event": "unpacked"}
    assert [event["done"] for event in said[:-1]] == sorted(event["done"] for event in said[:-1])
    folder = tmp_path / "runtimes" / DIGEST[:12]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    tag = f"cpython-{version[0]}{version[1]}"
    assert {name for name in there if not name.endswith(".pyc")} == {
        "fast/__init__.py", "fast/inner.py", "fast/tests/test_it.py", "fast/templates/not_python.py",
        "beside.py", "fast-1.0.dist-info/METADATA", kits.UNTRIED,
    }  # fmt: skip
    compiled = {name for name in there if name.endswith(".pyc")}
    assert {f"fast/__pycache__/__init__.{tag}.pyc", f"fast/__pycache__/inner.{tag}.pyc"} <= compiled
    assert not any("tests" in name for name in compiled)
    assert not wheel.exists()
    assert [path.name for path in (tmp_path / "runtimes").iterdir()] == [DIGEST[:12]]


def test_what_is_there_is_left_alone_unless_it_is_wanted_anew(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runtimes" / DIGEST[:12]
    folder.mkdir(parents=True)
    (folder / "half").touch()
    unpack.unpack(str(wheel), str(folder), False, lambda _: None)
    assert (folder / "half").exists()
    unpack.unpack(str(wheel), str(folder), True, lambda _: None)
    assert not (folder / "half").exists()
    assert (folder / "fast").is_dir()


def test_what_dead_processes_left_is_swept_away(wheel: Path, tmp_path: Path) -> None:
    left = tmp_path / "runtimes" / f"{'f' * 12}{unpack.PART}4194305"  # more than the largest process id
    going = tmp_path / "runtimes" / f"{'e' * 12}{unpack.PART}{os.getppid()}"
    for path in (left, going):
        path.mkdir(parents=True)
    unpack.make(request(tmp_path, wheel), lambda _: None)
    assert not left.exists()
    assert going.exists()


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "fast/../../evil.py", "f-1.data/purelib/../../evil.py"]
)
def test_no_file_leaves_its_folder(pyz: Path, tmp_path: Path, name: str) -> None:
    path = make(tmp_path / f"{DIGEST}.whl", {"ok.py": "", name: "x"})
    last = run(interpreters()[max(interpreters())], pyz, request(tmp_path, path))[-1]
    assert last["event"] == "failed"
    assert "evil.py" in last["error"]
    assert list((tmp_path / "runtimes").iterdir()) == []


def test_no_zip_file_at_all(pyz: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{DIGEST}.whl"
    path.write_bytes(b"no zip")
    last = run(interpreters()[max(interpreters())], pyz, request(tmp_path, path))[-1]
    assert (last["event"], last["error"]) == ("failed", "File is not a zip file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(pyz: Path, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "runtimes").mkdir(mode=0o500)
    last = run(interpreters()[max(interpreters())], pyz, request(tmp_path, wheel))[-1]
    assert last["event"] == "failed"
    assert "Permission denied" in last["error"]
