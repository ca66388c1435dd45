"""The tables of `--profile`: every millisecond of the profiled call stands somewhere."""

from __future__ import annotations

import io
import re

from builders import executed, measurement
from rich.console import Console

from edgegreen.measurement import Measurement, OperatorTime, Profile
from edgegreen.report import profile


def shown(*items: Measurement) -> list[str]:
    out = io.StringIO()
    profile.show(items, Console(file=out, width=120, highlight=False, markup=False, emoji=False))
    return [re.sub(r"\s{2,}", " | ", line.strip()) for line in out.getvalue().splitlines()]


def times(count: int) -> Profile:
    operators = tuple(
        OperatorTime(name=f"[b]conv{number}", type="Convolution", precision="i8", ms=0.05, share=0.05)
        for number in range(count)
    )
    return Profile(runs=12345, call_ms=1.0, operators_ms=0.05 * count, operators=operators)


OPENVINO = ("openvino", "2026.4.1-x", None)
ABOVE = (
    "pi5 · int8-openvino | openvino 2026.4.1: 12,345 calls of 1.00 ms with the profiler on, 0.800 ms without"
)


def test_times() -> None:
    lines = shown(measurement("int8-openvino", p50=0.8, runtime=OPENVINO, profile=times(12)))
    assert lines[:3] == [
        ABOVE,
        "Operator | Type | Precision | ms | Share",
        "[b]conv0 | Convolution | i8 | 0.050 | 5 %",
    ]
    assert lines[12:] == [
        "other operators | 0.100 | 10 %",
        "between operators, and theirs below 1 µs | 0.400 | 40 %",
        "",
    ]


def test_what_runs_where_when_nothing_was_timed() -> None:
    kinds = executed(("CONV_2D", "i8", True, 5), ("SOFTMAX", None, False, 1))
    assert shown(measurement(execution=kinds), measurement(threads=4, execution=kinds))[5:] == [
        "pi5 · int8-tflite, 4 threads | litert 2.3.0 + XNNPACK: 6 operators, not timed",
        "Type | Precision | Run by | Count",
        "CONV_2D | i8 | XNNPACK | 5",
        "SOFTMAX | – | litert | 1",
        "",
        "– litert 2.3.0 does not tell how long single operators take",
    ]


def test_a_runtime_that_tells_nothing() -> None:
    assert shown(measurement()) == ["– litert 2.3.0 does not tell how long single operators take"]
