"""The file of a recording: whole up to where it was cut off, bounded, and checked when it is read."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgegreen.errors import DeviceError, InputError, RefusedError, UnreachableError
from edgegreen.transport.recording import records, tape
from edgegreen.transport.recording.records import Broke, Closed, Got, Header, Line, Ran, Record, Started
from edgegreen.transport.recording.tape import Tape

HEADER = Header("pi5", datetime(2026, 11, 22, 7, tzinfo=UTC), "0.1.0", 1, {"family": "raspberry-pi-5"})
SAID: list[Record] = [
    HEADER,
    Ran("uname", "00", 0, b"Linux\n", b"\xff\xfe", None),
    Started(1, ["python3", "agent.pyz"]),
    Line(1, '{"v":1,"event":"…"}'.encode()),
    Got("~/x", bytes(range(256))),
    Broke.of("lines", "", UnreachableError("gone", hint="wait", transient=True), "gone", 1),
    Closed(1, None, "Traceback"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recordings" / f"pi5{tape.SUFFIX}"


def written(path: Path, *said: Record, whole: bool = True) -> Tape:
    made = Tape(path)
    for record in said:
        made.add(record)
    made.close(whole=whole)
    return made


def test_what_is_written_comes_back(path: Path) -> None:
    written(path, *SAID)
    assert list(tape.read(path)) == SAID
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_error_comes_back_as_it_was_raised() -> None:
    for error in (
        UnreachableError("gone", hint="wait", transient=True),
        DeviceError("full"),
        InputError("no"),
        RefusedError("key"),
    ):
        again = Broke.of("run", "uname", error, error.message).raised()
        assert (type(again), vars(again)) == (type(error), vars(error))


def test_a_recording_is_on_the_disk_as_it_happens_and_takes_no_place_before_it_is_whole(path: Path) -> None:
    written(path, HEADER)
    going = Tape(path)
    for record in SAID:
        going.add(record)
        assert list(tape.read(going.part))[-1] == record  # were this process to die now
    assert list(tape.read(path)) == [HEADER]
    going.close(whole=False)
    assert list(tape.read(path)) == [HEADER]
    assert list(tape.read(going.part)) == SAID


def test_of_a_file_that_was_cut_anywhere_the_beginning_is_read(path: Path) -> None:
    written(path, *SAID)
    data = path.read_bytes()
    for length in range(len(data) - 40, len(data)):
        path.write_bytes(data[:length])
        found = list(tape.read(path))
        assert found == SAID[: len(found)]
        assert len(found) >= 1


def test_a_recording_has_a_largest_size_both_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big = Got("~/x", os.urandom(30_000))
    monkeypatch.setattr(tape, "MAX_BYTES", (1 << 20) + 100_000)
    made = written(path, HEADER, big, big, big, HEADER)
    assert made.problem == "it would be larger than 1 MiB"
    assert not path.exists()
    assert list(tape.read(made.part)) == [HEADER, big, big]
    path.write_bytes(gzip.compress(bytes(tape.MAX_BYTES + 1)))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        list(tape.read(path))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds nothing"),
        (b"no gzip", "incorrect header"),
        (gzip.compress(b"[]\n"), "line 1: not a line of a recording"),
        (gzip.compress(records.encode(SAID[1], 0.0)), "begins with its header"),
        (gzip.compress(records.encode(HEADER, 0.0) * 2), "line 2: .*begins with its header"),
        (gzip.compress(records.encode(HEADER, 0.0).replace(b'"wire":1', b'"wire":"x"')), "wire: "),
        (gzip.compress(b'{"t_s":0,"kind":"unheard"}\n'), "line 1"),
        (gzip.compress(records.encode(SAID[4], 0.0).replace(b"AAEC", b"\\u00e9")), "line 1"),
    ],
)
def test_what_is_no_recording_is_named(path: Path, data: bytes, words: str) -> None:
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as caught:
        list(tape.read(path))
    assert str(path) in caught.value.message


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot record to .*file"):
        Tape(tmp_path / "file" / "pi5.jsonl.gz")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_recording_and_not_what_is_recorded(path: Path) -> None:
    path.parent.mkdir()
    path.with_name(f"{path.name}.part").symlink_to("/dev/full")
    made = written(path, *SAID)
    assert made.problem == "No space left on device"
    assert not path.exists()
