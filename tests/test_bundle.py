from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from agent.pythons import interpreters

from edgegreen import bundle
from edgegreen.artifact import File

PACK = """
import os, pathlib, sys, types
os.umask(int(sys.argv[3], 8))
sys.path.insert(0, sys.argv[1])
home = types.ModuleType("edgegreen"); home.__path__ = [sys.argv[1] + "/edgegreen"]
sys.modules["edgegreen"] = home
from edgegreen import bundle
print(bundle.pack(pathlib.Path(sys.argv[2])).path.name)
"""


def test_the_pack_is_named_by_its_content(tmp_path: Path) -> None:
    packed = bundle.pack(tmp_path / "cache")
    assert packed == File.of(packed.path)
    assert packed.path.name == f"agent-{packed.sha256[:12]}.pyz"
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [packed.path.name]


def test_the_pack_holds_the_agent_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle.pack(tmp_path).path) as archive:
        names = archive.namelist()
        assert archive.read("edgegreen_agent/bench.py") == (bundle.AGENT / "bench.py").read_bytes()
    assert names == sorted(names)
    assert {"__main__.py", "edgegreen_agent/__main__.py", "edgegreen_agent/runtimes/tflite.py"} <= set(names)
    assert all(name.endswith(".py") for name in names)


def test_packing_is_the_same_everywhere(tmp_path: Path) -> None:
    """Across Pythons, umasks, and times and modes of the sources."""
    package = tmp_path / "copy" / "edgegreen"
    (package / "agent").parent.mkdir(parents=True)
    shutil.copytree(bundle.AGENT, package / "agent", copy_function=shutil.copyfile)
    for name in ("bundle.py", "artifact.py", "mixture.py", "edgetpulog.py"):
        shutil.copyfile(Path(bundle.__file__).parent / name, package / name)
    for number, path in enumerate(sorted(package.rglob("*.py"))):
        os.utime(path, (number, number))
        path.chmod(0o755 if number % 2 else 0o600)
    packs = {bundle.pack(tmp_path / "here").path.name}
    hosts = [path for version, path in interpreters().items() if version >= (3, 11)]
    for number, python in enumerate([sys.executable, *hosts]):
        umask = ("077", "000")[number % 2]
        run = [python, "-c", PACK, str(tmp_path / "copy"), str(tmp_path / str(number)), umask]
        packs.add(subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip())
    assert len(packs) == 1


def test_an_existing_pack_is_left_alone_unless_it_is_broken(tmp_path: Path) -> None:
    packed = bundle.pack(tmp_path)
    written = packed.path.stat().st_mtime_ns
    assert bundle.pack(tmp_path) == packed
    assert packed.path.stat().st_mtime_ns == written
    packed.path.write_bytes(b"cut")
    assert File.of(bundle.pack(tmp_path).path) == packed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        bundle.pack(tmp_path)
