"""int8 slower than fp32: said beyond both intervals only, and with the causes there is evidence for."""

from __future__ import annotations

from typing import Any

import pytest
from builders import executed, measurement

from edgegreen.config.limitkeys import Budgets
from edgegreen.judging import comparison, slowdown
from edgegreen.measurement import Execution, Measurement, OperatorTime, Profile, RuntimeUsed, Tuning

WHOLE = executed(("CONV_2D", "f32", True, 10), ("SOFTMAX", "f32", True, 2))
PARTLY = executed(
    ("CONV_2D", "i8", True, 10), ("SOFTMAX", "i8", False, 1), ("QUANTIZE", "i8", True, 1),
    ("DEQUANTIZE", "f32", True, 1),
)  # fmt: skip
OUTSIDE = executed(("CONV_2D", "i8", False, 10), ("SOFTMAX", "i8", False, 3))
IR = {"format": "openvino", "runtime": ("openvino", "2026.4.1-x", None)}


def fp32(p50: float = 1.0, of: Execution | None = WHOLE, **changes: Any) -> Measurement:
    name = changes.get("format", "tflite")
    return measurement(f"fp32-{name}", p50=p50, precision="fp32", execution=of, **changes)


def int8(p50: float = 2.0, of: Execution | None = OUTSIDE, **changes: Any) -> Measurement:
    changes = {"artifact": FILE, "precision": "int8", **changes}
    return measurement(f"int8-{changes.get('format', 'tflite')}", p50=p50, execution=of, **changes)


FILE = measurement().artifact.model_copy(update={"sha256": "18" * 32})
IR_FILE = FILE.model_copy(update={"sha256": "ee" * 32})


def said(*items: Measurement) -> str:
    """The one warning of the last row; the others have none."""
    *others, (last,) = slowdown.warnings(items)
    assert others == [()] * len(others)
    return last


def test_a_provider_that_did_not_run_the_model() -> None:
    why = "CUDA did not run the model: no kernel image"
    used = RuntimeUsed(name="onnxruntime", version="1.23.0", delegate=None, fell_back=why)
    item = measurement()
    assert slowdown.warnings([item.model_copy(update={"runtime": used}), item]) == [(why,), ()]


def test_operators_left_outside_the_delegate() -> None:
    assert said(fp32(), int8()) == (
        "slower than fp32-tflite (2 and 1 ms); likely: none of 13 operators in a delegate "
        "(fp32-tflite: 12 of 12)"
    )
    assert "12 of 13 operators in XNNPACK (left: SOFTMAX; fp32-tflite: 12 of 12)" in said(
        fp32(), int8(of=PARTLY)
    )


def test_the_fp32_with_the_same_passes_comes_first_and_one_with_others_never() -> None:
    thin, plain = ("prune_filters (share 0.8)",), fp32(1.0)
    lean = fp32(0.5, passes=thin)
    assert slowdown.warnings([lean, plain, int8(0.8, WHOLE)]) == [(), (), ()]  # slower than another model
    assert "(2 and 1 ms)" in said(lean, plain, int8())
    assert "(0.8 and 0.5 ms)" in said(plain, lean, int8(0.8, WHOLE, passes=thin))
    assert "(2 and 1 ms)" in said(plain, int8(passes=thin))


def test_only_beyond_both_intervals() -> None:
    # The builder's intervals reach 1 % to either side.
    assert slowdown.warnings([fp32(1.0), int8(1.019, WHOLE)]) == [(), ()]
    assert "slower" in said(fp32(1.0), int8(1.021, WHOLE))
    assert slowdown.warnings([fp32(1.0), int8(0.5, WHOLE)]) == [(), ()]


@pytest.mark.parametrize(
    "other",
    [
        {"threads": 4}, {"target": "pi4"}, {"format": "openvino"},
        {"runtime": ("tflite-runtime", "2.14.0", None)}, {"tuning": Tuning(governor="performance")},
    ],
    ids=str,
)  # fmt: skip
def test_only_against_fp32_of_the_same_place(other: dict[str, Any]) -> None:
    assert slowdown.warnings([fp32(**other), int8()]) == [(), ()]


def test_under_each_setting_against_fp32_of_the_same() -> None:
    lean, fast = ({"tuning": Tuning(governor=name)} for name in ("powersave", "performance"))
    rows = [fp32(1, **fast), fp32(3, **lean), int8(0.5, WHOLE, **fast), int8(1.5, WHOLE, **lean)]
    assert slowdown.warnings(rows) == [()] * 4
    assert "(4 and 3 ms)" in said(*rows[:3], int8(4, WHOLE, **lean))


@pytest.mark.parametrize("doubtful", ["fp32", "int8"])
def test_a_reading_not_to_be_trusted_is_no_evidence(doubtful: str) -> None:
    doubt = {"verdict": "invalid", "reasons": ("a busy board",)}
    float_, small = (doubt if doubtful == name else {} for name in ("fp32", "int8"))
    assert slowdown.warnings([fp32(**float_), int8(of=WHOLE, **small)]) == [(), ()]


def test_precisions_that_promise_no_speed_get_no_warning() -> None:
    assert slowdown.warnings([fp32(), measurement("fp16-tflite", p50=2, precision="fp16")]) == [(), ()]


def test_no_cause_is_made_up() -> None:
    assert said(fp32(of=None), int8(of=None)) == (
        "slower than fp32-tflite (2 and 1 ms); nothing the runtime tells explains it"
    )


def test_operators_that_ran_in_floats() -> None:
    mixed = executed(("Convolution", "i8", None, 3), ("Convolution", "f32", None, 7))
    floats = executed(("Convolution", "f32", None, 10))
    assert "likely: of 10 convolutions and matrix products 7 in f32" in said(
        fp32(of=floats, **IR), int8(of=mixed, **IR)
    )
    # And when it is fast enough, that is worth a word of its own.
    assert said(fp32(of=floats, **IR), int8(0.5, of=mixed, **IR)) == (
        "of 10 convolutions and matrix products 7 in f32"
    )


TRT = {"format": "onnx", "runtime": ("tensorrt", "8.2.1", None)}


def test_halves_in_tensorrt_are_held_to_what_they_promise() -> None:
    """As int8 is; elsewhere fp16 promises a smaller file."""
    floats = executed(("CONVOLUTION", "f32", None, 10))
    mixed = executed(("CONVOLUTION", "f32", None, 7), ("CONVOLUTION", "f16", None, 3))
    board = {"board": {"machine": "aarch64", "cpu_features": []}}  # its processor has no part in it

    def fp16(p50: float) -> Measurement:
        return measurement("fp16", p50=p50, precision="fp16", execution=mixed, conditions=board, **TRT)

    assert said(fp32(of=floats, **TRT), fp16(0.5)) == "of 10 convolutions and matrix products 7 in f32"
    assert said(fp32(of=floats, **TRT), fp16(2)) == (
        "slower than fp32-onnx (2 and 1 ms); likely: of 10 convolutions and matrix products 7 in f32"
    )


def test_an_fp32_that_is_not_f32() -> None:
    half = executed(("Convolution", "bf16", None, 10))
    whole = executed(("Convolution", "i8", None, 10))
    words = said(fp32(of=half, **IR), int8(of=whole, **IR))
    assert words.endswith("likely: fp32-openvino is computed in bf16 on this processor")


def test_conversions() -> None:
    assert said(fp32(), int8(of=PARTLY)).endswith("; 2 operators convert between floats and 8 bits")
    dynamic = executed(("CONV_2D", "dynamic", True, 12))
    assert said(fp32(), int8(of=dynamic, precision="dynamic")).endswith(
        "likely: 12 convolutions and matrix products quantise their input in each call"
    )


@pytest.mark.parametrize(
    ("machine", "features", "blamed"),
    [
        ("aarch64", ["asimd"], True), ("aarch64", ["asimd", "asimddp"], False), ("aarch64", None, False),
        ("x86_64", ["avx2"], True), ("x86_64", ["avx512_vnni"], False),
        ("armv7l", [], False),  # nobody knows whether the kernel would say
    ],
)  # fmt: skip
def test_the_processor(machine: str, features: list[str] | None, blamed: bool) -> None:
    board = {"board": {"machine": machine, "cpu_features": features}}
    words = said(fp32(of=None, conditions=board), int8(of=None, conditions=board))
    assert ("the processor has no int8 dot product" in words) == blamed


def test_a_small_model() -> None:
    small = said(fp32(0.04, None), int8(0.05, None))
    assert small.endswith("likely: a model of 0.04 ms leaves little to win")
    assert "little to win" not in said(fp32(0.04, None), int8(4.0, None))


OLD = {"target": "old", "runtime": ("tflite-runtime", "2.14.0", None)}


class TestRuntime:
    """The runtime is the cause when the same model does better in another one on the same machine."""

    def on(self, hostname: str) -> dict[str, Any]:
        return {"conditions": {"board": {"hostname": hostname, "machine": "aarch64"}}}

    def test_the_same_file_in_another_runtime(self) -> None:
        here = self.on("pi5")
        words = said(
            fp32(1.0, **here), int8(0.5, WHOLE, **here), fp32(1.1, **OLD, **here), int8(9, **OLD, **here)
        )
        assert (
            "likely: the runtime, as the same file and fp32 take 0.5 and 1 ms in litert 2.3.0; none of"
            in words
        )

    def test_the_same_file_a_little_slower_there_and_very_much_here(self) -> None:
        here = self.on("pi5")
        rows = [fp32(1.0, **here), int8(1.2, **here), fp32(1.1, **OLD, **here), int8(9, **OLD, **here)]
        *_, other, _, last = slowdown.warnings(rows)
        assert "the runtime" in last[0]
        assert "the runtime" not in other[0]

    def test_another_machine_is_no_evidence(self) -> None:
        rows = [fp32(1.0, **self.on("pi5")), int8(0.5, WHOLE, **self.on("pi5"))]
        old = [fp32(1.1, **OLD, **self.on("pi3")), int8(9, **OLD, **self.on("pi3"))]
        assert "the runtime" not in said(*rows, *old)

    def test_another_format_of_the_same_model(self) -> None:
        words = said(fp32(2, None, **IR), int8(1, None, artifact=IR_FILE, **IR), fp32(), int8())
        assert "the runtime, as int8-openvino is faster than fp32 in openvino 2026.4.1 (1 and 2 ms)" in words


def profile(**ms: float) -> Profile:
    operators = [
        OperatorTime(name=n, type="Convolution", precision="i8", ms=t, share=0.1) for n, t in ms.items()
    ]
    return Profile(runs=10, call_ms=3, operators_ms=2, operators=tuple(operators))


def test_one_operator_that_takes_the_difference() -> None:
    before, after = profile(first=0.2, second=0.3), profile(first=1.0, second=0.3)
    words = said(fp32(of=None, profile=before), int8(of=None, profile=after))
    assert words.endswith("likely: first (Convolution) takes 1.000 ms instead of 0.200")
    even = profile(first=0.5, second=0.6)
    assert "instead" not in said(fp32(of=None, profile=before), int8(of=None, profile=even))


def test_a_row_of_the_comparison_has_its_warnings() -> None:
    rows = comparison.rows([fp32(), int8(0.5, PARTLY)], "fp32-tflite", Budgets())
    assert [row.warnings for row in rows] == [(), ("12 of 13 operators in XNNPACK; left: SOFTMAX",)]
