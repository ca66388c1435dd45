"""One process at a time, by a lock file; the wait can be called off."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

CHECK_S = 0.2


@contextmanager
def held(path: Path, stop: Event) -> Iterator[None]:
    """Hold the lock `path` in the block. Raises CancelledError when `stop` is set while it waits."""
    lock = FileLock(path, thread_local=False)
    while True:
        if stop.is_set():
            raise CancelledError
        try:
            lock.acquire(timeout=CHECK_S)
            break
        except Timeout:
            continue
    try:
        yield
    finally:
        lock.release()
