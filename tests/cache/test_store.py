"""The cache: whole entries or none, made once among processes, bounded, self-healing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from waiting import until

from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of, versions
from edgegreen.cache.store import DEFAULT_LIMIT_BYTES, Cache
from edgegreen.errors import ConversionError, InputError

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    found = Cache(tmp_path / "cache")
    yield found
    found.close()


def maker(content: bytes = b"model", *, times: list[int] | None = None) -> Callable[[Path], Made]:
    """Makes one file; notes each call in `times`."""

    def make(folder: Path) -> Made:
        if times is not None:
            times.append(1)
        (folder / "sub").mkdir()
        (folder / "sub" / "model.tflite").write_bytes(content)
        return Made("int8 tflite of a model", {"sqnr_db": float("inf"), "names": ["a"]})

    return make


class TestKeys:
    @given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), plain, max_size=4), st.randoms())
    def test_the_order_of_names_does_not_matter(self, parts: dict[str, object], random: object) -> None:
        shuffled = list(parts.items())
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        assert key_of("artifact", **parts) == key_of("artifact", **dict(shuffled))

    @given(plain, plain)
    def test_other_parts_are_another_key(self, one: object, other: object) -> None:
        assume(one != other)
        assert key_of("artifact", part=one) != key_of("artifact", part=other)

    def test_the_kind_is_part_of_it(self) -> None:
        assert key_of("artifact", part=1) != key_of("outputs", part=1)

    def test_what_is_no_json_is_refused(self) -> None:
        with pytest.raises(TypeError):
            key_of("artifact", part={1, 2})

    def test_versions_of_what_is_installed_and_what_is_not(self) -> None:
        assert versions("pytest", "no-such-thing") == {"pytest": pytest.__version__, "no-such-thing": None}


class TestObtain:
    def test_made_once_then_kept(self, cache: Cache) -> None:
        times: list[int] = []
        first = cache.obtain("k", maker(times=times))
        again = cache.obtain("k", maker(b"another", times=times))
        assert len(times) == 1
        assert first.path("sub/model.tflite").read_bytes() == b"model"
        assert (again.folder, again.what) == (first.folder, "int8 tflite of a model")
        assert again.facts == {"sqnr_db": float("inf"), "names": ["a"]}
        assert [file.path for file in again.files] == [first.path("sub/model.tflite")]

    def test_a_maker_that_fails_leaves_nothing(self, cache: Cache) -> None:
        def make(folder: Path) -> Made:
            (folder / "half").write_bytes(b"x")
            raise ConversionError("no")

        with pytest.raises(ConversionError, match="no"):
            cache.obtain("k", make)
        assert cache.get("k") is None
        assert list((cache.folder / "making").iterdir()) == []
        assert cache.obtain("k", maker()).size_bytes == 5

    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: path.write_bytes(b"mode"),
            lambda path: path.write_bytes(b"modeL"),
            lambda path: path.unlink(),
            lambda path: (path.parent.parent / "entry.json").write_text("{"),
            lambda path: (path.parent.parent / "entry.json").write_text('{"files": 3}'),
        ],
        ids=["shorter", "one bit", "gone", "broken manifest", "strange manifest"],
    )
    def test_a_damaged_entry_is_made_anew(self, cache: Cache, damage: Callable[[Path], object]) -> None:
        damage(cache.obtain("k", maker()).path("sub/model.tflite"))
        times: list[int] = []
        assert cache.obtain("k", maker(times=times)).path("sub/model.tflite").read_bytes() == b"model"
        assert times

    def test_waiting_ends_when_told_to_stop(self, cache: Cache) -> None:
        making, stop, done = threading.Event(), threading.Event(), threading.Event()

        def slow(folder: Path) -> Made:
            making.set()
            done.wait(10)
            return maker()(folder)

        thread = threading.Thread(target=lambda: cache.obtain("k", slow))
        thread.start()
        making.wait(10)
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(CancelledError):
            cache.obtain("k", maker(), stop)
        done.set()
        thread.join()

    def test_a_folder_that_cannot_be_used(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(InputError, match="cannot use the cache folder") as caught:
            Cache(tmp_path / "file").obtain("k", maker())
        assert "EDGEGREEN_HOME" in str(caught.value.hint)


MAKE = """
import sys, time
from pathlib import Path
from edgegreen.cache.entry import Made
from edgegreen.cache.store import Cache
folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
def make(into):
    with (folder / "log").open("a") as log:
        log.write("made\\n")
    (into / "big").write_bytes(b"0" * 1000)
    time.sleep(seconds)
    return Made("slow", {})
print(Cache(folder / "cache").obtain("k", make).path("big").stat().st_size, flush=True)
time.sleep(float(sys.argv[3]))
"""


def start(folder: Path, seconds: float, then_sleep: float = 0.0) -> subprocess.Popen[str]:
    """Another process that obtains `k`, and stays for a while."""
    command = [sys.executable, "-c", MAKE, str(folder), str(seconds), str(then_sleep)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class TestProcesses:
    def test_several_at_once_make_it_once(self, tmp_path: Path) -> None:
        processes = [start(tmp_path, 0.7) for _ in range(3)]
        assert [process.communicate(timeout=60)[0] for process in processes] == ["1000\n"] * 3
        assert (tmp_path / "log").read_text() == "made\n"

    def test_one_that_is_killed_leaves_nothing_in_the_way(self, tmp_path: Path) -> None:
        killed = start(tmp_path, 60)
        until((tmp_path / "log").exists)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert len(list((tmp_path / "cache" / "making").iterdir())) == 1
        assert start(tmp_path, 0).communicate(timeout=60)[0] == "1000\n"
        assert list((tmp_path / "cache" / "making").iterdir()) == []

    def test_what_a_live_process_uses_is_not_removed(self, tmp_path: Path) -> None:
        user = start(tmp_path, 0, then_sleep=60)
        assert user.stdout is not None
        assert user.stdout.readline() == "1000\n"
        cache = Cache(tmp_path / "cache", limit_bytes=10)
        cache.obtain("mine", maker())
        assert {entry.key for entry in cache.entries()} == {"k", "mine"}
        assert cache.clear() == 0
        user.kill()
        user.communicate()
        assert cache.clear() == 1000
        cache.close()


class TestLimit:
    def test_the_least_recently_used_goes_first(self, tmp_path: Path) -> None:
        for number, key in enumerate("abc"):
            with_all = Cache(tmp_path)
            entry = with_all.obtain(key, maker(b"x" * 100))
            os.utime(entry.folder / "entry.json", (number, number))
            with_all.close()
        reader = Cache(tmp_path)
        reader.get("a")  # used just now
        reader.close()
        small = Cache(tmp_path, limit_bytes=250)
        small.obtain("d", maker(b"x" * 100))
        assert [entry.key for entry in small.entries()] == ["d", "a"]
        small.close()

    def test_its_own_entries_stay_even_over_the_limit(self, tmp_path: Path) -> None:
        cache = Cache(tmp_path, limit_bytes=10)
        for key in "ab":
            cache.obtain(key, maker(b"x" * 100))
        assert cache.size_bytes == 200
        cache.close()
        assert cache.size_bytes <= 10  # let go, they are no exception any more

    @pytest.mark.parametrize(
        ("text", "size"),
        [("500MB", 500_000_000), ("1.5 gb", 1_500_000_000), ("1000", 1000), ("2k", 2000), ("much", None)],
    )
    def test_from_the_environment(self, monkeypatch: pytest.MonkeyPatch, text: str, size: int | None) -> None:
        monkeypatch.setenv("EDGEGREEN_CACHE_LIMIT", text)
        if size is None:
            with pytest.raises(InputError, match="EDGEGREEN_CACHE_LIMIT=much is no size"):
                Cache.default()
        else:
            assert Cache.default().limit_bytes == size

    def test_by_default(self, home: Path) -> None:
        assert (Cache.default().folder, Cache.default().limit_bytes) == (home / "cache", DEFAULT_LIMIT_BYTES)
        assert (Cache.default().entries(), Cache.default().size_bytes, Cache.default().clear()) == ([], 0, 0)
