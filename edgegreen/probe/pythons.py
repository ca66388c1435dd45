"""The Pythons in the reply, and which of them to use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.probe.facts import Package, Python
from edgegreen.probe.reply import Reply, whole

OLDEST = (3, 7)
"""What the agent needs."""
# How the packages that hold runtimes are imported, and what a target calls those.
RUNTIMES: dict[str, tuple[RuntimeName, ...]] = {
    "ai_edge_litert": ("litert", "edgetpu-litert"),
    "tflite_runtime": ("tflite-runtime", "edgetpu"),
    "openvino": ("openvino",),
    "onnxruntime": ("onnxruntime",),
}
FOR_ANY_BOARD = {name for traits in FORMATS.values() if traits.any_board for name in traits.runtimes}


def parse(told: Reply) -> tuple[str | None, Python | None, tuple[Python, ...]]:
    """What the target calls its Python, that Python, and all that are there, each once."""
    asked, first = None, None
    found: dict[str, Python] = {}
    for python, is_asked in _each(told):
        found.setdefault(python.executable or python.path, python)
        if is_asked:
            first = python
    for key, value in told.pairs("pythons"):
        if key == "asked" and value:
            asked = value
            break
    return asked, first, tuple(found.values())


def _each(told: Reply) -> Iterator[tuple[Python, bool]]:
    """Every Python in the reply, and whether it stands where the one asked for does."""
    is_asked, block = True, list[tuple[str, str]]()
    for key, value in (*told.pairs("pythons"), ("python", "")):
        if key in ("python", "others"):
            if block:
                yield _python(block), is_asked
            block = [(key, value)] if key == "python" and value else []
            is_asked = is_asked and key != "others"
        elif block:
            block.append((key, value))


def _python(pairs: Sequence[tuple[str, str]]) -> Python:
    fields = dict(pairs)
    numbers = [whole(part, 1000) for part in fields.get("version", "").split(".")]
    version = tuple(part for part in numbers if part is not None)
    packages = [value.split() for key, value in pairs if key == "package" and value]
    bits = whole(fields.get("bits"))
    return Python(
        path=fields["python"],
        version=(version[0], version[1], version[2]) if len(version) == 3 else None,
        executable=_told(fields.get("executable")),
        bits=bits if bits in (32, 64) else None,
        abi=_told(fields.get("abi")),
        libc=_told(fields.get("libc")),
        packages=tuple(Package(words[0], words[1] if len(words) > 1 else None) for words in packages),
        lacks=tuple(value for key, value in pairs if key == "lacks" and value),
    )


def _told(text: str | None) -> str | None:
    return None if text in (None, "", "None") else text


def runtimes(python: Python, wanted: Collection[RuntimeName] | None = None) -> tuple[RuntimeName, ...]:
    """The runtimes this Python can import, as a target names them: of those `wanted`, or for any board."""
    able = FOR_ANY_BOARD if wanted is None else wanted
    return tuple(
        name for package in python.packages for name in RUNTIMES.get(package.name, ()) if name in able
    )


def is_usable(python: Python) -> bool:
    """Whether the agent can run in it."""
    return python.version is not None and python.version >= OLDEST and not python.lacks


def best(pythons: Sequence[Python]) -> Python | None:
    """The one to use: with the most runtimes, else the first of those that will do; None when none does."""
    usable = [python for python in pythons if is_usable(python)]
    return max(usable, key=lambda python: len(runtimes(python)), default=None)


def dotted(python: Python) -> str:
    """`3.11.2`."""
    return ".".join(map(str, python.version)) if python.version else "of unknown version"
