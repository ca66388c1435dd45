"""Variants that cannot be built from a source, told before any work is done."""

from __future__ import annotations

from collections.abc import Mapping

from edgegreen.convert.tensorflow import SETTINGS
from edgegreen.errors import InputError
from edgegreen.recipe import Variant
from edgegreen.sources import SourceFormat
from edgegreen.sources.model import Kind

CALIBRATION_LINE = "data: {calibration: calibration.npz}"


def check(variants: Mapping[str, Variant], format_: SourceFormat, kind: Kind, *, calibrated: bool) -> None:
    """Raise InputError with the reason for every variant that cannot be built."""
    found = {
        name: reason
        for name, variant in variants.items()
        if (reason := _reason(variant, format_, kind, calibrated=calibrated))
    }
    if not found:
        return
    needs_data = any(variant.calibrated for name, variant in variants.items() if name in found)
    raise InputError(
        "\n".join(f"variant `{name}`: {reason}" for name, reason in found.items()),
        hint=f"add to the recipe: `{CALIBRATION_LINE}`, an npz with representative inputs as `x`"
        if needs_data and not calibrated
        else None,
    )


def _reason(variant: Variant, format_: SourceFormat, kind: Kind, *, calibrated: bool) -> str | None:
    """Why it cannot be built, None when it can."""
    precision, by_tensorflow = variant.precision, variant.quantizer == "tensorflow"
    if variant.passes and format_ != "keras":
        return f"passes work on Keras files (.keras, .h5), and this model is {format_}"
    if precision is None:
        if format_ == variant.format:
            return None
        return f"without a precision a model is shipped as it is, and this one is no {variant.format}"
    rules = {
        "the model is quantised already; leave out `precision` to ship it as it is": kind == "quantised",
        "an OpenVINO IR cannot become a .tflite": kind == "openvino" and variant.format == "tflite",
        "`quantizer: tensorflow` takes a Keras file or a SavedModel; leave it out": (
            by_tensorflow and format_ not in ("keras", "savedmodel")
        ),
        f"tensorflow's converter has no {precision}; leave out `quantizer`": (
            by_tensorflow and precision not in (*SETTINGS, "fp32")
        ),
        f"{precision} is calibrated on data, never on noise, and the recipe names none": (
            variant.calibrated and not calibrated
        ),
    }
    return next((reason for reason, broken in rules.items() if broken), None)
