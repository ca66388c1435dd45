"""One measurement at a time on a board: two at once would spoil each other's figures.

A lock of the kernel (flock) on one file for all users. It goes with the process that holds it, so a broken
link or a crash leaves nothing behind. The file holds a note of who has it, for those who wait.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from typing import Any, Iterator

NAME = "edgegreen.lock"
FOLDERS = ("/run/lock", "/tmp")  # noqa: S108 - open to every user of the board
PLACE = "EDGEGREEN_LOCK"  # the file, for boards that are one among several on a machine
MAX_NOTE_BYTES = 4096


class BoardLock:
    """The lock of this board, taken or not."""

    def __init__(self) -> None:
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours."""
        return self._fd is not None

    def take(self, owner: str) -> dict[str, Any]:
        """Take it, if nobody has it. {"holder": None} when it is ours, else who has it, and since when.

        `age_s` is how long the holder has had it; None when its note cannot be read. Where no lock can be
        had at all, `without` says why, and the board is used without one.
        """
        if self._fd is not None:
            return _answer()
        failure = None
        for path in _places():
            try:
                fd = _open(path)
            except OSError as error:
                failure = failure or "{}: {}".format(path, os.strerror(error.errno or 0))
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                note = _read(fd)
                os.close(fd)
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    return _answer(**note)
                failure = failure or "{}: {}".format(path, os.strerror(error.errno or 0))
                continue
            self._fd = fd
            _write(fd, owner)
            return _answer()
        return _answer(without=failure or "no place for a lock")


def _answer(
    holder: str | None = None, age_s: float | None = None, without: str | None = None
) -> dict[str, Any]:
    return {"holder": holder, "age_s": age_s, "without": without}


def _places() -> Iterator[str]:
    given = os.environ.get(PLACE)
    if given:
        yield given
        return
    for folder in FOLDERS:
        if os.path.isdir(folder):
            yield os.path.join(folder, NAME)


def _open(path: str) -> int:
    """Open the file, made for everyone if it is not there.

    First without O_CREAT: with it, Linux refuses another user's file in a folder such as /tmp (proc(5),
    protected_regular).
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:  # somebody was quicker
        return os.open(path, flags)
    os.fchmod(fd, 0o666)  # whatever the umask
    return fd


def _write(fd: int, owner: str) -> None:
    note = json.dumps({"owner": owner, "since_s": time.monotonic()}).encode()
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, note[:MAX_NOTE_BYTES], 0)
    except OSError:
        pass  # a full disk: the lock holds all the same


def _read(fd: int) -> dict[str, Any]:
    """What the holder wrote; anybody may have written anything."""
    try:
        note = json.loads(os.pread(fd, MAX_NOTE_BYTES, 0).decode("utf-8"))
        owner, since_s = note["owner"], float(note["since_s"])
    except (OSError, ValueError, TypeError, KeyError):
        return {"holder": "somebody"}
    return {"holder": str(owner), "age_s": max(0.0, time.monotonic() - since_s)}
