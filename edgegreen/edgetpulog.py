"""What `edgetpu_compiler` prints, as data. Pure; for versions 2.0 to 16.0, the last there will be.

Nothing here raises: what is missing, cut short or garbled is None, and a log that does not say that it went
well did not. Sizes are as exact as they are printed: 4.21MiB is known to 5 kB.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAPPED = "Mapped to Edge TPU"
MAX_CHARS = 1_000_000  # a log has a few thousand
MAX_KINDS = 500
MAX_TEXT = 200
ENDING = "See the operation log file"  # without `-s`, which lists them instead
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

VERSION = re.compile(r"Edge TPU Compiler version[ \t]+(\d[\w.]{0,40})")
SUCCESS = re.compile(r"^Model (?:compiled successfully\b|successfully compiled\b)", re.MULTILINE)
TOOK = re.compile(r"^Model compiled successfully in (\d{1,9}) ms", re.MULTILINE)
BEGINNING = re.compile(r"^Input(?: model)?: ", re.MULTILINE)
NUMBERS = {
    "total": re.compile(r"^Total number of operations:[ \t]*(\d{1,7})[ \t]*$", re.MULTILINE),
    "on_tpu": re.compile(
        r"^Number of operations that will run on Edge TPU:[ \t]*(\d{1,7})[ \t]*$", re.MULTILINE
    ),
    "on_cpu": re.compile(r"^Number of operations that will run on CPU:[ \t]*(\d{1,7})[ \t]*$", re.MULTILINE),
    "subgraphs": re.compile(r"^Number of Edge TPU subgraphs:[ \t]*(\d{1,7})[ \t]*$", re.MULTILINE),
}
SIZE = r"[ \t]*(\d{1,9}(?:\.\d{1,6})?)[ \t]?(B|KiB|MiB|GiB)[ \t]*$"
SIZES = {
    "on_chip": re.compile(r"^On-chip memory used for caching model parameters:" + SIZE, re.MULTILINE),
    "on_chip_free": re.compile(
        r"^On-chip memory (?:remaining|available) for caching model parameters:" + SIZE, re.MULTILINE
    ),
    "streamed": re.compile(
        r"^Off-chip memory used for streaming uncached model parameters:" + SIZE, re.MULTILINE
    ),
}
HEADING = re.compile(r"^Operator[ \t]+Count[ \t]+Status[ \t]*$", re.MULTILINE)
ROW = re.compile(r"(\S{1,100})[ \t]+(\d{1,7})[ \t]+(\S.*?)[ \t]*\Z")
COMPLAINT = re.compile(r"^(?:ERROR:|Invalid model:|Model |Compilation failed|Internal compiler error)")


@dataclass(frozen=True)
class Mapping:
    """So many operators of one type, and what the compiler did with them: `status` is in its own words."""

    type: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether they run on the Edge TPU."""
        return self.status == MAPPED


@dataclass(frozen=True)
class Compilation:
    """What became of a model. `operators` in all, of which the Edge TPU runs `on_tpu`.

    `on_chip_bytes` of parameters stay on the chip between inferences, where `on_chip_free_bytes` are left;
    `streamed_bytes` are sent to it in each one. `mappings` is empty where operators were not listed.
    """

    compiler: str | None
    operators: int | None
    on_tpu: int | None
    on_chip_bytes: int | None
    on_chip_free_bytes: int | None
    streamed_bytes: int | None
    subgraphs: int | None
    took_ms: int | None
    mappings: tuple[Mapping, ...] = ()

    @property
    def on_cpu(self) -> int | None:
        """Operators that are left to the CPU; None where that was not told, or makes no sense."""
        if self.operators is None or self.on_tpu is None or self.on_tpu > self.operators:
            return None
        return self.operators - self.on_tpu

    @property
    def left(self) -> tuple[Mapping, ...]:
        """What is left to the CPU."""
        return tuple(one for one in self.mappings if not one.mapped)


@dataclass(frozen=True)
class Log:
    """A whole log. `complaints` are its lines that say what went wrong, in their order."""

    succeeded: bool
    compilation: Compilation
    complaints: tuple[str, ...]
    last: str | None = None
    """Of one that does not tell of success: a shell's or a loader's own words, where it is no log at all."""


def parse(text: str) -> Log:
    """The log in what the compiler printed (stdout and stderr), or wrote to its `.log` file."""
    version = VERSION.search(text[:MAX_CHARS])
    text = text[:MAX_CHARS].replace("\r\n", "\n")
    text = text[: text.rfind("\n") + 1]  # a line that was cut off could be a number that was
    succeeded = SUCCESS.search(text) is not None
    # Of several models, or attempts at one, the last is the one that counts.
    starts = [match.start() for match in BEGINNING.finditer(text)]
    part = text[starts[-1] :] if succeeded and starts else text
    numbers = {name: _number(pattern, part) for name, pattern in NUMBERS.items()}
    sizes = {name: _size(pattern, part) for name, pattern in SIZES.items()}
    mappings = _mappings(part)
    on_tpu = _on_tpu(numbers, mappings, ended=ENDING in part)
    total = numbers["total"]
    if total is None and on_tpu is not None and numbers["on_cpu"] is not None:
        total = on_tpu + numbers["on_cpu"]
    took = TOOK.findall(text)
    compilation = Compilation(
        compiler=version[1] if version else None,
        operators=total if total is not None else sum(one.count for one in mappings) or None,
        on_tpu=on_tpu,
        on_chip_bytes=sizes["on_chip"],
        on_chip_free_bytes=sizes["on_chip_free"],
        streamed_bytes=sizes["streamed"],
        subgraphs=numbers["subgraphs"],
        took_ms=int(took[-1]) if took else None,
        mappings=mappings,
    )
    if succeeded:
        return Log(succeeded, compilation, ())
    last = text.strip().rpartition("\n")[2].strip()[:MAX_TEXT]
    return Log(succeeded, compilation, _complaints(text), last or None)


def _on_tpu(numbers: dict[str, int | None], mappings: Sequence[Mapping], *, ended: bool) -> int | None:
    """How many run there: told, else by the list if it is whole, else all, which goes without saying."""
    if numbers["on_tpu"] is not None:
        return numbers["on_tpu"]
    if mappings:
        is_whole = numbers["total"] in (None, sum(one.count for one in mappings))
        return sum(one.count for one in mappings if one.mapped) if is_whole else None
    return numbers["total"] if ended and numbers["on_cpu"] is None else None


def _mappings(text: str) -> tuple[Mapping, ...]:
    """The list of operators: below its heading, up to the first line that is none of it."""
    heading = HEADING.search(text)
    if heading is None:
        return ()
    found: list[Mapping] = []
    for line in text[heading.end() :].split("\n"):
        row = ROW.match(line.strip())
        if row and len(found) < MAX_KINDS:
            found.append(Mapping(row[1], int(row[2]), row[3][:MAX_TEXT]))
        elif line.strip():
            break
    return tuple(found)


def _complaints(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in text.split("\n"))
    told = dict.fromkeys(line[:MAX_TEXT] for line in lines if COMPLAINT.match(line))
    return tuple(told)[:10]


def _number(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None


def _size(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return round(float(match[1]) * UNITS[match[2]]) if match else None
