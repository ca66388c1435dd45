"""Variants that cannot be built are told before any work is done."""

from __future__ import annotations

from typing import Any

import pytest

from edgegreen.convert import refusals
from edgegreen.errors import InputError
from edgegreen.recipe import Variant


def variant(format_: str = "tflite", precision: str | None = "fp32", **more: Any) -> Variant:
    return Variant(format=format_, precision=precision, **more)


@pytest.mark.parametrize(
    ("variant", "source", "kind"),
    [
        (variant(), "keras", "float"),
        (variant("openvino"), "tflite", "float"),
        (variant("openvino"), "openvino", "openvino"),
        (variant(precision=None), "tflite", "quantised"),
        (variant("openvino", None), "openvino", "openvino"),
        (variant("edgetpu", None), "tflite", "quantised"),
        (variant("edgetpu", None), "tflite", "compiled"),
        (variant(precision="dynamic", quantizer="tensorflow"), "savedmodel", "float"),
    ],
)
def test_those_that_can(variant: Variant, source: Any, kind: Any) -> None:
    refusals.check({"v": variant}, source, kind, calibrated=False)


@pytest.mark.parametrize(
    ("variant", "source", "kind", "words"),
    [
        (variant(precision=None), "keras", "float", "shipped as it is, and this one is no tflite"),
        (variant("openvino", None), "tflite", "float", "shipped as it is, and this one is no openvino"),
        (variant("edgetpu", None), "tflite", "float", "and the Edge TPU runs no floats"),
        (variant(precision=None), "tflite", "compiled", "compiled for an Edge TPU: `format: edgetpu`"),
        (variant(precision="int8"), "tflite", "quantised", "quantised already; leave out `precision`"),
        (variant(), "openvino", "openvino", "an OpenVINO IR cannot become a .tflite"),
        (variant(precision="fp16", quantizer="tensorflow"), "onnx", "float", "takes a Keras file"),
        (
            variant(precision="weight_int8", quantizer="tensorflow"),
            "keras",
            "float",
            "tensorflow's converter has no weight_int8",
        ),
        (variant(precision="int8"), "keras", "float", "int8 is calibrated on data, never on noise"),
        (variant("openvino", "int8"), "onnx", "float", "int8 is calibrated on data, never on noise"),
        (variant(precision="int16x8"), "keras", "float", "int16x8 is calibrated on data, never on noise"),
    ],
)
def test_those_that_cannot(variant: Variant, source: Any, kind: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        refusals.check({"mine": variant}, source, kind, calibrated=False)
    assert caught.value.message.startswith("variant `mine`: ")
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("kind", "why"), [("quantised", "leave out `precision`"), ("compiled", "compiled for")]
)
def test_data_are_not_asked_for_where_they_would_not_help(kind: Any, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        refusals.check({"a": variant(precision="int8")}, "tflite", kind, calibrated=False)
    assert caught.value.hint is None


def test_a_precision_is_asked_for_where_it_would_help() -> None:
    with pytest.raises(InputError, match=r"this one is no tflite; give a `precision`$"):
        refusals.check({"a": variant("edgetpu", None)}, "keras", "float", calibrated=True)
    with pytest.raises(InputError, match=r"this one is no onnx$"):
        refusals.check({"a": variant("onnx", None)}, "tflite", "quantised", calibrated=True)


def test_all_are_named_with_the_line_to_add() -> None:
    with pytest.raises(InputError) as caught:
        refusals.check(
            {"a": variant(precision="int8"), "b": variant(), "c": variant("openvino", "int8")},
            "keras",
            "float",
            calibrated=False,
        )
    assert [line[:11] for line in caught.value.message.splitlines()] == ["variant `a`", "variant `c`"]
    assert "`data: {calibration: calibration.npz}`" in str(caught.value.hint)
