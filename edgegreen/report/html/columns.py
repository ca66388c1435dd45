"""The columns of the table: what each shows, how it sorts, and what it means to one who is new to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgegreen.judging import execution, fakewins
from edgegreen.judging.comparison import Row
from edgegreen.report import words

Sorted = float | str | None


@dataclass(frozen=True)
class Column:
    """`key` is the comparison's name of the column, for the mark of the best; `about` is for newcomers.

    `shown` says whether it tells anything of these rows.
    """

    heading: str
    about: str
    show: Callable[[Row], str]
    value: Callable[[Row], Sorted]
    key: str = ""
    shown: Callable[[Sequence[Row]], bool] = lambda _: True
    justify: Literal["left", "right"] = "right"


def columns(rows: Sequence[Row]) -> list[Column]:
    """Those that tell something of these rows."""
    return [column for column in COLUMNS if column.shown(rows)]


def _text(
    heading: str,
    about: str,
    show: Callable[[Row], str],
    shown: Callable[[Sequence[Row]], bool] = lambda _: True,
) -> Column:
    return Column(heading, about, show, lambda row: _of_text(show(row)), shown=shown, justify="left")


def _of_text(shown: str) -> str | None:
    return None if shown == words.ABSENT else shown.lower()


def _several(what: Callable[[Row], object]) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: len({what(row) for row in rows}) > 1


def _metered(rows: Sequence[Row]) -> bool:
    return any(words.is_metered(row.measurement) for row in rows)


# What tells rows apart, then what decides, then the rest.
COLUMNS = (
    _text(
        "Target",
        "The board (or computer) that the model ran on.",
        lambda row: row.measurement.target,
    ),
    Column(
        "Threads",
        "How many threads the runtime was given.",
        lambda row: str(row.measurement.threads),
        lambda row: row.measurement.threads,
        shown=_several(lambda row: row.measurement.threads),
    ),
    _text(
        "Mode",
        "The board's power mode that was set for the trial.",
        lambda row: words.power_mode(row.measurement.tuning),
        shown=_several(lambda row: words.power_mode(row.measurement.tuning)),
    ),
    _text(
        "Governor",
        "What chose the processor's clock during the trial.",
        lambda row: words.governor(row.measurement.tuning),
        shown=_several(lambda row: words.governor(row.measurement.tuning)),
    ),
    Column(
        "Accuracy",
        "The recipe's metric on its evaluation data, computed from the board's own outputs; in brackets "
        "the change against the float model on the host (in points, where it is a share).",
        words.accuracy,
        lambda row: row.measurement.accuracy.value if row.measurement.accuracy else None,
        "accuracy",
    ),
    Column(
        "p50 ms",
        "Milliseconds that one call takes: half of the calls took less (the median).",
        lambda row: words.number(row.measurement.latency_ms.p50),
        lambda row: row.measurement.latency_ms.p50,
        "p50",
    ),
    Column(
        "p95 ms",
        "95 of 100 calls took less.",
        lambda row: words.number(row.measurement.latency_ms.p95),
        lambda row: row.measurement.latency_ms.p95,
        "p95",
    ),
    Column(
        "mJ/inference",
        "Millijoules that one call takes above idle, and half of the 95 % interval.",
        lambda row: words.energy(row.measurement),
        lambda row: row.measurement.energy.per_inference_mj if row.measurement.energy else None,
        "energy",
        shown=_metered,
    ),
    Column(
        "Size",
        "Bytes of the model's files on the board.",
        lambda row: words.size(row.measurement.artifact.size_bytes),
        lambda row: row.measurement.artifact.size_bytes,
        "size",
    ),
    Column(
        "Deflated",
        "The same, compressed: what an update over the air carries.",
        lambda row: words.size(row.measurement.artifact.compressed_bytes),
        lambda row: row.measurement.artifact.compressed_bytes,
        shown=lambda rows: fakewins.deflate_apart([row.measurement for row in rows]),
    ),
    Column(
        "Memory",
        "The most memory that the process had at once.",
        lambda row: words.size(row.measurement.peak_rss_bytes),
        lambda row: row.measurement.peak_rss_bytes,
        "memory",
    ),
    Column(
        "Speed",
        "How many times as fast as the run's baseline on the same board.",
        lambda row: f"{words.number(row.speedup)}×" if row.speedup else words.ABSENT,
        lambda row: row.speedup,
        shown=lambda rows: any(row.speedup for row in rows),
    ),
    Column(
        "p99 ms",
        "99 of 100 calls took less.",
        lambda row: words.number(row.measurement.latency_ms.p99),
        lambda row: row.measurement.latency_ms.p99,
    ),
    Column(
        "First ms",
        "The very first call after loading, which is often slower.",
        lambda row: words.number(row.measurement.first_inference_ms),
        lambda row: row.measurement.first_inference_ms,
        "first",
    ),
    Column(
        "Power W",
        "Mean power while the model ran, idle power included.",
        lambda row: words.power(row.measurement),
        lambda row: row.measurement.power.active_w if row.measurement.power else None,
        shown=_metered,
    ),
    _text(
        "Runtime",
        "The program that ran the model there, with its version and what took part.",
        lambda row: words.runtime(row.measurement.runtime, row.measurement.execution),
    ),
    _text(
        "Ran in",
        "What the model's convolutions and matrix products were really computed in: f32 are 32-bit floats, "
        "i8 are 8-bit integers.",
        lambda row: execution.ran(row.measurement.execution) or words.ABSENT,
        shown=lambda rows: any(row.measurement.execution for row in rows),
    ),
)
