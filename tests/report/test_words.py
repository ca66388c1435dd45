"""Units, digits and signs."""

from __future__ import annotations

import math
import re

import pytest
from builders import accuracy, executed, measurement, metered
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.config.limitkeys import Budgets
from edgegreen.judging import comparison
from edgegreen.judging.choice import Choice
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Accuracy, Energy, RuntimeUsed
from edgegreen.report import words

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_energy_has_as_many_digits_as_are_known() -> None:
    def shown(value: float, half: float) -> str:
        energy = Energy(per_inference_mj=value, gross_mj=9.9, ci95_mj=(value - half, value + half))
        return words.energy(measurement(energy=energy))

    assert shown(4.2134, 0.1316) == "4.21 ± 0.13"
    assert shown(0.097470, 0.013555) == "0.097 ± 0.014"
    assert shown(4213.4, 131.6) == "4,213 ± 132"
    assert shown(42.134, 9.96) == "42 ± 10"
    assert shown(0.000123, 0.0000042) == "0.0001230 ± 0.0000042"
    assert shown(-0.5, 1.25) == "−0.5 ± 1.2"
    assert shown(-0.004, 1.25) == "0.0 ± 1.2"
    assert shown(4.2134, 0.0) == "4.21"
    assert words.energy(measurement()) == words.ABSENT


@given(FINITE)
def test_a_number_has_three_digits_and_no_exponent(value: float) -> None:
    shown = words.number(value).replace("−", "-", 1)
    assert re.fullmatch(r"-?\d+(\.\d+)?" if value == 0 or abs(value) >= 1e-6 else r"-?\d\.\d\de-\d+", shown)
    assert float(shown) == pytest.approx(value, rel=0.00501, abs=0)
    digits = shown.partition("e")[0].lstrip("-").replace(".", "").lstrip("0")
    if 0 < abs(value) < 999.5:
        assert len(digits) == 3
    else:
        assert "." not in shown


@given(st.integers(0, 10**16))
def test_a_size_has_three_digits_and_a_unit(size_bytes: int) -> None:
    figure, unit = words.size(size_bytes).split(" ")
    assert unit in ("B", "kB", "MB", "GB")
    assert float(figure) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit] == pytest.approx(
        size_bytes, rel=0.00501
    )
    assert float(figure) < 1000 or unit == "GB"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0, "0"), (0.0646, "0.0646"), (0.000123456, "0.000123"), (1.2345, "1.23"), (9.996, "10.0"),
     (12.345, "12.3"), (99.96, "100"), (123.4, "123"), (999.7, "1000"), (12345.6, "12346"), (-1.5, "−1.50"),
     (None, "–"), (math.nan, "–"), (math.inf, "–")],
)  # fmt: skip
def test_numbers(value: float | None, shown: str) -> None:
    assert words.number(value) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [(0, "0 B"), (999, "999 B"), (53_168, "53.2 kB"), (999_499, "999 kB"), (999_600, "1.00 MB"),
     (1_200_000, "1.20 MB"), (3_210_000_000, "3.21 GB"), (None, "–")],
)  # fmt: skip
def test_sizes(size_bytes: int | None, shown: str) -> None:
    assert words.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("measured", "shown"),
    [
        (accuracy(0.913, 0.917), "91.3 % (−0.4)"),
        (accuracy(0.917, 0.913), "91.7 % (+0.4)"),
        (accuracy(0.913, 0.9131), "91.3 % (±0.0)"),
        (accuracy(0.913, None), "91.3 %"),
        (accuracy(0.0, 0.913), "0.0 % (−91.3)"),
        (accuracy(0.85, 0.9, "auc"), "85.0 % (−5.0)"),
        (accuracy(0.1234, 0.1, "mse"), "0.123 (+0.0234)"),
        (accuracy(0.1234, 0.1234, "mse"), "0.123 (±0)"),
        (accuracy(40.5, 41.0, "mean_iou"), "40.5 (−0.500)"),
        (None, "–"),
    ],
)
def test_accuracy(measured: Accuracy | None, shown: str) -> None:
    (row,) = comparison.rows([measurement(accuracy=measured)], "x", Budgets())
    assert words.accuracy(row) == shown


def test_a_runtime_is_named_without_its_builds_suffix() -> None:
    assert (
        words.runtime(RuntimeUsed(name="litert", version="2.3.0", delegate="XNNPACK"))
        == "litert 2.3.0 + XNNPACK"
    )
    used = RuntimeUsed(name="openvino", version="2026.4.1-21345-abcdef", delegate=None)
    assert words.runtime(used) == "openvino 2026.4.1"


def test_a_precision_of_floats_is_shown_where_floats_are_computed_in_it() -> None:
    used = RuntimeUsed(name="openvino", version="2026.4.1", delegate="bf16")
    integers = executed(("Convolution", "i8", None, 5), ("Softmax", "bf16", None, 1))
    mixed = executed(("Convolution", "i8", None, 5), ("MatMul", "bf16", None, 1))
    assert words.runtime(used, integers) == "openvino 2026.4.1"
    on_gpu = used.model_copy(update={"delegate": "GPU bf16"})
    assert words.runtime(on_gpu, mixed) == words.runtime(on_gpu) == "openvino 2026.4.1 + GPU bf16"
    assert words.runtime(on_gpu, integers) == "openvino 2026.4.1 + GPU"
    assert words.runtime(used, mixed) == words.runtime(used) == "openvino 2026.4.1 + bf16"
    used = RuntimeUsed(name="litert", version="2.3.0", delegate="XNNPACK")
    assert words.runtime(used, integers) == "litert 2.3.0 + XNNPACK"


def test_an_estimate_has_no_more_digits_than_it_is_worth() -> None:
    assert words.estimate(818460, 675061, 1039214) == "818,000 (675,000…1,040,000)"
    assert words.estimate(818460, 818360, 818560) == "818,460 ± 100"
    assert words.estimate(6.56, 3.864, 22.1) == "6.56 (3.86…22.1)"
    assert words.estimate(-2.0, -8.0, -1.5) == "−2.00 (−8.00…−1.50)"


def test_of_many_rows_like_the_best_three_are_named() -> None:
    def row(name: str, mj: float) -> Row:
        (made,) = comparison.rows([metered(name, mj=mj, half=5)], None, Budgets())
        return made

    best, *alike = rows = [row(f"v{n}", 4 + n / 10) for n in range(8)]
    text = words.choice(Choice(best, tuple(alike), 0, 0, 0), Budgets(), rows)
    assert text.endswith("v1 (4.1 ± 5.0 mJ); v2 (4.2 ± 5.0 mJ); v3 (4.3 ± 5.0 mJ); and 4 more")
    text = words.choice(Choice(best, tuple(alike[:3]), 0, 0, 0), Budgets(), rows)
    assert text.endswith("v2 (4.2 ± 5.0 mJ); v3 (4.3 ± 5.0 mJ)")


def test_a_board_in_a_line_of_what_is_known_of_it() -> None:
    board = {"machine": "aarch64", "cpu_count": 4, "python": "3.11.2", "libc": None}
    assert words.board({"board": board}) == "aarch64 · 4 cores · Python 3.11.2"
    assert words.board({}) == ""
    assert words.board({"board": None}) == ""


class TestTrial:
    """A name says as much as it takes to tell rows apart."""

    def names(self, *items: object) -> list[str]:
        rows = comparison.rows(items, "a", Budgets())  # type: ignore[arg-type]
        return [words.trial(row.measurement, rows) for row in rows]

    def test_the_variant_alone(self) -> None:
        assert self.names(measurement("a"), measurement("b", threads=4)) == ["a", "b"]

    def test_threads_and_runtimes_where_they_differ(self) -> None:
        tfr = ("tflite-runtime", "2.14.0", None)
        assert self.names(measurement("a"), measurement("a", threads=4)) == ["a, 1 thread", "a, 4 threads"]
        assert self.names(measurement("a"), measurement("a", runtime=tfr)) == [
            "a, litert",
            "a, tflite-runtime",
        ]

    def test_the_same_on_another_target_is_no_twin(self) -> None:
        assert self.names(measurement("a"), measurement("a", threads=4, target="x86")) == ["a", "a"]
