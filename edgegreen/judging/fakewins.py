"""Rows side by side: passes that win less than they seem to, and what it is that they win. Pure.

Zeros and shared weights are fewer different weights, not fewer weights: most runtimes multiply by a zero as
by anything else, and a file has as many bytes as before. That an int8 model is slower is told by `slowdown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgegreen.judging import applied
from edgegreen.judging.slowdown import is_faster, ms
from edgegreen.measurement import Measurement

# Passes that leave as many weights as there were, and what they make of them.
SPARE_NO_WEIGHTS = {"prune": "zeros", "cluster": "shared weights"}
NOTABLY = 0.9  # of the other's size: less than this is worth a word
TELLING = 0.25  # between shares of their sizes that files deflate to; kinds of numbers differ by 0.15


def warnings(items: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """For each row, what its passes do not win although one might think so."""
    return [tuple(_warnings(item, items)) for item in items]


def deflate_apart(items: Sequence[Measurement]) -> bool:
    """Whether sizes when compressed are worth a column: they say something else than the sizes."""
    shares = [item.artifact.compressed_bytes / item.artifact.size_bytes for item in items]
    return any(item.passes for item in items) or max(shares, default=0) - min(shares, default=0) > TELLING


def _warnings(item: Measurement, among: Sequence[Measurement]) -> Iterator[str]:
    found = [SPARE_NO_WEIGHTS[name] for name in map(applied.name_of, item.passes) if name in SPARE_NO_WEIGHTS]
    sibling = _without(item, among) if found else None
    of = " and ".join(dict.fromkeys(found))
    if found and sibling is None:
        yield f"no row is the same but for {of}: whether they make it faster or smaller here is not seen"
    if sibling is None:
        return
    wins = _wins(item, sibling)
    if not item.emulated and not is_faster(item, sibling):
        times = f"{ms(item)} and {ms(sibling)} ms"
        yield f"{of} do not make it faster than {sibling.variant} here ({times}); {wins}"
    elif item.artifact.size_bytes > NOTABLY * sibling.artifact.size_bytes:
        sizes = f"{item.artifact.size_bytes:,} and {sibling.artifact.size_bytes:,} bytes"
        yield f"{of} do not make the file smaller than {sibling.variant} ({sizes}); {wins}"


def _wins(item: Measurement, sibling: Measurement) -> str:
    """What is smaller, and when."""
    mine, its = item.artifact, sibling.artifact
    if mine.size_bytes <= NOTABLY * its.size_bytes:
        return f"the file is smaller, {mine.size_bytes:,} bytes instead of {its.size_bytes:,}"
    if mine.compressed_bytes <= NOTABLY * its.compressed_bytes:
        return (
            f"what they win is the size when compressed, {mine.compressed_bytes:,} bytes instead of "
            f"{its.compressed_bytes:,}; on the board it is {mine.size_bytes:,}"
        )
    return f"nor is the file smaller when compressed ({mine.compressed_bytes:,} bytes)"


def _without(item: Measurement, among: Sequence[Measurement]) -> Measurement | None:
    """The row that is the same but for these passes; one that is to be trusted, if there is one."""
    others = tuple(one for one in item.passes if applied.name_of(one) not in SPARE_NO_WEIGHTS)
    alike = [one for one in among if one.passes == others and _kind(one) == _kind(item) and one is not item]
    return min(alike, key=lambda one: one.verdict != "valid", default=None)


def _kind(item: Measurement) -> tuple[object, ...]:
    """What has to be the same: how it was made of the float model, and where and how it ran."""
    made = item.artifact
    limit = made.mixed.limit if made.mixed else None
    return (
        item.format,
        item.precision,
        made.built_by,
        limit,
        item.target,
        item.runtime.name,
        item.threads,
        item.tuning,
    )
