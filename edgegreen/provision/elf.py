"""What the libraries in a wheel link: the newest GLIBC_2.x that any of them asks for.

Wheels say in their names how new a glibc they need, and some lie; the dynamic linker goes by the ELF
section of needed versions, and so does this. Nothing else of ELF is read.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"\x7fELF"
SHT_GNU_VERNEED = 0x6FFFFFFE  # elf.h; LSB core specification, "Symbol Version Requirements"
LIBRARY = re.compile(r"\.so(\.\d+)*$")
GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")
MEMBER_BYTES_MAX = 500_000_000


def glibc_needed(wheel: Path) -> tuple[int, int] | None:
    """(2, 34) when the newest symbol that a library in `wheel` needs is of glibc 2.34; None without any.

    Raises zipfile.BadZipFile.
    """
    needed: list[tuple[int, int]] = []
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if LIBRARY.search(member.filename) and member.file_size <= MEMBER_BYTES_MAX:
                needed += _glibc_of(archive.read(member))
    return max(needed, default=None)


def _glibc_of(library: bytes) -> list[tuple[int, int]]:
    matches = (GLIBC.fullmatch(name) for name in versions_needed(library))
    return [(int(match[1]), int(match[2])) for match in matches if match]


def versions_needed(library: bytes) -> list[bytes]:
    """The symbol versions that an ELF library needs of others (GLIBC_2.34, GLIBCXX_3.4.30 …).

    Empty when it is no little-endian ELF file, or damaged.
    """
    if library[:4] != MAGIC or library[5:6] != b"\x01":
        return []
    try:
        return list(_versions(library))
    except (struct.error, IndexError, ValueError, OverflowError):
        return []


def _versions(library: bytes) -> Iterator[bytes]:
    sections = list(_sections(library))
    for kind, offset, size, link, count in sections:
        if kind != SHT_GNU_VERNEED:
            continue
        _, strings, strings_size, _, _ = sections[link]
        names = library[strings : strings + strings_size]
        place, end = offset, offset + size
        for _ in range(count):
            # Elfxx_Verneed: version, number of entries, file, first entry, next one of these.
            _, entries, _, first, following = struct.unpack_from("<HHIII", library, place)
            entry = place + first
            for _ in range(entries):
                # Elfxx_Vernaux: hash, flags, other, name, next.
                _, _, _, name, step = struct.unpack_from("<IHHII", library, entry)
                yield names[name : names.index(b"\0", name)]
                entry += step
            place += following
            if not following or place >= end:
                break


def _sections(library: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Type, offset, size, link and info of every section."""
    if library[4] == 2:  # 64 bits
        (start,) = struct.unpack_from("<Q", library, 0x28)
        size, count = struct.unpack_from("<HH", library, 0x3A)
        layout = "<4xI8x8xQQII"
    else:
        (start,) = struct.unpack_from("<I", library, 0x20)
        size, count = struct.unpack_from("<HH", library, 0x2E)
        layout = "<4xI4x4xIIII"
    for number in range(count):
        kind, offset, length, link, info = struct.unpack_from(layout, library, start + number * size)
        yield kind, offset, length, link, info
