"""Did int8 really run? What a runtime told of its work, in words, and what rows side by side say. Pure.

One warning is worked out here: a quantised row that is slower than fp32 in the same runtime, with the causes
there is evidence for. None is guessed: where nothing that was read explains it, that is what is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgegreen.measurement import Execution, Measurement, Operators

EXPECTED_FASTER = ("int8", "dynamic", "int16x8")
PRODUCTS = "convolutions and matrix products"
HALVES = ("f16", "bf16")
# Instructions that multiply and add 8-bit numbers four at a time, by `uname -m`.
INT8_INSTRUCTIONS = {
    "x86_64": ("avx_vnni", "avx512_vnni", "avx_vnni_int8", "amx_int8"),
    "aarch64": ("asimddp", "i8mm"),
}
SMALL_MS = 0.2  # below this, what any call costs is a good part of it
NAMED = 4


def of(kinds: Iterable[Operators]) -> Execution:
    """Put together what a runtime told of the operators it runs."""
    told = tuple(kinds)
    compute: Counter[str] = Counter()
    for kind in told:
        if kind.role == "compute":
            compute[kind.precision or "unknown"] += kind.count
    has_delegates = any(kind.delegated is not None for kind in told)
    return Execution(
        operators=sum(kind.count for kind in told),
        delegated=sum(kind.count for kind in told if kind.delegated) if has_delegates else None,
        compute=dict(compute.most_common()),
        conversions=sum(kind.count for kind in told if kind.role == "conversion"),
        kinds=told,
    )


def reasons(precision: str | None, execution: Execution | None) -> tuple[str, ...]:
    """Why a row is not what it says: int8 was asked for, and no product ran in it."""
    if precision != "int8" or execution is None or not execution.compute or "i8" in execution.compute:
        return ()
    count = sum(execution.compute.values())
    return (f"asked for int8, ran in {ran(execution)}: none of {count} {PRODUCTS} in i8",)


def ran(execution: Execution | None) -> str | None:
    """What the products ran in: `i8`, or `i8 7, f32 4`. None when that was not told."""
    if execution is None or not execution.compute:
        return None
    if len(execution.compute) == 1:
        return next(iter(execution.compute))
    return ", ".join(f"{precision} {count}" for precision, count in execution.compute.items())


def placed(item: Measurement) -> str | None:
    """`12 of 13 operators in XNNPACK; left: SOFTMAX`; None in a runtime without delegates."""
    found = item.execution
    if found is None or found.delegated is None:
        return None
    if found.delegated == 0:
        return f"none of {found.operators} operators in a delegate"
    whole = f"{found.delegated} of {found.operators} operators in {item.runtime.delegate or 'a delegate'}"
    left = [kind for kind in found.kinds if not kind.delegated]
    return f"{whole}; left: {_named(left)}" if left else whole


def warnings(items: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """For each row, what is worth knowing of how it ran; nothing of it makes the figures untrue."""
    return [tuple(_warnings(item, items)) for item in items]


def _warnings(item: Measurement, among: Sequence[Measurement]) -> Iterator[str]:
    peer = _fp32(item, among)
    if peer and item.precision in EXPECTED_FASTER and _is_slower(item, peer):
        case = _Case(item, peer, among)
        causes = [cause for find in CAUSES for cause in find(case)]
        times = f"{_ms(item)} and {_ms(peer)} ms"
        because = f"likely: {'; '.join(causes)}" if causes else "nothing the runtime tells explains it"
        yield f"slower than {peer.variant} ({times}); {because}"
        return
    if item.execution and item.execution.delegated not in (None, 0, item.execution.operators):
        yield placed(item) or ""
    if item.precision == "int8" and item.execution and "i8" in item.execution.compute:
        yield from _others(item.execution)


@dataclass(frozen=True)
class _Case:
    """A quantised row that is slower than its fp32 `peer`, and all rows of the run."""

    item: Measurement
    peer: Measurement
    among: Sequence[Measurement]


def _by_the_runtime(case: _Case) -> Iterator[str]:
    """The same file, or the same model in another format, does better in another runtime here."""
    mine = case.item
    for other in case.among:
        peer = _fp32(other, case.among)
        if peer is None or _machine(other) != _machine(mine) or other.threads != mine.threads:
            continue
        times = f"{_ms(other)} and {_ms(peer)} ms"
        name = f"{other.runtime.name} {other.runtime.version.split('-')[0]}"
        if other.artifact.sha256 == mine.artifact.sha256:
            if _runtime(other) != _runtime(mine) and not _is_slower(other, peer):
                yield f"the runtime, as the same file is no slower than fp32 in {name} ({times})"
        elif other.precision == mine.precision and other.format != mine.format and _is_slower(peer, other):
            yield f"the runtime, as {other.variant} is faster than fp32 in {name} ({times})"


def _by_placement(case: _Case) -> Iterator[str]:
    """Fewer of its operators are in the delegate than of fp32's."""
    mine, its = case.item.execution, case.peer.execution
    if mine and its and mine.delegated is not None and its.delegated is not None:
        left, its_left = mine.operators - mine.delegated, its.operators - its.delegated
        if left > its_left:
            yield f"{placed(case.item)}, of {case.peer.variant} {its.delegated} of {its.operators}"


def _by_precision(case: _Case) -> Iterator[str]:
    if case.item.precision == "int8" and case.item.execution:
        yield from _others(case.item.execution)


def _by_half_floats(case: _Case) -> Iterator[str]:
    """The fp32 file is computed in less than f32, so it is no slow rival."""
    halves = [one for one in HALVES if case.peer.execution and one in case.peer.execution.compute]
    if halves:
        yield f"{case.peer.variant} is computed in {halves[0]} on this processor"


def _by_conversions(case: _Case) -> Iterator[str]:
    count = case.item.execution.conversions if case.item.execution else 0
    if count:
        verb = "operator converts" if count == 1 else "operators convert"
        yield f"{count} {verb} between floats and {'16' if case.item.precision == 'int16x8' else '8'} bits"


def _by_processor(case: _Case) -> Iterator[str]:
    board = case.item.conditions.get("board") or {}
    wanted = INT8_INSTRUCTIONS.get(str(board.get("machine")), ())
    features = board.get("cpu_features")
    if features is not None and wanted and not set(wanted) & set(features):
        yield f"the processor has no int8 dot product ({', '.join(wanted)})"


def _by_size(case: _Case) -> Iterator[str]:
    if case.peer.latency_ms.p50 < SMALL_MS:
        yield f"a model of {_ms(case.peer)} ms leaves little to win"


CAUSES: tuple[Callable[[_Case], Iterator[str]], ...] = (
    _by_the_runtime, _by_placement, _by_precision, _by_half_floats, _by_conversions, _by_processor, _by_size,
)  # fmt: skip


def _others(execution: Execution) -> Iterator[str]:
    """Products of an int8 model that ran in something else."""
    others = {precision: count for precision, count in execution.compute.items() if precision != "i8"}
    if others:
        told = ", ".join(f"{count} in {precision}" for precision, count in others.items())
        yield f"of {sum(execution.compute.values())} {PRODUCTS} {told}"


def _fp32(item: Measurement, among: Sequence[Measurement]) -> Measurement | None:
    """The fp32 row of the same format, target, runtime and number of threads; the first of several."""
    alike = (other for other in among if other.precision == "fp32" and other is not item)
    return next((other for other in alike if _place(other) == _place(item)), None)


def _place(item: Measurement) -> tuple[object, ...]:
    return item.target, item.format, item.runtime.name, item.threads


def _is_slower(one: Measurement, other: Measurement) -> bool:
    """Whether the medians differ beyond both their 95 % intervals."""
    return one.latency_ms.ci95[0] > other.latency_ms.ci95[1]


def _machine(item: Measurement) -> object:
    """What tells machines apart: two targets may be two Pythons of one board."""
    board = item.conditions.get("board") or {}
    return (board["hostname"], board.get("machine")) if board.get("hostname") else item.target


def _runtime(item: Measurement) -> tuple[str, str]:
    return item.runtime.name, item.runtime.version


def _named(kinds: Sequence[Operators]) -> str:
    """`CONV_2D ×5, SOFTMAX`; of many, the first few."""
    counts: Counter[str] = Counter()
    for kind in kinds:
        counts[kind.type] += kind.count
    names = [name if count == 1 else f"{name} ×{count}" for name, count in counts.most_common()]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more kinds" if len(names) > NAMED else "")


def _ms(item: Measurement) -> str:
    return np.format_float_positional(item.latency_ms.p50, precision=3, fractional=False, trim="-")
