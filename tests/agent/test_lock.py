from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest

from edgegreen.agent.lock import PLACE, BoardLock


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "edgegreen.lock"
    monkeypatch.setenv(PLACE, str(path))
    return path


def hold(ready: object, end: object) -> None:
    lock = BoardLock()
    lock.take("bob@desk")
    ready.set()  # type: ignore[attr-defined]
    end.wait()  # type: ignore[attr-defined]


def test_one_at_a_time_until_the_holder_dies(place: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    bob = context.Process(target=hold, args=(ready, end))
    bob.start()
    assert ready.wait(20)
    mine = BoardLock()
    found = mine.take("alice@laptop")
    assert (found["holder"], found["without"]) == ("bob@desk", None)
    assert 0 <= found["age_s"] < 20
    bob.kill()  # no tidying up
    bob.join()
    assert mine.take("alice@laptop") == {"holder": None, "age_s": None, "without": None}
    assert mine.take("alice@laptop")["holder"] is None  # again: it is ours
    assert BoardLock().take("carol")["holder"] == "alice@laptop"
    assert stat.S_IMODE(place.stat().st_mode) == 0o666  # other users wait for it as well


@pytest.mark.parametrize(
    "note", [b"", b"\xff\x00", b"[1]", b'{"owner": 3}', b'{"owner": "x", "since_s": "y"}']
)
def test_a_note_that_says_nothing(place: Path, note: bytes) -> None:
    holder = BoardLock()
    holder.take("bob")
    place.write_bytes(note)
    assert BoardLock().take("alice") == {"holder": "somebody", "age_s": None, "without": None}


def test_where_no_lock_can_be_had_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PLACE, str(tmp_path / "none" / "lock"))
    found = BoardLock().take("alice")
    assert found["holder"] is None
    assert "No such file" in found["without"]


def test_a_link_in_its_place_is_not_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    place.symlink_to(tmp_path / "precious")
    assert BoardLock().take("alice")["without"]
    assert (tmp_path / "precious").read_text() == "precious"
