"""A quantised model in which some operators stayed in float: how they were chosen, and in words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class KeptOperator:
    """An operator that stayed in float: its name in the float model, and its kind (`CONV_2D`)."""

    name: str
    kind: str


@dataclass(frozen=True)
class Mixed:
    """Which operators stayed in float so that a metric drops by no more than `limit`, and how that was found.

    Drops are losses against the variant's own float model, in the metric's unit; below 0 it gained.
    `operators` counts those that could be quantised. `drop` was found on the `n` samples the choice was made
    on (`judged_by` says which and by what), `drop_upper` is its one-sided 95 % bound; `drop_all` is the drop
    there with all operators quantised, `held_out_drop` that of the built model on `held_out_n` others; None:
    could not be had. `steps` counts what was tried; `stopped` says what cut the search short.
    """

    limit: float
    operators: int
    kept: tuple[KeptOperator, ...]
    drop: float
    drop_upper: float | None
    drop_all: float | None
    judged_by: str
    n: int
    held_out_drop: float | None
    held_out_n: int
    steps: int
    stopped: str | None


def within(drop: float, limit: float) -> bool:
    """Whether a drop keeps to a limit; 0.01 in floats is a hair more than 0.01."""
    return drop <= limit * (1 + 1e-9) + 1e-12


def what(mixed: Mixed, precision: str | None) -> str:
    """`int8, 2 of 12 operators left in fp32 (FULLY_CONNECTED, SOFTMAX)`."""
    kinds = Counter(one.kind for one in mixed.kept)
    told = ", ".join(kind if count == 1 else f"{count} {kind}" for kind, count in kinds.most_common())
    left = f"{len(mixed.kept)} of {mixed.operators} operators left in fp32 ({told})" if told else ""
    return f"{precision}, {left or f'all {mixed.operators} operators'}"


def found(mixed: Mixed) -> str:
    """What the choice was made on, and what is lost there."""
    upper = "" if mixed.drop_upper is None else f" (95 %: at most {_number(mixed.drop_upper)})"
    words = [f"{_drop(mixed.drop)}{upper} by {mixed.judged_by}, {_number(mixed.limit)} allowed"]
    if mixed.held_out_drop is not None:
        words.append(f"{_drop(mixed.held_out_drop)} on {mixed.held_out_n} held out")
    if mixed.kept and mixed.drop_all is not None:
        words.append(f"{_drop(mixed.drop_all)} with all quantised")
    return "; ".join(words)


def doubts(mixed: Mixed) -> Iterator[str]:
    """Why the limit may not hold."""
    if mixed.stopped:
        yield f"the search was cut short {mixed.stopped}: the best found until then was taken"
    if not within(mixed.drop, mixed.limit):
        yield f"no mixture was found that keeps to {_number(mixed.limit)}"
    elif mixed.drop_upper is None or not within(mixed.drop_upper, mixed.limit):
        yield f"on {mixed.n} samples it is not sure that the drop is within {_number(mixed.limit)}"


def notes(
    mixed: Mixed, precision: str | None, measured: float | None, n: int | None, *, with_passes: bool = False
) -> Iterator[str]:
    """What a row says: what was chosen, what that promised, and the drop `measured` on `n` other samples.

    `with_passes`: it counts from the model before its passes, so that the limit does not judge it.
    """
    there = "" if measured is None else f"; here {_drop(measured)} on {n} evaluation samples"
    there += " from the model before its passes" if there and with_passes else ""
    yield f"{what(mixed, precision)}: {found(mixed)}{there}"
    if measured is not None and not with_passes and not within(measured, mixed.limit):
        yield f"the measured drop of {_number(measured)} is over the {_number(mixed.limit)} it was built for"
    yield from doubts(mixed)


def _drop(value: float) -> str:
    return f"{'gain' if value < -1e-12 else 'drop'} {_number(abs(value))}"


def _number(value: float) -> str:
    """Two digits; what is left of floats that should cancel out is 0."""
    return f"{value:.2g}" if abs(value) > 1e-12 else "0"
