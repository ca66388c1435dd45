"""What a compilation for the Edge TPU came to, in words, and what would help. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from edgegreen.edgetpulog import Compilation, Log, Mapping

NAMED = 4
STREAMED_MIN = 0.02  # of what stays on the chip: below, it is hardly worth a word
DELEGATE = "Edge TPU"  # as agent/runtimes/edgetpu.py calls it
# What the compiler says of an operator (by how it begins), in short, and what to do about it.
STATUSES: dict[str, tuple[str, str | None]] = {
    "Operation is working on an unsupported data type": (
        "not in 8 bits",
        "floats go in or out there: quantise it, or do it before or after the model",
    ),
    "More than one subgraph is not supported": (
        "behind an operator that is left to the CPU",
        "the Edge TPU runs the model's beginning only: move or replace the first operator it cannot run",
    ),
    "Operation is otherwise supported, but not mapped due to some unspecified limitation": (
        "a limitation that the compiler does not name",
        "most often tensors are too large, or have more than three dimensions above 1: try a smaller input",
    ),
    "Operation not supported": (
        "not supported",
        "replace it: Coral's list of supported operations says by what",
    ),
    "Operation version not supported": (
        "of too new a version",
        "build it anew from the float model: edgegreen sets the versions that the compiler knows",
    ),
    "Left as it was": ("left by the compiler", None),
    "Tensor has unsupported rank": (
        "a tensor of too many dimensions",
        "at most three dimensions may be above 1: reshape before it",
    ),
}
FAILURES = (
    (
        "Model not quantized",
        "the compiler takes full-integer models only: with `precision: int8` one is made of a float model",
    ),
    (
        "Didn't find op for builtin opcode",
        "the file is newer than the compiler, which knows TFLite up to about 2.5: start from the float model "
        "with `precision: int8`, and edgegreen sets the versions that it knows",
    ),
    ("dynamic-sized tensors", "give `input_shape` in the recipe: the Edge TPU takes static shapes only"),
)


def short(found: Compilation) -> str | None:
    """`264/267, 0 B streamed`, for a column; None where the compiler told nothing of it."""
    if found.operators is None or found.on_tpu is None:
        return None
    streamed = found.streamed_bytes
    told = None if streamed is None else f"{_size(streamed)} streamed"
    return ", ".join(filter(None, (f"{found.on_tpu}/{found.operators}", told)))


def notes(found: Compilation) -> Iterator[str]:
    """What keeps the model from being as fast as it could be, a line each, with advice."""
    if found.on_cpu:
        names = f": {', '.join(map(_named, _by_status(found.left)[:NAMED]))}" if found.left else ""
        yield f"{found.on_cpu} of {found.operators} operators are left to the CPU{names}"
    for status in dict.fromkeys(one.status for one in found.left):
        if advice := _status(status)[1]:
            yield f"{_types(found.left, status)}: {advice}"
    if found.streamed_bytes and found.streamed_bytes > STREAMED_MIN * (found.on_chip_bytes or 0):
        held = "" if found.on_chip_bytes is None else f" ({_size(found.on_chip_bytes)} stay on the chip)"
        yield (
            f"{_size(found.streamed_bytes)} of parameters are sent to the Edge TPU in each inference{held}: "
            "a smaller model would stay there whole"
        )
    if found.subgraphs is not None and found.subgraphs > 1:
        yield f"the model was cut into {found.subgraphs} parts, and goes back and forth between them"


def ran(accelerator: object) -> Iterator[str]:
    """At what clock the Edge TPU ran, and over what link, as the row's conditions have it."""
    if not isinstance(accelerator, dict) or accelerator.get("kind") != "edgetpu":
        return
    clock, mbps = accelerator.get("clock"), accelerator.get("usb_mbps")
    yield f"the Edge TPU's clock is {clock or 'not known'}" + (
        f"; on USB at {mbps:g} Mbit/s" if isinstance(mbps, int | float) else ""
    )


def doubts(format_: str, delegate: str | None) -> tuple[str, ...]:
    """Why a row of a model for the Edge TPU is not what it says."""
    if format_ != "edgetpu" or delegate == DELEGATE:
        return ()
    return ("it is for the Edge TPU, and nothing of it ran there",)


def fallback(found: Compilation) -> str | None:
    """Why a model that must run on the Edge TPU alone does not; None when it does."""
    if found.on_cpu is None:
        return "the compiler did not say how many operators are left to the CPU"
    return next(notes(found)) if found.on_cpu else None


def failure(log: Log) -> tuple[str, str | None]:
    """Why nothing was compiled, and what would help."""
    said = "; ".join(log.complaints[:3])
    hint = next((hint for words, hint in FAILURES if words in " ".join(log.complaints)), None)
    last = f"; its last line is `{log.last}`" if log.last else ""
    return said or f"it did not say that the model was compiled, nor why not{last}", hint


def _status(status: str) -> tuple[str, str | None]:
    for start, told in STATUSES.items():
        if status.startswith(start):
            return told
    return status, None


def _by_status(left: Sequence[Mapping]) -> list[tuple[str, int, str]]:
    """(type, count, status), the most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in left:
        counts[one.type, one.status] += one.count
    return [(kind, count, status) for (kind, status), count in counts.most_common()]


def _named(one: tuple[str, int, str]) -> str:
    kind, count, status = one
    return f"{kind}{f' ×{count}' if count > 1 else ''} ({_status(status)[0]})"


def _types(left: Sequence[Mapping], status: str) -> str:
    return ", ".join(dict.fromkeys(one.type for one in left if one.status == status))


def _size(size_bytes: int) -> str:
    """In the compiler's own units."""
    for unit, scale in (("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.2f} {unit}"
    return f"{size_bytes} B"
