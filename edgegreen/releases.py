"""Which release of which runtime goes with which Python, architecture and glibc: all that is known good.

Everything is pinned: what is not in this table is not brought. `glibc` is what the libraries in the wheels
really link, read from their ELF headers; the tags in the wheels' names are wrong in both directions. Each
wheel is still looked into before it is sent (elf.py), and tried on the board before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from edgegreen.errors import DeviceError
from edgegreen.formats import RuntimeName
from edgegreen.interpreter import Interpreter, dotted


@dataclass(frozen=True)
class Release:
    """One version: for Python 3.`first` to 3.`last`, and by architecture the glibc 2.x that it links."""

    version: str
    first: int
    last: int
    glibc: Mapping[str, int]

    def fits(self, interpreter: Interpreter) -> bool:
        """Whether it runs there, by what is known."""
        needed = self.glibc.get(interpreter.arch)
        return self.suits_python(interpreter) and needed is not None and interpreter.glibc >= (2, needed)

    def suits_python(self, interpreter: Interpreter) -> bool:
        """Whether there are wheels for this version of Python."""
        return (3, self.first) <= interpreter.python <= (3, self.last)


@dataclass(frozen=True)
class Pin:
    """A distribution at an exact version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


DISTRIBUTIONS: dict[RuntimeName, str] = {
    "litert": "ai-edge-litert",
    "tflite-runtime": "tflite-runtime",
    "openvino": "openvino",
}

# The newest first. A release stands here when the newer ones lack a Python or need a newer glibc.
RELEASES: dict[RuntimeName, tuple[Release, ...]] = {
    # LiteRT's Interpreter needs numpy and nothing else of what the wheel asks for.
    "litert": (
        # aarch64 says manylinux_2_27 and links GLIBC_2.34 and GLIBCXX_3.4.30, as every one since 2.1.1 does.
        Release("2.3.0", 10, 14, {"aarch64": 34, "x86_64": 27}),
        # The last for Python 3.9, and for aarch64 with glibc 2.30 … 2.33 (JetPack 5, Debian 11).
        Release("2.1.0", 9, 13, {"aarch64": 30, "x86_64": 27}),
    ),
    # Never with numpy 2: it imports, and fails when it makes an Interpreter. See NUMPY.
    "tflite-runtime": (
        # The last there will be. Arm says manylinux_2_34 and links 2.27; x86-64 says 2.17 and links 2.29.
        Release("2.14.0", 8, 11, {"aarch64": 27, "armv7l": 27, "x86_64": 29}),
        # The last for Python 3.7 (Mendel), and for x86-64 with glibc 2.27 or 2.28.
        Release("2.11.0", 7, 9, {"aarch64": 27, "armv7l": 27, "x86_64": 27}),
    ),
    "openvino": (
        Release("2026.4.1", 10, 14, {"aarch64": 34, "x86_64": 27}),
        # The last for Python 3.9.
        Release("2025.3.0", 9, 13, {"aarch64": 34, "x86_64": 17}),
        # The last for aarch64 with glibc 2.30 … 2.33.
        Release("2025.2.0", 9, 13, {"aarch64": 30, "x86_64": 17}),
        # The last for Python 3.8.
        Release("2024.4.0", 8, 12, {"aarch64": 30, "x86_64": 17}),
        # The last for aarch64 with glibc 2.27 … 2.29 (JetPack 4 with its Python 3.8).
        Release("2024.0.0", 8, 11, {"aarch64": 27, "x86_64": 17}),
        # None for Python 3.7: 2023.1 (x86-64 only) cannot be imported there, for want of a backport.
    ),
}

# One numpy for each Python, which all runtimes above go with: the last before 2 where there is one.
NUMPY = {
    7: "1.21.6", 8: "1.24.4", 9: "1.26.4", 10: "1.26.4", 11: "1.26.4", 12: "1.26.4", 13: "2.1.3", 14: "2.3.5",
}  # fmt: skip
# No wheels among the ordinary ones: the system's own (apt) serves, or an index that has them.
WITHOUT_NUMPY = ("armv7l",)
OWN_NUMPY_HINT = (
    "`sudo apt install python3-numpy` there, where that is older than 2: no numpy wheel for {arch} is among "
    "the ordinary ones"
)


def serves(own_numpy: str | None) -> bool:
    """Whether the numpy that a board has goes with all runtimes above."""
    return own_numpy is not None and own_numpy.startswith("1.")


@dataclass(frozen=True)
class Choice:
    """A runtime at a version, with what it needs."""

    runtime: RuntimeName
    version: str
    pins: tuple[Pin, ...]


def choices(wanted: Sequence[RuntimeName], interpreter: Interpreter, own_numpy: str | None) -> list[Choice]:
    """What may serve for one of `wanted` (best first), the best first.

    `own_numpy` is the version that the board's Python has, used where no wheels of numpy are published.
    Raises DeviceError that says what is not available, and what would be.
    """
    numpy = Pin("numpy", NUMPY.get(interpreter.python[1], ""))
    spared = interpreter.arch in WITHOUT_NUMPY and serves(own_numpy)
    found = [
        Choice(
            name, release.version, (Pin(DISTRIBUTIONS[name], release.version), *(() if spared else (numpy,)))
        )
        for name in wanted
        for release in RELEASES[name]
        if release.fits(interpreter) and numpy.version
    ]
    if found:
        return found
    raise DeviceError(
        f"{interpreter.words}: no {' or '.join(wanted)} is published for it",
        hint="; ".join(_instead(wanted, interpreter)) or "install a runtime there by hand",
    )


def _instead(wanted: Sequence[RuntimeName], interpreter: Interpreter) -> Iterator[str]:
    """What would be available if the board were a little different."""
    arch, python = interpreter.arch, dotted(interpreter.python)
    for name in wanted:
        suits = [one for one in RELEASES[name] if one.suits_python(interpreter)]
        needed = [one.glibc[arch] for one in suits if arch in one.glibc]
        if needed:
            yield f"{name} needs glibc 2.{min(needed)} there"
        elif others := sorted({other for one in suits for other in one.glibc}):
            yield f"{' and '.join(others)} with Python {python} have {name} {suits[0].version}"
    for name in wanted:
        here = [one for one in RELEASES[name] if arch in one.glibc]
        if here and not any(one.suits_python(interpreter) for one in here):
            first, last = min(one.first for one in here), max(one.last for one in here)
            yield f"{arch} has {name} with Python 3.{first} to 3.{last}"
