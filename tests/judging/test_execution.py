"""What a runtime told of its work, in words."""

from __future__ import annotations

import pytest
from builders import executed, measurement

from edgegreen.judging import execution
from edgegreen.measurement import Execution

KWS = executed(
    ("CONV_2D", "i8", True, 5), ("CONV_DEPTHWISE", "i8", True, 4), ("QUANTIZE", "i8", True, 1),
    ("AVERAGE_POOL_2D", "i8", False, 1), ("SOFTMAX", "i8", False, 2), ("DEQUANTIZE", "f32", True, 1),
)  # fmt: skip
REVERTED = executed(
    ("Convolution", "i8", None, 4), ("Convolution", "f32", None, 7), ("Softmax", "f32", None, 1)
)
FLOAT = executed(("Convolution", "f32", None, 5), ("MatMul", "bf16", None, 1), ("Softmax", "f32", None, 1))
NOTHING_TO_MULTIPLY = executed(("Softmax", "f32", None, 1))


def test_operators_are_counted() -> None:
    assert (KWS.operators, KWS.delegated, KWS.compute, KWS.conversions) == (14, 11, {"i8": 9}, 2)
    assert (REVERTED.operators, REVERTED.delegated, REVERTED.compute) == (12, None, {"f32": 7, "i8": 4})


def test_a_precision_the_runtime_does_not_tell_is_unknown_and_not_missing() -> None:
    assert executed(("CONV_2D", None, False, 2)).compute == {"unknown": 2}


@pytest.mark.parametrize(
    ("of", "words"),
    [(KWS, "i8"), (REVERTED, "f32 7, i8 4"), (NOTHING_TO_MULTIPLY, None), (None, None)],
)
def test_what_the_products_ran_in(of: Execution | None, words: str | None) -> None:
    assert execution.ran(of) == words


def test_where_the_operators_ran() -> None:
    assert execution.placed(measurement(execution=KWS)) == (
        "11 of 14 operators in XNNPACK; left: SOFTMAX ×2, AVERAGE_POOL_2D"
    )
    none = executed(("CONV_2D", "i8", False, 9))
    assert execution.placed(measurement(execution=none)) == "none of 9 operators in a delegate"
    whole = executed(("CONV_2D", "i8", True, 9))
    assert execution.placed(measurement(execution=whole)) == "9 of 9 operators in XNNPACK"
    assert execution.placed(measurement(execution=REVERTED)) is None
    assert execution.placed(measurement()) is None


def test_many_kinds_left_are_not_all_named() -> None:
    left = executed(("CONV_2D", "i8", True, 1), *((f"OP{number}", "i8", False, 1) for number in range(6)))
    assert execution.left(left) == "OP0, OP1, OP2, OP3 and 2 more kinds"


def test_int8_that_ran_in_floats_is_a_reason_against_the_row() -> None:
    assert execution.reasons("int8", "openvino", FLOAT) == (
        "asked for int8, ran in f32 5, bf16 1: none of 6 convolutions and matrix products in i8",
    )


def test_fp16_that_ran_in_floats_is_one_where_halves_are_promised() -> None:
    floats = executed(("CONVOLUTION", "f32", None, 5), ("Reformat", "f16", None, 1))
    assert execution.reasons("fp16", "tensorrt", floats) == (
        "asked for fp16, ran in f32: none of 5 convolutions and matrix products in f16",
    )
    some = executed(("CONVOLUTION", "f32", None, 5), ("CONVOLUTION", "f16", None, 1))
    untold = executed(("CONVOLUTION", "f32", None, 5), ("conv", None, None, 1))
    for fine in (some, untold, None):
        assert execution.reasons("fp16", "tensorrt", fine) == ()
    assert execution.reasons("fp32", "tensorrt", floats) == ()


@pytest.mark.parametrize(
    ("precision", "of"),
    [
        ("int8", KWS),
        ("int8", REVERTED),  # accuracy control reverts some; a warning says which
        ("int8", None),
        ("int8", NOTHING_TO_MULTIPLY),
        (
            "int8",
            executed(("CONV engine", None, True, 1), ("CONV", "f32", True, 2)),
        ),  # TensorRT does not tell
        ("fp16", FLOAT),  # weights of half the size, computed in floats: as wanted
        (None, FLOAT),
    ],
)
def test_anything_else_is_none(precision: str | None, of: Execution | None) -> None:
    assert execution.reasons(precision, "openvino", of) == ()
