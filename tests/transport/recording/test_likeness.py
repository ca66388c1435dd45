"""Which requests are the same, and what a recording says of where a board is and whose it is."""

from __future__ import annotations

import pytest

from edgegreen.agent import wire
from edgegreen.transport.recording import likeness
from edgegreen.transport.recording.likeness import Private

DIGEST = "5f" * 32


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cd /home/anna/.edgegreen/store", "cd /home/user/.edgegreen/store"),
        ("'/Users/anna b/x'", "'/Users/user b/x'"),
        ("PATH=/usr/bin:/home/pi:/opt", "PATH=/usr/bin:/home/user:/opt"),
        ("/tmp/x/home/pi ~/home/pi /home /homes/pi", "/tmp/x/home/pi ~/home/pi /home /homes/pi"),
    ],
)
def test_whose_home_folder_it_is_is_left_out(text: str, kept: str) -> None:
    assert likeness.without_home(text) == kept


def test_commands_are_alike_whatever_files_digests_times_and_process_ids_they_name() -> None:
    first = f"ls -l <<END\n{DIGEST}.tflite\nEND\necho 17 >lock-0123456789ab"
    second = f"ls -l <<END\n{'0a' * 32}.xml\n{DIGEST}.bin\nEND\necho 99999 >lock-ba9876543210"
    assert likeness.shape(first) == likeness.shape(second)
    assert likeness.shape(first) != likeness.shape(first.replace("ls", "rm"))


def test_a_job_is_the_same_but_for_its_number() -> None:
    def asked(number: str, threads: int) -> bytes:
        return wire.encode({"verb": "measure", "id": number, "job": {"threads": threads}})

    assert likeness.written(asked("t1", 1)) == likeness.written(asked("t7", 1))
    assert likeness.written(asked("t1", 1)) != likeness.written(asked("t1", 2))
    assert likeness.written(b"\xff\x00") != likeness.written(b"\xff\x01")


def test_an_event_is_renumbered_and_what_it_quotes_is_not() -> None:
    event = wire.encode({"event": "failed", "error": 'it said {"id":"t1"}', "id": "t1"})
    assert wire.decode(likeness.renumbered(event, "t1", "t3")) == wire.decode(event) | {"id": "t3"}


def test_a_board_keeps_its_name_and_loses_its_host() -> None:
    private = Private("bench", "pi5.lab.example")
    probed = wire.encode(
        {"event": "probed", "hostname": "raspberrypi", "executable": "/home/anna/bin/python"}
    )
    shown = wire.decode(private.line(probed.rstrip(b"\n")))
    assert (shown["hostname"], shown["executable"]) == ("bench", "/home/user/bin/python")
    assert (
        private.text("cannot reach pi5.lab.example: raspberrypi, pi5") == "cannot reach bench: bench, bench"
    )
    assert private.text("raspberrypi-kernel") == "raspberrypi-kernel"
    bulk = b'{"v":1,"event":"outputs","id":"t1","data":"/home/anna"}'
    assert private.line(bulk) == bulk
    assert private.output(b"\xff pi5") == b"\xff pi5"


def test_differences_are_said_shortly() -> None:
    wanted = {"files": [f"~/.edgegreen/store/{DIGEST}.tflite"], "threads": 4, "idle_s": 0.0}
    recorded = {"files": [f"~/.edgegreen/store/{'0a' * 32}.tflite"], "threads": 1, "idle_s": 0.0}
    assert likeness.differences(wanted, recorded) == [
        '`files` is ["5f5f5f5f5f5f.tflite"], recorded ["0a0a0a0a0a0a.tflite"]',
        "`threads` is 4, recorded 1",
    ]
