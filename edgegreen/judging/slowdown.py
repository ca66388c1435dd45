"""Rows side by side: a quantised model that is slower than fp32, and the causes there is evidence for. Pure.

No cause is guessed. Where nothing that was read explains it, that is what is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgegreen.judging import execution
from edgegreen.measurement import Measurement

EXPECTED_FASTER = ("int8", "dynamic", "int16x8")
HALVES = ("f16", "bf16")
# Instructions that multiply and add 8-bit numbers four at a time, by `uname -m`.
INT8_INSTRUCTIONS = {
    "x86_64": ("avx_vnni", "avx512_vnni", "avx_vnni_int8", "amx_int8"),
    "aarch64": ("asimddp", "i8mm"),
}
SMALL_MS = 0.2  # below this, what any call costs is a good part of it
RUNTIME_MATTERS = 2.0  # so many times the slowdown of the same file in another runtime


def warnings(items: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """For each row, what is worth knowing of how it ran; nothing of it makes the figures untrue."""
    return [tuple(_warnings(item, items)) for item in items]


def _warnings(item: Measurement, among: Sequence[Measurement]) -> Iterator[str]:
    if item.runtime.fell_back:
        yield item.runtime.fell_back
    peer = None if item.emulated else _fp32(item, among)
    kind = execution.wanted(item.precision, item.runtime.name)
    if peer and (kind or item.precision in EXPECTED_FASTER) and _is_slower(item, peer):
        case = _Case(item, peer, among)
        causes = [cause for find in CAUSES for cause in find(case)]
        because = f"likely: {'; '.join(causes)}" if causes else "nothing the runtime tells explains it"
        yield f"slower than {peer.variant} ({ms(item)} and {ms(peer)} ms); {because}"
        return
    if item.execution and item.execution.delegated not in (None, 0, item.execution.operators):
        yield execution.placed(item) or ""
    if kind and item.execution and kind in item.execution.compute:
        yield from filter(None, [execution.not_in(kind, item.execution)])


@dataclass(frozen=True)
class _Case:
    """A quantised row that is slower than its fp32 `peer`, and all rows of the run."""

    item: Measurement
    peer: Measurement
    among: Sequence[Measurement]


def _by_the_runtime(case: _Case) -> Iterator[str]:
    """The same file, or the same model in another format, does better in another runtime of this machine."""
    mine = case.item
    for other in case.among:
        peer = _fp32(other, case.among)
        if peer is None or _machine(other) != _machine(mine) or _setting(other) != _setting(mine):
            continue
        name = f"{other.runtime.name} {other.runtime.version.split('-')[0]}"
        times = f"{ms(other)} and {ms(peer)} ms"
        if other.artifact.sha256 == mine.artifact.sha256:
            much = _ratio(mine, case.peer) > RUNTIME_MATTERS * _ratio(other, peer)
            if _runtime(other) != _runtime(mine) and (much or not _is_slower(other, peer)):
                yield f"the runtime, as the same file and fp32 take {times} in {name}"
        elif other.precision == mine.precision and other.format != mine.format and _is_slower(peer, other):
            yield f"the runtime, as {other.variant} is faster than fp32 in {name} ({times})"


def _by_placement(case: _Case) -> Iterator[str]:
    """More of its operators are left outside the delegate than of fp32's."""
    mine, its = case.item.execution, case.peer.execution
    if mine is None or its is None or mine.delegated is None or its.delegated is None:
        return
    if mine.operators - mine.delegated > its.operators - its.delegated:
        names = execution.left(mine)
        theirs = f"{case.peer.variant}: {its.delegated} of {its.operators}"
        yield f"{execution.delegated(case.item, mine)} ({f'left: {names}; ' if names else ''}{theirs})"


def _by_precision(case: _Case) -> Iterator[str]:
    kind = execution.wanted(case.item.precision, case.item.runtime.name)
    if kind and case.item.execution:
        yield from filter(None, [execution.not_in(kind, case.item.execution)])


def _by_half_floats(case: _Case) -> Iterator[str]:
    """The fp32 file is computed in less than f32, so it is no slow rival."""
    halves = [one for one in HALVES if case.peer.execution and one in case.peer.execution.compute]
    if halves:
        yield f"{case.peer.variant} is computed in {halves[0]} on this processor"


def _by_operator(case: _Case) -> Iterator[str]:
    """One operator, of the same name in both profiles, takes most of the difference."""
    mine, its = case.item.profile, case.peer.profile
    if mine is None or its is None:
        return
    before = {one.name: one.ms for one in its.operators}
    extra = [(one.ms - before[one.name], one) for one in mine.operators if one.name in before]
    most, which = max(extra, key=lambda pair: pair[0], default=(0.0, None))
    if which and most > (case.item.latency_ms.p50 - case.peer.latency_ms.p50) / 2:
        yield f"{which.name} ({which.type}) takes {which.ms:.3f} ms instead of {before[which.name]:.3f}"


def _by_conversions(case: _Case) -> Iterator[str]:
    found = case.item.execution
    if found and found.conversions:
        verb = "operator converts" if found.conversions == 1 else "operators convert"
        bits = 16 if case.item.precision == "int16x8" else 8
        yield f"{found.conversions} {verb} between floats and {bits} bits"
    if found and "dynamic" in found.compute:
        yield f"{found.compute['dynamic']} {execution.PRODUCTS} quantise their input in each call"


def _by_processor(case: _Case) -> Iterator[str]:
    if case.item.precision == "int16x8" or case.item.runtime.name in execution.ENGINES:
        return
    board = case.item.conditions.get("board") or {}
    wanted = INT8_INSTRUCTIONS.get(str(board.get("machine")), ())
    features = board.get("cpu_features")
    if features is not None and wanted and not set(wanted) & set(features):
        yield f"the processor has no int8 dot product ({', '.join(wanted)})"


def _by_size(case: _Case) -> Iterator[str]:
    if case.item.latency_ms.p50 < SMALL_MS:
        yield f"a model of {ms(case.peer)} ms leaves little to win"


CAUSES: tuple[Callable[[_Case], Iterator[str]], ...] = (
    _by_the_runtime, _by_placement, _by_precision, _by_half_floats, _by_operator, _by_conversions,
    _by_processor, _by_size,
)  # fmt: skip


def _fp32(item: Measurement, among: Sequence[Measurement]) -> Measurement | None:
    """The fp32 row of the same format, target, runtime and setting; both can be trusted.

    It is the one with the same passes; without one, that of the model before any.
    """
    if item.verdict != "valid":
        return None
    rivals = [
        other
        for other in among
        if other.precision == "fp32" and other.verdict == "valid"
        if other is not item and _place(other) == _place(item) and other.passes in (item.passes, ())
    ]
    return min(rivals, key=lambda other: other.passes != item.passes, default=None)


def _place(item: Measurement) -> tuple[object, ...]:
    return item.target, item.format, item.runtime.name, *_setting(item)


def _setting(item: Measurement) -> tuple[object, ...]:
    """What changes the speed of one and the same model: threads, governor, power mode."""
    return item.threads, item.tuning


def _is_slower(one: Measurement, other: Measurement) -> bool:
    return is_faster(other, one)


def _ratio(one: Measurement, other: Measurement) -> float:
    return one.latency_ms.p50 / other.latency_ms.p50


def _machine(item: Measurement) -> object:
    """What tells machines apart: two targets may be two Pythons of one board."""
    board = item.conditions.get("board") or {}
    return (board["hostname"], board.get("machine")) if board.get("hostname") else item.target


def _runtime(item: Measurement) -> tuple[str, str]:
    return item.runtime.name, item.runtime.version


def is_faster(one: Measurement, other: Measurement) -> bool:
    """Whether the medians differ beyond both their 95 % intervals."""
    return one.latency_ms.ci95[1] < other.latency_ms.ci95[0]


def ms(item: Measurement) -> str:
    """Its median, in three digits."""
    return np.format_float_positional(item.latency_ms.p50, precision=3, fractional=False, trim="-")
