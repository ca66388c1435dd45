"""The cache that people share: in a folder, and on a server that speaks S3."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
import s3
from hypothesis import given
from hypothesis import strategies as st
from sshd import free_port

from edgegreen.cache import sharing
from edgegreen.cache.entry import Made
from edgegreen.cache.sharing import Shared
from edgegreen.cache.store import Cache
from edgegreen.errors import InputError

KEY = "ab" + "0" * 62
CONTENT = b"weights" * 1000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with s3.running(tmp_path_factory.mktemp("s3")) as environment:
        yield environment


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for a shared cache, empty."""
    if request.param == "file":
        return f"file://{tmp_path}/shared"
    for name, value in request.getfixturevalue("bucket").items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.BUCKET}/{tmp_path.name}"


def a_cache(folder: Path, url: str) -> Cache:
    return Cache(folder, shared=Shared(url))


def maker(times: list[int], content: bytes = CONTENT) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        times.append(1)
        (folder / "sub").mkdir()
        (folder / "sub" / "model.tflite").write_bytes(content)
        return Made("a model", {"sqnr_db": 30.5})

    return make


def test_what_one_makes_the_other_does_not_make(url: str, tmp_path: Path) -> None:
    times: list[int] = []
    first, second = a_cache(tmp_path / "first", url), a_cache(tmp_path / "second", url)

    made = first.obtain(KEY, maker(times))
    assert second.has(KEY)
    found = second.obtain(KEY, maker(times))

    assert times == [1]
    assert found.path("sub/model.tflite").read_bytes() == CONTENT
    assert (found.what, found.facts, found.files[0].sha256) == (made.what, made.facts, made.files[0].sha256)
    assert first.complaint is None
    assert second.complaint is None


def test_asks_for_many_at_once(url: str, tmp_path: Path) -> None:
    keys = [f"{number:064x}" for number in range(20)]
    first = a_cache(tmp_path / "first", url)
    for key in keys[::2]:
        first.obtain(key, maker([]))

    assert a_cache(tmp_path / "second", url).known(keys) == set(keys[::2])


def test_what_was_made_before_there_was_a_shared_cache_gets_there(url: str, tmp_path: Path) -> None:
    times: list[int] = []
    Cache(tmp_path / "first").obtain(KEY, maker(times))

    a_cache(tmp_path / "first", url).obtain(KEY, maker(times))
    a_cache(tmp_path / "second", url).obtain(KEY, maker(times))

    assert times == [1]


def test_what_another_made_meanwhile_gets_to_ones_own_place(tmp_path: Path) -> None:
    times: list[int] = []
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(folder: Path) -> Made:
        at_work.set()
        assert go_on.wait(20)
        return maker(times)(folder)

    one, other = (a_cache(tmp_path / "home", f"file://{tmp_path}/{name}") for name in ("one", "other"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.obtain, KEY, slowly)
        assert at_work.wait(20)
        second = pool.submit(other.obtain, KEY, maker(times))
        time.sleep(0.2)  # until it waits for the first
        go_on.set()
        assert first.result(20).folder == second.result(20).folder

    assert times == [1]
    assert [len(archives(tmp_path / name)) for name in ("one", "other")] == [1, 1]


def archives(folder: Path) -> list[Path]:
    return list(folder.rglob("*.zip"))


def damage_by(kind: str, archive: Path) -> None:
    if kind == "cut off":
        archive.write_bytes(archive.read_bytes()[:-30])
    elif kind == "empty":
        archive.write_bytes(b"")
    else:  # whole, but with a file that is another one
        content = io.BytesIO()
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(content, "w") as new:
            new.writestr("entry.json", old.read("entry.json"))
            new.writestr("sub/model.tflite", bytes(len(CONTENT)))
        archive.write_bytes(content.getvalue())


@pytest.mark.parametrize("kind", ["cut off", "empty", "other content"])
def test_damaged_entry_is_made_again_and_replaced(kind: str, tmp_path: Path) -> None:
    url, times = f"file://{tmp_path}/shared", [0]
    a_cache(tmp_path / "first", url).obtain(KEY, maker([]))
    (archive,) = archives(tmp_path / "shared")
    damage_by(kind, archive)

    found = a_cache(tmp_path / "second", url).obtain(KEY, maker(times))
    third = a_cache(tmp_path / "third", url).obtain(KEY, maker(times))

    assert times == [0, 1]
    assert found.path("sub/model.tflite").read_bytes() == CONTENT
    assert third.path("sub/model.tflite").read_bytes() == CONTENT


@pytest.mark.slow
def test_eight_writers_at_once_leave_whole_entries_and_nothing_else(url: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[3:]\n"
        "from test_sharing import a_cache, maker\n"
        "cache = a_cache(Path(sys.argv[1]), sys.argv[2])\n"
        "for n in range(10): cache.obtain(f'{n:064x}', maker([], bytes([n]) * 300_000))\n"
        "assert cache.complaint is None, cache.complaint\n"
    )
    here = Path(__file__).parent
    started = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / f"home-{n}", url, here, here.parent])
        for n in range(8)
    ]

    assert [process.wait() for process in started] == [0] * 8
    times: list[int] = []
    reader = a_cache(tmp_path / "reader", url)
    for n in range(10):
        assert reader.obtain(f"{n:064x}", maker(times)).path("sub/model.tflite").read_bytes()[:1] == bytes(
            [n]
        )
    assert times == []
    assert not list(tmp_path.glob("shared/**/*.part"))


def test_place_that_cannot_be_reached_costs_one_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    cache, times = a_cache(tmp_path / "home", f"file://{tmp_path}/file"), [0]

    cache.obtain(KEY, maker(times))
    cache.obtain("cd" + KEY[2:], maker(times))

    assert times == [0, 1, 1]
    assert cache.complaint
    assert cache.complaint.startswith(
        f"cannot read the shared cache file://{tmp_path}/file, going on without"
    )


def test_entry_that_is_put_anew_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """s3fs says EBUSY then, in the middle of the file."""
    url = f"file://{tmp_path}/shared"
    a_cache(tmp_path / "one", url).obtain(KEY, maker([]))
    cache, times, busy = a_cache(tmp_path / "two", url), [0], [OSError(errno.EBUSY, "replaced")] * 2
    copy = shutil.copyfileobj

    def copied(stream: IO[bytes], to: IO[bytes]) -> None:
        if busy:
            to.write(b"half of what was there")
            raise busy.pop()
        copy(stream, to)

    monkeypatch.setattr(shutil, "copyfileobj", copied)
    assert cache.obtain(KEY, maker(times)).path("sub/model.tflite").read_bytes() == CONTENT
    assert (cache.complaint, times, busy) == (None, [0], [])


@pytest.mark.slow
def test_server_that_is_away_costs_one_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    cache, times = a_cache(tmp_path / "home", "s3://lab/cache"), [0]

    cache.obtain(KEY, maker(times))

    assert times == [0, 1]
    assert "s3://lab/cache" in (cache.complaint or "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("shared", "is no URL"),
        ("/mnt/shared", "is no URL"),
        ("s3:", "is no URL"),
        ("s3:bucket/folder", "is no URL"),
        ("nosuch://x/y", "cannot be used"),
        ("s3://", "names no place"),
        ("s3:///folder", "names no place"),
        ("file://", "names no place"),
        ("file://mnt/shared", "names no place"),
    ],
)
def test_what_is_no_place_is_refused(
    url: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError, match=words) as caught:
        Shared(url)

    assert caught.value.hint == "write it as s3://bucket/folder or file:///folder"


def test_secrets_are_not_shown() -> None:
    assert sharing.without_secrets("s3://key:secret@host/bucket?token=x") == "s3://host/bucket"


def archive_of(manifest: object, **files: bytes) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("entry.json", json.dumps(manifest))
        for name, data in files.items():
            made.writestr(name, data)
    return content


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "entry.json"])
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    within = {name: b"x"} if name not in ("", "entry.json") else {}
    content = archive_of({"files": [[name, "0", 1]]}, **within)

    assert not sharing.unpack(content, folder)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_file_larger_than_it_is_said_to_be_is_not_unpacked(tmp_path: Path) -> None:
    assert not sharing.unpack(archive_of({"files": [["a", "0", 1]]}, a=b"xx"), tmp_path)


@given(st.binary(max_size=300))
def test_garbage_is_no_entry(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert not sharing.unpack(io.BytesIO(content), tmp_path_factory.mktemp("entry"))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)))
def test_manifest_may_be_anything(tmp_path_factory: pytest.TempPathFactory, files: object) -> None:
    folder = tmp_path_factory.mktemp("entry")

    assert sharing.unpack(archive_of({"files": files}), folder) in (True, False)
    assert {path.name for path in folder.iterdir()} <= {"entry.json"}


def test_threads_may_share_one(tmp_path: Path) -> None:
    times: list[int] = []
    cache = a_cache(tmp_path / "home", f"file://{tmp_path}/shared")
    threads = [threading.Thread(target=cache.obtain, args=(f"{n % 3:064x}", maker(times))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(times) == 3
    assert len(archives(tmp_path / "shared")) == 3


@pytest.mark.slow
def test_second_person_converts_nothing(url: str, tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "recipes" / "digits.yaml"

    def convert(home: str) -> str:
        command = [sys.executable, "-m", "edgegreen", "convert", str(recipe), "--cache", url]
        environment = os.environ | {"EDGEGREEN_HOME": str(tmp_path / home)}
        done = subprocess.run(
            [*command, "-v", "fp32-tflite", "-v", "int8-openvino"],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stderr

    assert "models: 2 built" in convert("first")
    assert "models: 2 unchanged" in convert("second")
