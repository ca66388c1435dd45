"""Where a run is until the database has it: a file for each, its journal, and a folder with its series.

A run is written here after every result, so that nothing measured is lost however the process ends. The file
`<run id>.lock` is locked while a process writes it: such a run is taken from nobody.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from edgegreen.history import journal, series
from edgegreen.home import home

LEFT_S = 3600.0  # after so long nobody is about to write the file of a run that has series
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")  # when it began (UTC), and a few random digits


def folder() -> Path:
    """Where they are."""
    return home() / "runs"


def file_of(run_id: str) -> Path:
    """The JSON of a run."""
    return folder() / f"{run_id}.json"


def files() -> list[Path]:
    """The runs that are here, the newest first: their names begin with the time. Raises OSError."""
    return sorted((path for path in folder().glob("*.json") if RUN_ID.fullmatch(path.stem)), reverse=True)


@contextmanager
def claimed(run_id: str, wait_s: float = 0) -> Iterator[bool]:
    """Have a run to oneself in the block; False when another process has it and does not let go in time.

    Raises OSError where nothing can be written.
    """
    folder().mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder() / f"{run_id}.lock", thread_local=False)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: who waits for it takes another
        lock.release()


def remove(run_id: str) -> None:
    """Forget a run: the database has it, or nobody will. Raises OSError; what is left is looked at again."""
    file = file_of(run_id)
    shutil.rmtree(series.folder_of(file), ignore_errors=True)
    # The file before its journal: a file that has lost it would be taken for the whole run.
    for path in (file.with_suffix(".part"), file, journal.of_file(file)):
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Remove what is left of runs that have no file: series, a lock, half a file or a journal.

    A process that was killed leaves it, and one whose disk is full. Runs that another process has are left
    alone, and series that were written lately: the run's first result may be about to be. Raises OSError.
    """
    for run_id in {path.name.split(".")[0] for path in folder().iterdir()}:
        if RUN_ID.fullmatch(run_id) and not file_of(run_id).exists() and not _may_come(run_id):
            with claimed(run_id) as mine:
                if mine and not file_of(run_id).exists():
                    remove(run_id)


def _may_come(run_id: str) -> bool:
    behind = series.folder_of(file_of(run_id))
    return behind.is_dir() and behind.stat().st_mtime > time.time() - LEFT_S
