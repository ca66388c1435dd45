"""What was measured since a run's file was written."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builders import measurement, run

from edgegreen.history import journal, kept, spool
from edgegreen.history.keeping import Keeping
from edgegreen.measurement import Failure, Measurement, Run

RUN_ID = "20261122-040000-abc123"
LOST = Failure(target="pi5", variant="lean", stage="measure", error="it died")


class Told:
    """A run as it grows, kept as a session does."""

    def __init__(self) -> None:
        self.run: Run = run()
        self.keeping = Keeping(RUN_ID)
        self._lock = threading.Lock()

    def add(self, one: Measurement | Failure) -> None:
        key = "results" if isinstance(one, Measurement) else "failures"
        with self._lock:
            self.run = self.run.model_copy(update={key: (*getattr(self.run, key), one)})
        self.keeping.add(one, lambda: self.run)


def read() -> Run:
    return kept.of_file(spool.file_of(RUN_ID)).run


def test_file_and_journal_are_the_whole_run() -> None:
    told = Told()
    for name in ("a", "b", "c"):
        told.add(measurement(name))
    told.add(LOST)

    assert read() == told.run
    assert len(kept.read(spool.file_of(RUN_ID)).results) == 1  # the others are appended, one by one


def test_what_one_thread_adds_while_another_writes_is_there_once() -> None:
    told = Told()
    threads = [threading.Thread(target=told.add, args=(measurement(f"v{n}"),)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(item.variant for item in read().results) == sorted(f"v{n}" for n in range(16))


@pytest.mark.parametrize("left", [b'\n{"result": {"vari', b"\n", b"\n\xff\n"])
def test_half_a_line_costs_itself_only(left: bytes) -> None:
    told = Told()
    told.add(measurement("a"))
    told.add(measurement("b"))
    with journal.of_file(spool.file_of(RUN_ID)).open("ab") as stream:
        stream.write(left)
    told.add(measurement("c"))

    assert [item.variant for item in read().results] == ["a", "b", "c"]


def test_what_was_dropped_does_not_come_back() -> None:
    told = Told()
    told.add(measurement("a"))
    told.add(measurement("b"))
    told.run = told.run.model_copy(update={"results": told.run.results[1:]})
    told.keeping.renew()
    told.add(measurement("c"))

    assert [item.variant for item in read().results] == ["b", "c"]


def test_removed_run_leaves_nothing() -> None:
    told = Told()
    told.add(measurement("a"))
    told.add(measurement("b"))

    spool.remove(RUN_ID)

    assert list(spool.folder().iterdir()) == []


def test_journal_without_its_run_is_swept() -> None:
    told = Told()
    told.add(measurement("a"))
    told.add(measurement("b"))
    spool.file_of(RUN_ID).unlink()

    spool.sweep()

    assert list(spool.folder().glob("*.jsonl")) == []


def test_killed_process_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; sys.path[:0] = sys.argv[1:]\n"
        "from test_journal import Told; from builders import measurement\n"
        "told = Told()\n"
        "for n in range(5): told.add(measurement(f'v{n}'))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program, str(here), str(here.parent)], check=False)

    assert done.returncode == -signal.SIGKILL
    assert [item.variant for item in read().results] == [f"v{n}" for n in range(5)]
