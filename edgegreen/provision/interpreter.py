"""A board's Python as wheels see it: version, architecture, libc. Says in words which ones no wheel fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgegreen.client import Board
from edgegreen.errors import DeviceError

Version = tuple[int, int]

# (what the kernel says, bits of this Python): the userland decides. A Raspberry Pi with a 32-bit system
# boots a 64-bit kernel, so `uname -m` says aarch64 there.
ARCHITECTURES = {
    ("aarch64", 64): "aarch64",
    ("arm64", 64): "aarch64",
    ("aarch64", 32): "armv7l",
    ("armv8l", 32): "armv7l",
    ("armv7l", 32): "armv7l",
    ("x86_64", 64): "x86_64",
}
GLIBC_OLDEST, GLIBC_NEWEST = 17, 42


@dataclass(frozen=True)
class Interpreter:
    """What decides which wheels run. `python` and `glibc` are (major, minor)."""

    python: Version
    arch: str
    glibc: Version

    @classmethod
    def of(cls, board: Board) -> Interpreter:
        """The Python that answered the probe. Raises DeviceError when nothing is published for its kind."""
        tag = board.python_tag or ""
        if board.system != "Linux":
            raise _refusal(board, f"{board.system} is no system that edgegreen brings runtimes to")
        if "musl" in tag or "musl" in (board.libc or ""):
            raise _refusal(board, "its C library is musl, and no runtime is published for that")
        glibc = re.fullmatch(r"glibc (\d+)\.(\d+).*", board.libc or "")
        if glibc is None:
            raise _refusal(
                board, f"its C library is not known to be glibc ({board.libc or 'it does not say'})"
            )
        if not re.match(r"cpython-\d+m?-", tag):
            raise _refusal(
                board, f"runtimes are published for ordinary CPython, and this is {tag or 'not known'}"
            )
        arch = ARCHITECTURES.get((board.machine, board.bits))
        if arch is None or (arch == "armv7l" and not tag.endswith("eabihf")):
            raise _refusal(board, f"no runtime is published for {board.bits}-bit {board.machine}")
        python = re.match(r"(\d+)\.(\d+)", board.python)
        assert python is not None, "the agent runs on 3.7 or newer, and says which"
        return cls((int(python[1]), int(python[2])), arch, (int(glibc[1]), int(glibc[2])))

    @property
    def key(self) -> str:
        """`cp311-aarch64-glibc2.36`, for names of files."""
        return f"cp{self.python[0]}{self.python[1]}-{self.arch}-glibc{dotted(self.glibc)}"

    @property
    def words(self) -> str:
        """`Python 3.11 on aarch64 with glibc 2.36`."""
        return f"Python {dotted(self.python)} on {self.arch} with glibc {dotted(self.glibc)}"

    @property
    def pip_options(self) -> list[str]:
        """Have pip choose wheels for this interpreter instead of its own.

        Newer glibc than there is, too, the nearest first: tags promise too much or too little (tflite-runtime
        2.14 says 2.34 and needs 2.27); what a wheel really needs is looked up in it later.
        """
        own = min(max(self.glibc[1], GLIBC_OLDEST), GLIBC_NEWEST)
        minors = [*range(own, GLIBC_OLDEST - 1, -1), *range(own + 1, GLIBC_NEWEST + 1)]
        names = [f"manylinux_2_{minor}_{self.arch}" for minor in minors]
        names += [f"manylinux2014_{self.arch}", f"linux_{self.arch}"]
        python = f"cp{self.python[0]}{self.python[1]}"
        abis = [python, "abi3", "none"] if self.python > (3, 7) else [f"{python}m", "abi3", "none"]
        options = ["--implementation", "cp", "--python-version", dotted(self.python)]
        options += [word for name in names for word in ("--platform", name)]
        return options + [word for abi in abis for word in ("--abi", abi)]


def dotted(version: Version) -> str:
    """`3.11`."""
    return f"{version[0]}.{version[1]}"


def _refusal(board: Board, why: str) -> DeviceError:
    return DeviceError(
        f"{board.executable} (Python {board.python}, {board.machine}): {why}",
        hint="install a runtime there by hand, or name a Python that has one: `python:` in the target",
    )
