"""Keras and SavedModel → a float .tflite, and the model's own outputs on the check samples.

These jobs run in the TensorFlow worker only; nothing else in edgegreen imports tensorflow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgegreen.artifact import TensorSpec
from edgegreen.errors import ConversionError, InputError
from edgegreen.sources import host, shapes, tflite, tflitefile
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import FLOAT_FLOOR_DB, compare, refuse_if_broken
from edgegreen.sources.model import KERAS_ONLY, ModelFile, ModelSummary, Port, Source
from edgegreen.sources.opened import Opened
from edgegreen.sources.request import Request
from edgegreen.sources.samples import CheckSamples
from edgegreen.workers.report import Report

HUB, SAVED_MODEL, CHECK = "float.tflite", "saved_model", "check"


def load(report: Report, request: Request, folder: Path) -> Source:
    """Load the model, write the float .tflite and the outputs on the check samples into `folder`."""
    report("loading")
    opened = _open(request)
    inputs = shapes.static(opened.inputs, request.input_shape, request.sample_shapes)
    request.check_data(inputs)
    report("converting")
    names = _freeze(opened, inputs, folder / SAVED_MODEL)
    hub = _convert(names, folder)
    report("checking")
    check = request.check_samples
    n = stored.write(folder / CHECK, _outputs(opened, inputs, check))
    found = compare(stored.rows(folder / CHECK), host.outputs(hub, check.rows(inputs), request.threads))
    refuse_if_broken(found, FLOAT_FLOOR_DB, check.words(n))
    return Source(
        inputs, stored.specs(folder / CHECK, opened.outputs), hub,
        quantised=False, as_shipped=False, check=folder / CHECK,
        checked_on=check.words(n), saved_model=folder / SAVED_MODEL,
    )  # fmt: skip


def summarise(report: Report, request: Request, folder: Path) -> ModelSummary:
    """What the model is: parameters as it has them, operators as its float .tflite has them.

    Dynamic extents but the batch stay as they are.
    """
    report("loading")
    opened = _open(request)
    loose = tuple(
        replace(port, dims=None if port.dims is None else (1, *port.dims[1:])) if port.dims else port
        for port in opened.inputs
    )
    report("converting")
    names = _freeze(opened, loose, folder / SAVED_MODEL)
    hub = _convert(names, folder)
    model = tflitefile.read(hub.files[0])
    _, ports = tflitefile.ports(model)
    ordered = [ports[index] for index in hub.output_order]
    return ModelSummary(
        kind="SavedModel" if request.format == "savedmodel" else "Keras model",
        inputs=tuple(TensorSpec(p.name, shapes.loose(p.dims), p.dtype) for p in opened.inputs),
        outputs=tuple(
            TensorSpec(name, shapes.loose(port.dims), port.dtype)
            for name, port in zip(opened.outputs, ordered, strict=True)
        ),
        ops=tflitefile.ops(model),
        parameters=sum(math.prod(variable.shape) for variable in opened.variables),
        size_bytes=request.size_bytes,
        costs=tflite.costs_of(
            hub.files[0], model, "the float .tflite made of it",
            None if request.format == "keras" else KERAS_ONLY,
        ),
    )  # fmt: skip


def _open(request: Request) -> Opened:
    from edgegreen.sources import keras, savedmodel

    if request.format == "savedmodel":
        opened = savedmodel.open_model(request.path, request.signature)
    else:
        opened = keras.open_model(request.path)
    for port in opened.inputs:
        if port.dtype in ("string", "resource", "variant"):
            raise InputError(
                f"{request.path}: input `{port.name}` is of type {port.dtype}; boards take numbers"
            )
    return opened


def _freeze(opened: Opened, inputs: Sequence[TensorSpec | Port], folder: Path) -> tuple[list[str], list[str]]:
    """Save the model with these shapes and one signature; the signature's names of inputs and outputs.

    A SavedModel of nothing but the one function converts several times faster than the user's own, and
    its variables are found whatever kind of object held them.
    """
    import tensorflow as tf

    arguments = _identifiers([one.name for one in inputs])
    results = [f"output_{number}" for number in range(len(opened.outputs))]

    def serve(*values: Any) -> dict[str, Any]:
        return dict(zip(results, opened.call(list(values)), strict=True))

    specs = [
        tf.TensorSpec(one.dims if isinstance(one, Port) else one.shape, one.dtype, name=name)
        for one, name in zip(inputs, arguments, strict=True)
    ]
    module = tf.Module()
    module.kept = opened.variables
    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    function = module.serve.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={tflitefile.SIGNATURE: function})
    return arguments, results


def _convert(names: tuple[list[str], list[str]], folder: Path) -> ModelFile:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / SAVED_MODEL))
    path = folder / HUB
    path.write_bytes(convert(converter))
    return tflitefile.model_file(path, *names, f"tensorflow {tf.__version__}")


def convert(converter: Any) -> bytes:
    """Run a TFLiteConverter; raises ConversionError that names the operators TFLite does not have."""
    try:
        return bytes(converter.convert())
    except Exception as error:
        found = re.search(r"(?:TF Select|Flex|Custom) ops?: ([^\n]+)", str(error))
        if found is None:
            raise
        raise ConversionError(
            f"TFLite has no operator for {found[1].strip()}",
            hint="replace it in the model by operators that TFLite has, or build OpenVINO variants only",
        ) from error


def _outputs(opened: Opened, inputs: Sequence[TensorSpec], check: CheckSamples) -> Iterator[stored.Row]:
    """The model's own outputs, run by TensorFlow itself on the loaded model, not on what was made of it."""
    import numpy as np
    import tensorflow as tf

    for row in check.rows(inputs):
        values = [
            tf.constant(value.astype(spec.dtype, copy=False).reshape(spec.shape))
            for value, spec in zip(row, inputs, strict=True)
        ]
        found = [np.asarray(value) for value in opened.call(values)]
        yield [value.astype(np.float32) if value.dtype.kind in "fV" else value for value in found]


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names that may stand in a signature, all different."""
    found: list[str] = []
    for number, name in enumerate(names):
        plain = re.sub(r"\W", "_", name)
        plain = plain if re.match(r"[A-Za-z]", plain) else f"x{number}_{plain}"
        found.append(plain if plain not in found else f"{plain}_{number}")
    return found
