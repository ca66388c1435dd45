"""The file of a recording: gzipped lines, whole up to the last one written, and of bounded size.

It is `<name>.jsonl.gz.part` until the run it belongs to has ended well, so a run that breaks off leaves what
was heard and never takes the place of a whole recording.
"""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from edgegreen.errors import InputError
from edgegreen.transport.recording import records
from edgegreen.transport.recording.records import Header, Record

SUFFIX = ".jsonl.gz"
MAX_BYTES = 256 << 20
"""The most that a recording holds, unpacked."""
_MARGIN_BYTES = 1 << 20
_READ_BYTES = 1 << 16


class Tape:
    """A recording that is being written. For one thread."""

    def __init__(self, path: Path) -> None:
        """`path` is its name when it is whole. Raises InputError."""
        self.path, self.part = path, path.with_name(f"{path.name}.part")
        self.problem: str | None = None
        """Why nothing more is written, if so."""
        self._size_bytes = 0
        self._began_s = time.monotonic()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.part.open("wb")
        except OSError as error:
            raise InputError(f"cannot record to {path}: {error.strerror}") from None
        self._stream = gzip.GzipFile(filename="", fileobj=self._file, mode="wb", mtime=0)

    def add(self, record: Record) -> None:
        """Write a record, onto the file at once. Never raises: see `problem`."""
        if self.problem:
            return
        line = records.encode(record, time.monotonic() - self._began_s)
        self._size_bytes += len(line)
        if self._size_bytes > MAX_BYTES - _MARGIN_BYTES:
            self.problem = f"it would be larger than {MAX_BYTES >> 20} MiB"
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError as error:
            self.problem = error.strerror or str(error)

    def close(self, *, whole: bool) -> None:
        """End it; if it is `whole` it gets its name. Never raises: see `problem`."""
        try:
            with self._file:
                self._stream.close()
            if whole and not self.problem:
                self.part.replace(self.path)
        except OSError as error:
            self.problem = error.strerror or str(error)

    def discard(self) -> None:
        """End it, and leave nothing."""
        self.close(whole=False)
        self.part.unlink(missing_ok=True)


def read(path: Path) -> Iterator[Record]:
    """The records of a file, the header first; of one that was cut off, those that are whole.

    Raises InputError.
    """
    number = 0
    try:
        for number, line in enumerate(_lines(path), 1):
            record = records.decode(line)
            if (number == 1) != isinstance(record, Header):
                raise InputError("a recording begins with its header, and has one")
            yield record
    except InputError as error:
        raise InputError(f"{path}: line {number or 1}: {error.message}") from None
    except (OSError, zlib.error) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not number:
        raise InputError(f"{path}: not a recording: it holds nothing that can be read")


def _lines(path: Path) -> Iterator[bytes]:
    """Whole lines only: what follows the last newline was being written when it broke off."""
    rest, size_bytes = b"", 0
    unpack = zlib.decompressobj(wbits=31)
    with path.open("rb") as stream:
        while (packed := stream.read(_READ_BYTES)) and not unpack.eof:
            data = unpack.decompress(packed)
            size_bytes += len(data)
            if size_bytes > MAX_BYTES:
                raise InputError(f"the recording is larger than {MAX_BYTES >> 20} MiB")
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
