"""A board's Python as wheels see it: version, architecture, libc. Says in words which ones no wheel fits."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    def of(
        cls, path: str, python: str, *, system: str, machine: str, bits: int, tag: str, libc: str
    ) -> Interpreter:
        """The Python of that path and version, by what the board says.

        `system` and `machine` are the kernel's words, `bits` this Python's; `tag` is its SOABI, such as
        `cpython-311-aarch64-linux-gnu`; `libc` such as `glibc 2.36`; empty is what the board did not say.
        Raises DeviceError when nothing is published for its kind.
        """

        def refusal(why: str) -> DeviceError:
            return DeviceError(
                f"{path} (Python {python}, {machine}): {why}",
                hint="install one there by hand, or name a Python that has one: `python:` in the target",
            )

        if system != "Linux":
            raise refusal(f"{system} is no system that edgegreen brings runtimes to")
        if "musl" in tag or "musl" in libc:
            raise refusal("its C library is musl, and no runtime is published for that")
        glibc = re.fullmatch(r"glibc (\d+)\.(\d+).*", libc)
        if glibc is None:
            raise refusal(f"its C library is not known to be glibc ({libc or 'it does not say'})")
        if not re.match(r"cpython-\d+m?-", tag):
            raise refusal(f"runtimes are published for ordinary CPython, and this is {tag or 'not known'}")
        arch = ARCHITECTURES.get((machine, bits))
        if arch is None or (arch == "armv7l" and not tag.endswith("eabihf")):
            raise refusal(f"no runtime is published for {bits}-bit {machine}")
        version = re.match(r"(\d+)\.(\d+)", python)
        assert version is not None, "who found this Python asked for its version"
        return cls((int(version[1]), int(version[2])), arch, (int(glibc[1]), int(glibc[2])))

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
