"""A .tflite of the user's → one with static shapes and a signature, and its outputs on the check samples.

The job runs in a worker.
"""

from __future__ import annotations

from pathlib import Path

from edgegreen.artifact import TensorSpec
from edgegreen.sources import host, shapes, tflitefile
from edgegreen.sources import outputs as stored
from edgegreen.sources.model import ModelSummary, Source
from edgegreen.sources.request import Request
from edgegreen.workers import Report

HUB, CHECK = "float.tflite", "check"


def load(report: Report, request: Request, folder: Path) -> Source:
    """Read the file, fix its shapes, and keep it with its outputs on the check samples in `folder`."""
    report("loading")
    model = tflitefile.read(request.path)
    ports, results = tflitefile.ports(model)
    inputs = shapes.static(ports, request.input_shape, request.sample_shapes)
    request.check_data(inputs)
    reshaped = tflitefile.fix_shapes(model, inputs)
    tflitefile.sign(model)
    tflitefile.write(model, folder / HUB)
    hub = tflitefile.model_file(folder / HUB, *tflitefile.signature_names(model), "")
    report("checking")
    check = request.check_samples
    n = stored.write(folder / CHECK, host.outputs(hub, check.rows(inputs), request.threads))
    _, first = next(stored.batches(folder / CHECK))
    outputs = tuple(
        TensorSpec(port.name, (1, *array.shape[1:]), port.dtype)
        for port, array in zip(results, first, strict=True)
    )
    return Source(
        inputs, outputs, hub, quantised=tflitefile.is_quantised(model), as_shipped=not reshaped,
        check=folder / CHECK, checked_on=check.words(n), saved_model=None,
    )  # fmt: skip


def summarise(path: Path, called: str, size_bytes: int) -> ModelSummary:
    """What the file is."""
    model = tflitefile.read(path)
    inputs, outputs = (
        tuple(TensorSpec(port.name, shapes.loose(port.dims), port.dtype) for port in ports)
        for ports in tflitefile.ports(model)
    )
    return ModelSummary(
        kind=called,
        inputs=inputs,
        outputs=outputs,
        ops=tflitefile.ops(model),
        parameters=tflitefile.parameters(model),
        size_bytes=size_bytes,
    )
