"""What is chosen for which board, and what is said where there is nothing to choose."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import pytest

from edgegreen import releases
from edgegreen.client import Board
from edgegreen.errors import DeviceError
from edgegreen.formats import FORMATS
from edgegreen.interpreter import Interpreter

TFLITE, OPENVINO = FORMATS["tflite"].runtimes, FORMATS["openvino"].runtimes


def board(
    python: str = "3.11.2", machine: str = "aarch64", libc: str | None = "glibc 2.36", **more: object
) -> Board:
    major, minor = python.split(".")[:2]
    bits = 32 if more.get("bits") == 32 else 64
    triplet = "arm-linux-gnueabihf" if bits == 32 else f"{machine}-linux-gnu"
    whole = Board(
        hostname="b", machine=machine, system="Linux", release="6.1", boot_id=None, emulated=False,
        libc=libc, python=python,
        executable="/usr/bin/python3", bits=bits, cpu_count=4, memory_total_bytes=None,
        memory_available_bytes=None, load_average=None, cpu_features=[], numpy=None, runtimes={}, brought={},
        python_tag=f"cpython-{major}{minor}{'m' * (minor == '7')}-{triplet}",
    )  # fmt: skip
    return replace(whole, **more)  # type: ignore[arg-type]


# The boards of docs/targets.md: what each gets for TFLite and for OpenVINO.
BOARDS = {
    "Pi OS bookworm": (board(), "litert 2.3.0", "openvino 2026.4.1"),
    "Pi OS trixie": (board("3.13.5", libc="glibc 2.41"), "litert 2.3.0", "openvino 2026.4.1"),
    "JetPack 6": (board("3.10.12", libc="glibc 2.35"), "litert 2.3.0", "openvino 2026.4.1"),
    "JetPack 5": (board("3.8.10", libc="glibc 2.31"), "tflite-runtime 2.14.0", "openvino 2024.4.0"),
    "Python 3.9 on glibc 2.31": (board("3.9.2", libc="glibc 2.31"), "litert 2.1.0", "openvino 2025.2.0"),
    "JetPack 4 with 3.8": (board("3.8.0", libc="glibc 2.27"), "tflite-runtime 2.14.0", "openvino 2024.0.0"),
    "Mendel": (board("3.7.3", libc="glibc 2.28"), "tflite-runtime 2.11.0", None),
    "32-bit bookworm on a 64-bit kernel": (board(bits=32, numpy="1.24.2"), "tflite-runtime 2.14.0", None),
    "32-bit trixie": (board("3.13.5", bits=32, libc="glibc 2.41"), None, None),
    "x86-64": (board("3.12.3", "x86_64", "glibc 2.39"), "litert 2.3.0", "openvino 2026.4.1"),
    "x86-64, glibc 2.28": (board("3.9.2", "x86_64", "glibc 2.28"), "litert 2.1.0", "openvino 2025.3.0"),
    "x86-64, Python 3.8 and glibc 2.28": (
        board("3.8.2", "x86_64", "glibc 2.28"), "tflite-runtime 2.11.0", "openvino 2024.4.0",
    ),
    "Python 3.14": (board("3.14.0", libc="glibc 2.41"), "litert 2.3.0", "openvino 2026.4.1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOARDS)
def test_the_best_for_each_board(name: str) -> None:
    there, *expected = BOARDS[name]
    for wanted, best in zip((TFLITE, OPENVINO), expected, strict=True):
        try:
            first = releases.choices(wanted, there.interpreter, there.numpy)[0]
        except DeviceError:
            assert best is None
        else:
            assert f"{first.runtime} {first.version}" == best


@pytest.mark.parametrize(
    ("there", "wanted", "told"),
    [
        (board("3.14.0", bits=32), TFLITE, "aarch64 and x86_64 with Python 3.14 have litert 2.3.0; "
         "armv7l has tflite-runtime with Python 3.7 to 3.11"),
        (board("3.9.0", libc="glibc 2.28"), ("litert",), "litert needs glibc 2.30 there"),
        (board("3.7.3"), OPENVINO, "aarch64 has openvino with Python 3.8 to 3.14"),
        (board("3.11.2", bits=32), OPENVINO, "aarch64 and x86_64 with Python 3.11 have openvino 2026.4.1"),
    ],
)  # fmt: skip
def test_what_would_be_available(there: Board, wanted: tuple[str, ...], told: str) -> None:
    with pytest.raises(DeviceError, match="is published for it") as caught:
        releases.choices(wanted, there.interpreter, None)  # type: ignore[arg-type]
    assert caught.value.hint == told
    assert there.interpreter.words in caught.value.message


def test_tflite_runtime_never_meets_numpy_2() -> None:
    for minor, arch in product(range(7, 15), ("aarch64", "armv7l", "x86_64")):
        interpreter = Interpreter((3, minor), arch, (2, 41))
        try:
            found = releases.choices(("tflite-runtime",), interpreter, None)
        except DeviceError:
            continue
        for choice in found:
            (numpy,) = [pin for pin in choice.pins if pin.name == "numpy"]
            assert numpy.version.startswith("1.")


def test_where_no_numpy_is_published_the_boards_own_serves_if_it_is_old_enough() -> None:
    interpreter = Interpreter((3, 11), "armv7l", (2, 36))
    with_own, with_new, without = (
        releases.choices(("tflite-runtime",), interpreter, own)[0].pins for own in ("1.24.2", "2.0.1", None)
    )
    assert [pin.name for pin in with_own] == ["tflite-runtime"]
    assert [pin.name for pin in with_new] == [pin.name for pin in without] == ["tflite-runtime", "numpy"]
    # On other boards a complete set comes along, whatever is there.
    assert len(releases.choices(TFLITE, Interpreter((3, 11), "aarch64", (2, 36)), "1.24.2")[0].pins) == 2


def test_no_release_stands_there_for_nothing() -> None:
    chosen = set()
    for minor, arch, glibc in product(range(7, 15), ("aarch64", "armv7l", "x86_64"), range(17, 42)):
        for runtime in releases.RELEASES:
            fitting = [
                r for r in releases.RELEASES[runtime] if r.fits(Interpreter((3, minor), arch, (2, glibc)))
            ]
            chosen |= {(runtime, release.version) for release in fitting[:1]}
    assert chosen == {
        (name, release.version) for name in releases.RELEASES for release in releases.RELEASES[name]
    }


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (board(system="Darwin"), "Darwin is no system"),
        (board(libc=None, python_tag="cpython-311-aarch64-linux-musl"), "its C library is musl"),
        (board(libc="musl 1.2"), "its C library is musl"),
        (board(libc=None), "not known to be glibc"),
        (board(python_tag="pypy39-pp73-aarch64-linux-gnu"), "ordinary CPython"),
        (board(python_tag="cpython-313t-aarch64-linux-gnu"), "ordinary CPython"),
        (board(machine="armv6l", bits=32), "no runtime is published for 32-bit armv6l"),
        (board(bits=32, python_tag="cpython-39-arm-linux-gnueabi"), "no runtime is published for 32-bit"),
        (board(machine="riscv64"), "no runtime is published for 64-bit riscv64"),
    ],
)
def test_pythons_that_nothing_fits(there: Board, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        _ = there.interpreter


def test_pip_is_asked_for_the_honest_tags_first() -> None:
    options = Interpreter((3, 7), "aarch64", (2, 28)).pip_options
    platforms = [value for name, value in pairwise(options) if name == "--platform"]
    assert platforms[0] == "manylinux_2_28_aarch64"
    assert platforms.index("manylinux_2_17_aarch64") < platforms.index("manylinux_2_34_aarch64")
    assert "cp37m" in options
