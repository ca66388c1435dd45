"""Float .onnx → ONNX variants: fp32 as it is, int8 by ONNX Runtime's quantiser. Runs in a worker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgegreen.agent.runtimes.tensors import encode
from edgegreen.convert import halves, qdq
from edgegreen.convert.model import Job
from edgegreen.formats import FORMATS
from edgegreen.sources import host
from edgegreen.sources.model import ModelFile
from edgegreen.workers.report import Report

SYMMETRIC = "onnxruntime-symmetric"


def convert(report: Report, job: Job, folder: Path) -> ModelFile:
    """Write the variant into `folder`."""
    report("converting")
    path = folder / "model.onnx"
    if job.precision == "fp32":
        shutil.copyfile(job.hub.files[0], path)
        return _model_file(job, path, job.hub.built_by or "its author")
    if job.precision == "fp16":
        halves.halve(job.hub.files[0], path)
        return _model_file(job, path, job.built_by(f"onnxruntime {version('onnxruntime')}"))
    quantizer = job.variant.quantizer or FORMATS[job.variant.format].quantizers[0]
    qdq.quantise(job.hub.files[0], feeds(report, job), path, symmetric=quantizer == SYMMETRIC)
    return _model_file(job, path, job.built_by(f"onnxruntime {version('onnxruntime')}"))


def feeds(report: Report, job: Job) -> Iterator[dict[str, Any]]:
    """The calibration samples by the hub's names of its inputs."""
    tensors = host.load(job.hub, 1).inputs
    for number, row in enumerate(job.request.calibration_rows()):
        yield {
            name: encode(tensor, value)
            for name, tensor, value in zip(job.hub.inputs, tensors, row, strict=True)
        }
        report("converting", number / job.request.calibration_n)


def _model_file(job: Job, path: Path, built_by: str) -> ModelFile:
    hub = job.hub
    return ModelFile("onnx", (path,), hub.inputs, hub.outputs, hub.input_order, hub.output_order, built_by)
