"""The script's reply, cut into sections of clean text. It is data: whatever comes, nothing raises.

A section that is missing, cut short or garbled costs itself only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from edgegreen.agent.wire import printable

# The sections of script.sh, in its order.
SECTIONS = (
    "clock", "system", "board", "release", "tegra", "libc", "machine", "cpu", "clocks", "memory", "disk",
    "heat", "throttled", "power_mode", "monitors", "counters", "supplies", "firmware", "accelerators",
    "libraries", "pythons",
)  # fmt: skip
END = "end"
MAX_BYTES = 1_000_000
MAX_LINES = 2000  # of one section
MAX_CHARACTERS = 2000  # of one line
_HEADING = re.compile(r"@@ ([a-z_]+)")


class Attribute(NamedTuple):
    """A file of the board's: its first line where that was read, and whether it may be read at all."""

    folder: str
    name: str
    text: str | None
    readable: bool


@dataclass(frozen=True)
class Reply:
    """Sections by name, each a list of clean lines. Absent sections are empty."""

    sections: Mapping[str, tuple[str, ...]]

    def lines(self, section: str) -> tuple[str, ...]:
        """The lines of a section that hold anything."""
        return self.sections.get(section, ())

    def fields(self, section: str) -> dict[str, str]:
        """`key=value` lines; of a key that comes twice the last. Empty values are left out."""
        return {key: value for key, value in self.pairs(section) if value}

    def pairs(self, section: str) -> Iterator[tuple[str, str]]:
        """`key=value` lines in their order."""
        for line in self.lines(section):
            key, equals, value = line.partition("=")
            if equals:
                yield key.strip(), value.strip()

    def attributes(self, section: str) -> Iterator[Attribute]:
        """`path=text`, `path!` and `path+` lines."""
        for line in self.lines(section):
            path, equals, text = line.partition("=")
            if not equals and not line.endswith(("!", "+")):
                continue
            folder, _, name = (path if equals else line[:-1]).rpartition("/")
            yield Attribute(
                folder, name, text.strip() if equals else None, not line.endswith("!") or bool(equals)
            )

    @property
    def untold(self) -> tuple[str, ...]:
        """Sections that did not arrive, or not to their end."""
        came = [name for name in (*SECTIONS, END) if name in self.sections]
        missing = [name for name in SECTIONS if name not in self.sections]
        cut_short = came[-1:] if came and END not in self.sections else []
        return tuple(name for name in SECTIONS if name in (*missing, *cut_short))


def read(output: bytes) -> Reply:
    """The reply in what the script printed."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for raw in output[:MAX_BYTES].decode("utf-8", "replace").split("\n"):
        line = clean(raw)
        heading = _HEADING.fullmatch(line)
        if heading:
            current = found.setdefault(heading[1], [])
        elif line.strip() and len(current) < MAX_LINES:
            current.append(line)
    return Reply({name: tuple(lines) for name, lines in found.items() if name in (*SECTIONS, END)})


def clean(text: str) -> str:
    """Without the NUL that ends a device tree's strings, without what a terminal would obey."""
    return printable(text[:MAX_CHARACTERS].replace("\0", " ").replace("\t", " ")).rstrip()


def whole(text: str | None, most: int = 2**63) -> int | None:
    """A number without sign, below `most`; None when there is none."""
    found = re.fullmatch(r"\s*(\d{1,19})\s*", text or "", re.ASCII)
    return int(found[1]) if found and int(found[1]) < most else None


def number(text: str | None) -> float | None:
    """A finite number; None when there is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def version(text: str | None) -> tuple[int, ...] | None:
    """(2, 36) in "glibc 2.36"; None when there is no version."""
    found = re.search(r"\d{1,6}(?:\.\d{1,6}){1,3}", text or "", re.ASCII)
    return tuple(map(int, found[0].split("."))) if found else None
