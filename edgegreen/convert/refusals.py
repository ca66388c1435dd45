"""Variants that cannot be built from a source, told before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgegreen.config.passes import Pass
from edgegreen.convert.tensorflow import SETTINGS
from edgegreen.errors import InputError
from edgegreen.formats import Format, file_of
from edgegreen.recipe import Variant
from edgegreen.sources import SourceFormat, onnxhub
from edgegreen.sources.model import Kind

CALIBRATION_LINE = "data: {calibration: calibration.npz}"
WITHOUT_PASSES = (
    "for a float model of any kind NNCF has `format: openvino` with `precision: int8` or `weight_int8`, and "
    "`accuracy_drop_max`"
)
NOT_CALIBRATED = "is calibrated on data, never on noise, and the recipe names none"
TRAINING_LINE = "data: {training: training.npz}"


def check(
    variants: Mapping[str, Variant],
    format_: SourceFormat,
    kind: Kind,
    *,
    calibrated: bool,
    trained: bool = True,
) -> None:
    """Raise InputError with the reason for every variant that cannot be built.

    `calibrated` and `trained`: whether the recipe names data to calibrate and to train on.
    """
    found = {
        name: reason
        for name, variant in variants.items()
        if (
            reason := _passes(variant.passes, format_, trained=trained)
            or _reason(variant, format_, kind, calibrated=calibrated)
        )
    }
    if not found:
        return
    needs_training = any(one.trains for name in found for one in variants[name].passes) and not trained
    needs_data = any(reason.endswith(NOT_CALIBRATED) for reason in found.values())
    raise InputError(
        "\n".join(f"variant `{name}`: {reason}" for name, reason in found.items()),
        hint=f"add to the recipe: `{CALIBRATION_LINE}`, an npz with representative inputs as `x`"
        if needs_data
        else f"add to the recipe: `{TRAINING_LINE}`, an npz with `x` and `y`, apart from the evaluation data"
        if needs_training
        else WITHOUT_PASSES
        if format_ != "keras" and any(variants[name].passes for name in found)
        else None,
    )


def _passes(passes: Sequence[Pass], format_: SourceFormat, *, trained: bool) -> str | None:
    """Why these passes cannot be done, None when they can."""
    if passes and format_ != "keras":
        return f"passes work on Keras files (.keras, .h5), and this model is {format_}"
    for number, step in enumerate(passes):
        if step.trains and not trained:
            return f"pass `{step.name}` trains, and the recipe names no `data.training`"
        if step.distill and step.distill.student and number:
            return (
                "`distill` with a `student` begins with that file, and loses what the passes before it made"
            )
        if step.distill and not (step.distill.student or step.distill.teacher or number):
            return "`distill` would teach the model by itself; name a `student`, or put it after other passes"
    return None


def _reason(variant: Variant, format_: SourceFormat, kind: Kind, *, calibrated: bool) -> str | None:
    """Why it cannot be built, None when it can."""
    precision, by_tensorflow = variant.precision, variant.quantizer == "tensorflow"
    if file_of(variant.format) == "onnx" and (lacking := onnxhub.lacks()):
        return f"ONNX variants take {', '.join(lacking)}, not installed here: {onnxhub.INSTALL}"
    if precision is None:
        return _as_shipped(variant.format, format_, kind)
    rules = {
        "the model is compiled for an Edge TPU already; leave out `precision`": kind == "compiled",
        "the model is quantised already; leave out `precision` to ship it as it is": kind == "quantised",
        f"an OpenVINO IR cannot become a .{file_of(variant.format)}": (
            kind == "openvino" and variant.format != "openvino"
        ),
        "`quantizer: tensorflow` takes a Keras file or a SavedModel; leave it out": (
            by_tensorflow and format_ not in ("keras", "savedmodel")
        ),
        f"tensorflow's converter has no {precision}; leave out `quantizer`": (
            by_tensorflow and precision not in SETTINGS
        ),
        f"{precision} {NOT_CALIBRATED}": (variant.calibrated and not calibrated),
    }
    return next((reason for reason, broken in rules.items() if broken), None)


def _as_shipped(wanted: Format, format_: SourceFormat, kind: Kind) -> str | None:
    """Why it cannot be shipped as it is, None when it can."""
    if kind == "compiled" and wanted != "edgetpu":
        return "the model is compiled for an Edge TPU: `format: edgetpu`"
    if format_ != file_of(wanted):
        way = "; give a `precision`" if kind == "float" else ""
        return f"without a precision a model is shipped as it is, and this one is no {file_of(wanted)}{way}"
    if kind == "float" and wanted == "edgetpu":
        return "without a precision a model is shipped as it is, and the Edge TPU runs no floats: give `int8`"
    return None
