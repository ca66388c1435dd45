"""Tool environments: made once, whole or not at all, with uv or pip. A wheel made here is the tool."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from edgegreen.errors import ConversionError
from edgegreen.sources import toolenv
from edgegreen.sources.toolenv import ToolEnvironment, run


@pytest.fixture
def wheel(tmp_path: Path) -> str:
    """A package of one module, as a wheel."""
    contents = {
        "handy_tool.py": "print('handy')\n",
        "handy_tool-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: handy-tool\nVersion: 1.0\n",
        "handy_tool-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in contents.items()
    )
    path = tmp_path / "handy_tool-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
        archive.writestr("handy_tool-1.0.dist-info/RECORD", record + "handy_tool-1.0.dist-info/RECORD,,\n")
    return str(path)


def works(python: Path) -> bool:
    said = subprocess.run([python, "-I", "-m", "handy_tool"], capture_output=True, text=True, check=True)
    return said.stdout == "handy\n"


@pytest.mark.slow
@pytest.mark.parametrize("with_uv", [True, False], ids=["uv", "pip"])
def test_made_once(home: Path, wheel: str, monkeypatch: pytest.MonkeyPatch, with_uv: bool) -> None:
    if not with_uv:
        monkeypatch.setattr(toolenv, "_uv", lambda: None)
    elif toolenv._uv() is None:
        pytest.skip("no uv here")
    made: list[bool] = []
    tool = ToolEnvironment("handy", (wheel,))
    assert not tool.ready
    python = tool.ensure(threading.Event(), lambda: made.append(True))
    assert works(python)
    assert tool.folder.parent == home / "tools"
    assert tool.ensure(threading.Event(), lambda: made.append(True)) == python
    assert made == [True]


@pytest.mark.slow
@pytest.mark.parametrize("with_uv", [True, False], ids=["uv", "pip"])
def test_constraints_on_our_own_packages_do_not_bind_it(
    home: Path, wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_uv: bool
) -> None:
    if not with_uv:
        monkeypatch.setattr(toolenv, "_uv", lambda: None)
    elif toolenv._uv() is None:
        pytest.skip("no uv here")
    (tmp_path / "constraints.txt").write_text("handy-tool==2.0\n")
    for name in ("UV_CONSTRAINT", "PIP_CONSTRAINT"):
        monkeypatch.setenv(name, str(tmp_path / "constraints.txt"))
    assert works(ToolEnvironment("handy", (wheel,)).ensure(threading.Event(), lambda: None))


@pytest.mark.parametrize(
    "with_uv", [pytest.param(True, id="uv"), pytest.param(False, id="pip", marks=pytest.mark.slow)]
)
def test_packages_come_from_where_pip_would_take_them(
    home: Path, wheel: str, monkeypatch: pytest.MonkeyPatch, with_uv: bool
) -> None:
    if not with_uv:
        monkeypatch.setattr(toolenv, "_uv", lambda: None)
    elif toolenv._uv() is None:
        pytest.skip("no uv here")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    for name, value in {
        "PIP_FIND_LINKS": f"{home}/nothing {Path(wheel).parent}", "PIP_NO_INDEX": "1", "UV_OFFLINE": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (home / "nothing").mkdir()
    assert works(ToolEnvironment("handy", ("handy-tool==1.0",)).ensure(threading.Event()))


def test_what_uv_is_told_itself_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/pip")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    assert toolenv._environment()["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/pip"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/uv")
    assert toolenv._environment()["UV_DEFAULT_INDEX"] == "http://127.0.0.1:9/uv"


def test_other_requirements_are_another_environment(home: Path) -> None:
    assert ToolEnvironment("t", ("a==1",)).folder != ToolEnvironment("t", ("a==2",)).folder


def test_several_at_once_make_one(home: Path, wheel: str) -> None:
    made: list[bool] = []
    tool = ToolEnvironment("handy", (wheel,))
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(tool.ensure, threading.Event(), lambda: made.append(True)) for _ in range(3)]
        assert all(works(job.result()) for job in jobs)
    assert made == [True]


def test_one_that_was_interrupted_is_made_anew(home: Path, wheel: str) -> None:
    tool = ToolEnvironment("handy", (wheel,))
    (tool.folder / "bin").mkdir(parents=True)
    tool.python.write_text("half a Python")
    assert works(tool.ensure(threading.Event()))


def test_an_index_out_of_reach(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "UV_INDEX_URL": "http://127.0.0.1:9/simple", "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    tool = ToolEnvironment("absent", ("no-such-tool-of-edgegreen==1.0",))
    with pytest.raises(
        ConversionError, match="could not be installed into an environment of its own"
    ) as caught:
        tool.ensure(threading.Event())
    assert "no-such-tool-of-edgegreen==1.0" in caught.value.message
    assert "package index" in str(caught.value.hint)
    assert caught.value.transient
    assert not tool.folder.exists()


class TestRun:
    def test_exit_code_and_what_was_said(self) -> None:
        code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
        exit_code, said = run([sys.executable, "-c", code], threading.Event(), 30)
        assert exit_code == 3
        assert sorted(said.split()) == ["err", "out"]

    def test_stopped_with_all_it_started(self, tmp_path: Path) -> None:
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        note = tmp_path / "pid"
        code = f"sleep 60 & echo $! > {note}; wait"
        with pytest.raises(CancelledError):
            run(["sh", "-c", code], stop, 60)
        pid = int(note.read_text())
        deadline = time.monotonic() + 5
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def test_given_up(self) -> None:
        assert run(["sleep", "60"], threading.Event(), 0.4) == (1, "gave up after 0 s")
