"""Which glibc libraries link: read from their headers, on real libraries and on made ones."""

from __future__ import annotations

import importlib.util
import re
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.provision import elf


def library(*versions: str, bits: int = 64) -> bytes:
    """An ELF file with nothing but a section of needed versions and the strings it names."""
    strings = b"\0libc.so.6\0" + b"".join(version.encode() + b"\0" for version in versions)
    need = struct.pack("<HHIII", 1, len(versions), 1, 16, 0)
    for number, version in enumerate(versions, 1):
        name = strings.index(version.encode() + b"\0")
        need += struct.pack("<IHHII", 0, 0, 2, name, 16 if number < len(versions) else 0)
    head = 64 if bits == 64 else 52
    layout = "<IIQQQQIIQQ" if bits == 64 else "<IIIIIIIIII"
    sections = struct.pack(layout, 0, 3, 0, 0, head, len(strings), 0, 0, 1, 0)
    sections += struct.pack(layout, 0, 0x6FFFFFFE, 0, 0, head + len(strings), len(need), 0, 1, 4, 0)
    start, size = head + len(strings) + len(need), struct.calcsize(layout)
    header = bytearray(head)
    header[:6] = b"\x7fELF" + bytes([bits // 32, 1])
    struct.pack_into("<Q" if bits == 64 else "<I", header, 0x28 if bits == 64 else 0x20, start)
    struct.pack_into("<HH", header, 0x3A if bits == 64 else 0x2E, size, 2)
    return bytes(header) + strings + need + sections


@pytest.mark.parametrize("bits", [32, 64])
def test_the_newest_that_any_library_needs(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/one.cpython-311-x.so", library("GLIBC_2.4", "GLIBC_2.30", "GLIBC_2.9", bits=bits))
        archive.writestr("libs/libtwo.so.2640", library("GLIBCXX_3.4.30", "GLIBC_2.34", bits=bits))
        archive.writestr("a/notes.txt", library("GLIBC_2.40", bits=bits))
        archive.writestr("a/three.so", b"GLIBC_2.41 is but a word here")
    assert elf.glibc_needed(path) == (2, 34)


def test_what_links_nothing_needs_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("a/__init__.py", "")
    assert elf.glibc_needed(tmp_path / "x.whl") is None


@pytest.mark.skipif(shutil.which("readelf") is None, reason="no readelf here")
def test_as_readelf_says() -> None:
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec is not None
    assert spec.origin is not None
    path = next(Path(spec.origin).parent.glob("_pywrap*.so"))
    said = subprocess.run(["readelf", "-V", "-W", path], capture_output=True, text=True, check=True).stdout
    needs = said.partition("Version needs section")[2]
    assert {name.decode() for name in elf.versions_needed(path.read_bytes())} == set(
        re.findall(r"Name: (\S+_[\d.]+)", needs)
    )


@given(st.data())
def test_damaged_libraries_say_less_and_upset_nobody(data: st.DataObject) -> None:
    whole = bytearray(library("GLIBC_2.4", "GLIBC_2.30"))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    elf.versions_needed(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
