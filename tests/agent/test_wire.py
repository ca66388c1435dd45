from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent import wire
from edgegreen.agent.wire import Job, NotUnderstood
from edgegreen.client import messages

GOOD = {
    "runtime": "litert", "files": ["m.tflite"], "threads": 1, "input_order": [0], "output_order": [0],
    "warmup_s": 0.5, "min_warmup_runs": 10, "duration_s": 10.0, "min_runs": 50,
    "samples": None, "evaluate": False, "idle_s": 0, "meter": None,
    "cool_to_c": None, "cool_timeout_s": 0,
    "profile": False,
    "normalize": None,
    "device": None,
}  # fmt: skip


def test_a_message_is_one_line() -> None:
    line = wire.encode({"event": "failed", "error": "two\nlines – ü"})
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert wire.decode(line) == {"v": 1, "event": "failed", "error": "two\nlines – ü"}


def test_undecodable_file_names_do_not_break_the_line() -> None:
    assert b"?" in wire.encode({"event": "error", "error": "\udcff"})


@pytest.mark.parametrize("line", [b"", b"hello", b"[]", b"1", b'{"v":2}', b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_message_is_not_understood(line: bytes) -> None:
    with pytest.raises(NotUnderstood) as caught:
        wire.decode(line)
    assert len(str(caught.value)) < 600


@given(st.binary())
def test_decoding_raises_nothing_else(line: bytes) -> None:
    with contextlib.suppress(NotUnderstood):
        wire.decode(line)


@pytest.mark.parametrize("normalize", [None, [[127.5], [0.5, 2, 1e-3]]])
def test_a_job_survives_the_wire(normalize: Any) -> None:
    job = Job.parse({**GOOD, "normalize": normalize})
    assert job.files == ("m.tflite",)
    assert (job.normalize is None) == (normalize is None)
    assert Job.parse(json.loads(json.dumps(job.wire()))) == job


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 0}, {"threads": True}, {"threads": "1"}, {"files": []}, {"files": "m.tflite"},
        {"files": [1]}, {"input_order": None}, {"input_order": [0.5]}, {"warmup_s": -1}, {"duration_s": 0},
        {"min_runs": 0}, {"min_runs": 10**7}, {"evaluate": 1}, {"evaluate": True}, {"samples": 3},
        {"runtime": None}, {"idle_s": -1}, {"idle_s": None}, {"meter": "auto"}, {"cool_to_c": "50"},
        {"profile": None}, {"device": 1},
        {"normalize": [[1.0]]}, {"normalize": [[], [1.0]]}, {"normalize": [["1"], [1.0]]},
    ],
    ids=str,
)  # fmt: skip
def test_a_job_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood, match=next(iter(change))):
        Job.parse({**GOOD, **change})


@pytest.mark.parametrize("raw", [None, {}, {**GOOD, "extra": 1}, {"runtime": "litert"}])
def test_a_job_has_its_fields_and_no_others(raw: Any) -> None:
    with pytest.raises(NotUnderstood, match="a job has runtime"):
        Job.parse(raw)


@given(
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=50) | st.lists(st.integers(0, 2**33), min_size=1)
)
def test_times_survive_packing(times: list[int]) -> None:
    packed = wire.pack_ns(times)
    assert packed["width"] == (4 if max(times) < 2**32 else 8)
    event = messages.Latencies(id="t", stage="invoke", start_ns=0, end_ns=1, runs=len(times), **packed)
    assert event.times_ns().tolist() == times


def test_chunks_are_in_order_and_small_enough() -> None:
    times = range(2 * wire.LATENCIES_CHUNK + 1)
    chunks = list(wire.chunks(times))
    assert [len(chunk) for chunk in chunks] == [wire.LATENCIES_CHUNK, wire.LATENCIES_CHUNK, 1]
    assert [time for chunk in chunks for time in chunk] == list(times)


def test_one_line_is_one_short_line() -> None:
    assert wire.one_line("a\n  b\tc") == "a b c"
    assert len(wire.one_line("x" * 1000)) == wire.MAX_TEXT


def test_taking_stdout_leaves_it_to_messages_alone() -> None:
    script = (
        "import os, subprocess, sys; sys.path.insert(0, sys.argv[1]); from edgegreen.agent import wire;"
        "print('early', flush=True); out = wire.take_stdout();"
        "print('python', flush=True); os.write(1, b'library'); subprocess.run(['echo', 'child']);"
        "out.write(b'message'); out.flush()"
    )
    done = subprocess.run([sys.executable, "-c", script, "."], capture_output=True, check=True)
    assert done.stdout == b"early\nmessage"
    assert [word in done.stderr for word in (b"python", b"library", b"child")] == [True] * 3
