"""Standard output and standard error that cannot be written to: a full disk, a reader that has gone.

Neither ends a command: what it measures is kept, the files that were asked for are written. What could not be
written is told at the end, in one line. A closed pipe is no mistake: its reader has seen enough.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from edgegreen.errors import InputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.FileIO):
    """A file descriptor that is written to for as long as it takes what is written, and then no more."""

    lost: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        """As `FileIO.write`; what goes nowhere counts as written."""
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def settle() -> Outlet | None:
    """Have both streams write to outlets; gives that of stdout, None where it is no file."""
    if outlet := _outlet(sys.stderr):
        sys.stderr = _text(outlet, sys.stderr)
    if outlet := _outlet(sys.stdout):
        sys.stdout = _text(outlet, sys.stdout)
    return outlet


def untold(outlet: Outlet | None) -> InputError | None:
    """Why not all of stdout was written; None when it was, or nobody was left to read it."""
    if outlet is None:
        return None
    sys.stdout.flush()
    if outlet.lost is None or outlet.lost.errno == errno.EPIPE:
        return None
    return InputError(f"cannot write to standard output: {os.strerror(outlet.lost.errno or errno.EIO)}")


def _outlet(stream: TextIO) -> Outlet | None:
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # without a buffer by PYTHONUNBUFFERED
    return Outlet(raw.fileno(), "wb", closefd=False) if isinstance(raw, io.FileIO) else None


def _text(outlet: Outlet, like: TextIO) -> io.TextIOWrapper:
    assert isinstance(like, io.TextIOWrapper)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet), encoding=like.encoding, errors=like.errors,
        line_buffering=like.line_buffering, write_through=like.write_through,
    )  # fmt: skip
