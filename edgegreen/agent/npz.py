"""Samples in an npz file, streamed row by row: a data set larger than the board's memory is fine.

Used on the board by the trial and on the host for calibration, agreement and labels. Reads arrays of
plain numbers only; pickles are refused, never loaded.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Iterator, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK_BYTES = 1 << 20
MAX_SAMPLE_BYTES = 1 << 30
# What zipfile and zlib raise for damaged files: encrypted, cut off, pointing outside of themselves, …
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, ArithmeticError, RuntimeError)


class DataError(ValueError):
    """An npz that cannot be used; the message says why, without the file's name."""


class Header(NamedTuple):
    """What a .npy member's header says: `shape` has the samples first."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Size of one sample."""
        size = int(self.dtype.itemsize)
        for extent in self.shape[1:]:
            size *= extent
        return size


class Samples:
    """The inputs `x` (or `x0`, `x1`, …) and labels `y` of an npz file; a context manager.

    `names` are the arrays' names, `n` the number of samples, `shapes` and `dtypes` those of one sample.
    Raises DataError when the file is no npz, lacks `x`, or holds what cannot be streamed as numbers;
    OSError when it cannot be read.
    """

    def __init__(self, path: str) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGED as error:
            raise DataError(f"not an npz file ({error})") from None
        try:
            members = {name[:-4] for name in self._zip.namelist() if name.endswith(".npy")}
            if not members:
                raise DataError("not an npz file (a zip without arrays)")
            self.names = _input_names(members)
            headers = [self._header(name) for name in self.names]
            self.n = _common_length([*self.names, "y"], [*headers, *self._label_header(members)])
        except BaseException:
            self._zip.close()
            raise
        self.shapes = tuple(header.shape[1:] for header in headers)
        self.dtypes = tuple(header.dtype.newbyteorder("=") for header in headers)

    def __enter__(self) -> Samples:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._zip.close()

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[list[NDArray[Any]]]:
        """One list of arrays per sample, each of shape (1, …), in the order of `names`.

        Raises DataError when a member is shorter than its header says, or fails its checksum.
        """
        columns = [
            self._column(name, start, self.n if stop is None else min(stop, self.n)) for name in self.names
        ]
        for row in zip(*columns):
            yield list(row)

    @property
    def has_labels(self) -> bool:
        """Whether there is a `y`."""
        return "y.npy" in self._zip.namelist()

    def labels(self) -> NDArray[Any] | None:
        """The whole of `y`, or None when there is none."""
        if not self.has_labels:
            return None
        import numpy as np

        rows = list(self._column("y", 0, self.n))
        return np.concatenate(rows)

    def _label_header(self, members: set[str]) -> list[Header]:
        return [self._header("y")] if "y" in members else []

    def _header(self, name: str) -> Header:
        with self._member(name) as stream:
            return _read_header(stream, name)

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        """The bytes of one array; whatever goes wrong with them in the block is a DataError."""
        try:
            with self._zip.open(name + ".npy") as stream:
                yield stream
        except DataError:
            raise
        except (*DAMAGED, OSError) as error:
            raise DataError(f"`{name}` cannot be read ({error})") from None

    def _column(self, name: str, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Rows `start` … `stop` − 1 of one array, read a block of rows at a time."""
        import numpy as np

        with self._member(name) as stream:
            header = _read_header(stream, name)
            per_block = max(1, BLOCK_BYTES // header.row_bytes)
            stream.seek(start * header.row_bytes, 1)
            for first in range(start, stop, per_block):
                count = min(per_block, stop - first)
                block = bytearray(stream.read(count * header.row_bytes))  # writable, unlike bytes
                if len(block) < count * header.row_bytes:
                    last = first + len(block) // header.row_bytes
                    raise DataError(f"`{name}` is truncated: it ends in sample {last}")
                array = np.frombuffer(block, header.dtype).reshape((count, *header.shape[1:]))
                native = array.astype(header.dtype.newbyteorder("="), copy=False)
                for index in range(count):
                    yield native[index : index + 1]


def _input_names(members: set[str]) -> tuple[str, ...]:
    numbered = {name for name in members if name[:1] == "x" and name[1:].isdigit()}
    if "x" in members and numbered:
        raise DataError(
            f"both `x` and `{min(numbered)}` are there: one input is `x`, several are `x0`, `x1`, …"
        )
    if "x" in members:
        return ("x",)
    names = tuple(f"x{index}" for index in range(len(numbered)))
    if not names or set(names) != numbered:
        found = ", ".join(f"`{name}`" for name in sorted(members)[:8])
        raise DataError(f"no inputs: expected `x`, or `x0`, `x1`, … without a gap; found {found}")
    return names


def _common_length(names: list[str], headers: list[Header]) -> int:
    lengths = [header.shape[0] for header in headers]
    if len(set(lengths)) > 1:
        told = ", ".join(f"`{name}` has {length}" for name, length in zip(names, lengths))
        raise DataError(f"the arrays differ in their number of samples: {told}")
    if not lengths[0]:
        raise DataError("no samples: the arrays are empty")
    return lengths[0]


def _read_header(stream: IO[bytes], name: str) -> Header:
    """Parse a .npy header; the stream is left at the first sample."""
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(stream)
        if version not in readers:
            raise DataError(
                f"`{name}` is of .npy version {version[0]}.{version[1]}, which is for records of fields"
            )
        shape, fortran, dtype = readers[version](stream)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"`{name}` is no array ({str(error).splitlines()[0]})") from None
    if dtype.hasobject:
        raise DataError(f"`{name}` holds pickled objects, which are never loaded; save plain numbers")
    if dtype.kind not in "biuf" or dtype.names:
        raise DataError(f"`{name}` is of type {dtype}; expected integers, floats or booleans")
    if not shape:
        raise DataError(f"`{name}` is a single number; expected shape (samples, …)")
    if fortran:
        raise DataError(
            f"`{name}` is in column order and cannot be streamed; save np.ascontiguousarray({name})"
        )
    header = Header(tuple(int(extent) for extent in shape), dtype)
    if not 0 < header.row_bytes <= MAX_SAMPLE_BYTES:
        raise DataError(f"`{name}` has samples of shape {header.shape[1:]}, {header.row_bytes} bytes each")
    return header
