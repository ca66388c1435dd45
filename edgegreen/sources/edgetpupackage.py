"""The program in a model compiled for an Edge TPU: who made it, what it needs, how large its weights are.

The custom operator's options hold a package (executable/executable.fbs of libedgetpu): a FlatBuffer with the
programs as FlatBuffers of their own. Only their heads are read, by field numbers, and every offset is checked
by Python's own bounds: what is damaged, or of another making, tells nothing.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

IDENTIFIER = b"DWN1"  # at byte 4 of each
# Field numbers.
MIN_RUNTIME, PROGRAMS, COMPILER = 0, 1, 4  # of a Package
LIST = 0  # of a MultiExecutable
PARAMETERS, TYPE = 6, 13  # of an Executable
STAND_ALONE, CACHING, EXECUTION = 0, 1, 2
MAX_PROGRAMS = 100


@dataclass(frozen=True)
class Package:
    """One compiled part. `min_runtime` is the RuntimeVersion that libedgetpu must have at least.

    `on_chip_bytes` of parameters are put on the chip once, `streamed_bytes` sent to it in each inference.
    """

    min_runtime: int
    compiler: str | None
    on_chip_bytes: int
    streamed_bytes: int


class _Table:
    """A FlatBuffer's table at `at` in `data`. Reading beyond the data raises struct.error."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at
        self.fields = at - self._number("<i", at)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, field: int, kind: str) -> int:
        """A scalar; 0, its default, where it is left out."""
        place = self._place(field)
        return self._number(kind, place) if place else 0

    def content(self, field: int) -> bytes:
        """A string, or a vector of bytes."""
        place = self._place(field)
        return self._vector(place + self._number("<I", place)) if place else b""

    def strings(self, field: int) -> list[bytes]:
        """A vector of strings."""
        place = self._place(field)
        if not place:
            return []
        start = place + self._number("<I", place)
        count = min(self._number("<I", start), MAX_PROGRAMS)
        places = [start + 4 * (number + 1) for number in range(count)]
        return [self._vector(one + self._number("<I", one)) for one in places]

    def _vector(self, start: int) -> bytes:
        size = self._number("<I", start)
        found = self.data[start + 4 : start + 4 + size]
        if start < 0 or len(found) < size:
            raise struct.error("a vector beyond its end")
        return found

    def _place(self, field: int) -> int:
        slot = 4 + 2 * field
        if slot >= self._number("<H", self.fields):
            return 0
        offset = self._number("<H", self.fields + slot)
        return self.at + offset if offset else 0

    def _number(self, kind: str, at: int) -> int:
        if at < 0:
            raise struct.error("an offset before the beginning")
        return int(struct.unpack_from(kind, self.data, at)[0])


def package(options: bytes) -> Package | None:
    """The package in an operator's options; None where there is none, or it cannot be read."""
    start = options.find(IDENTIFIER) - 4
    if start < 0:
        return None
    try:
        head = _Table.root(options[start:])
        programs = [_Table.root(one) for one in _Table.root(head.content(PROGRAMS)).strings(LIST)]
        sizes = dict.fromkeys((STAND_ALONE, CACHING, EXECUTION), 0)
        for one in programs:
            kind = one.number(TYPE, "<h")
            sizes[kind] = sizes.get(kind, 0) + len(one.content(PARAMETERS))
        compiler = head.content(COMPILER)[:100].decode("utf-8", "replace").removeprefix("cl/") or None
        streamed = sizes[EXECUTION] + sizes[STAND_ALONE]
        return Package(head.number(MIN_RUNTIME, "<i"), compiler, sizes[CACHING], streamed)
    except (struct.error, OverflowError):
        return None
