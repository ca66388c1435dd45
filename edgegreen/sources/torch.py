"""torch.export programs (.pt2) → ONNX and a float .tflite, by torch and litert-torch in an own environment.

What torch computes is the reference. OpenVINO and ONNX variants are made from the .onnx, TFLite variants
from the .tflite; both are checked against torch's own outputs.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import numpy as np

from edgegreen.agent.runtimes.tensors import Tensor, Unsupported, encode
from edgegreen.artifact import TensorSpec
from edgegreen.errors import ConversionError, InputError
from edgegreen.sources import host, openvino, pt2file, shapes, tflitefile
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import FLOAT_FLOOR_DB, compare, refuse_if_broken
from edgegreen.sources.model import ModelFile, ModelSummary, Source
from edgegreen.sources.request import Request
from edgegreen.sources.toolenv import ToolEnvironment, run
from edgegreen.workers.report import Report, tail

LITERT_TORCH, TORCH = "0.10.0", "2.13.0"
# litert-torch has wheels for these machines only; torch and its exporter have them for others, too.
HAS_LITERT = (sys.platform, platform.machine()) in (("linux", "x86_64"), ("darwin", "arm64"))
TOOL = ToolEnvironment(
    "torch",
    (
        f"torch=={TORCH}", "onnxscript==0.7.2", "onnx==1.23.2",
        *((f"litert-torch=={LITERT_TORCH}",) if HAS_LITERT else ()),
    ),
)  # fmt: skip
PROGRAM = Path(__file__).with_name("torchtool.py")
ONNX, TFLITE, HUB, CHECK = "model.onnx", "made.tflite", "float.tflite", "check"
TIMEOUT_S = 3600.0


@dataclass(frozen=True)
class Exported:
    """What torch made of a program, in `folder`: model.onnx, and its outputs on the check samples."""

    folder: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]


def to_onnx(request: Request, folder: Path, stop: Event, on_install: Callable[[], None]) -> Exported:
    """Run the program on the check samples and export it to ONNX, with static shapes, in `folder`.

    Runs a program, and may first install it: called on a thread, not in a worker. Raises InputError for a
    model or data that are not what they should be, ConversionError with torch's reason, CancelledError.
    """
    told = pt2file.read(request.path)
    inputs = shapes.static(told.inputs, request.input_shape, request.sample_shapes)
    request.check_data(inputs)
    try:
        tensors = [Tensor(one.name, one.shape, one.dtype) for one in inputs]
    except Unsupported as error:
        raise InputError(f"{request.path}: {error}") from None
    arrays = {
        f"{sample}-{index}": encode(tensor, value)
        for sample, row in enumerate(request.check_samples.rows(inputs))
        for index, (tensor, value) in enumerate(zip(tensors, row, strict=True))
    }
    np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
    _convert(TOOL.ensure(stop, on_install), request, inputs, folder / ONNX, stop)
    return Exported(folder, inputs, tuple(port.name for port in told.outputs))


def to_tflite(
    request: Request, source: Source, folder: Path, stop: Event, on_install: Callable[[], None]
) -> Path:
    """Convert the program to a .tflite in `folder`, as litert-torch makes it. As `to_onnx`."""
    if not HAS_LITERT:
        raise ConversionError(
            f"litert-torch, which makes the TFLite, has no wheels for {sys.platform} {platform.machine()}",
            hint="build OpenVINO variants here, or convert on x86-64 Linux",
        )
    return _convert(TOOL.ensure(stop, on_install), request, source.inputs, folder / TFLITE, stop)


def adopt(report: Report, request: Request, made: Exported, folder: Path) -> Source:
    """Make the source, in `folder`, of what torch exported. A job, run in a worker.

    Raises ConversionError when OpenVINO does not compute from the .onnx what torch computes.
    """
    report("checking")
    onnx = Path(shutil.copyfile(made.folder / ONNX, folder / ONNX))
    model = openvino.read(onnx)
    static = replace(openvino.keep(model, folder), built_by=f"torch {TORCH}")
    check = request.check_samples
    n = stored.write(folder / CHECK, _rows(made.folder / "outputs.npz"))
    found = compare(
        stored.rows(folder / CHECK), host.outputs(static, check.rows(made.inputs), request.threads)
    )
    refuse_if_broken(found, FLOAT_FLOOR_DB, check.words(n))
    return Source(
        made.inputs, stored.specs(folder / CHECK, made.outputs), static,
        quantised=openvino.is_quantised(model), as_shipped=False, check=folder / CHECK,
        checked_on=check.words(n), saved_model=None, onnx=onnx,
    )  # fmt: skip


def adopt_tflite(report: Report, request: Request, source: Source, made: Path, folder: Path) -> ModelFile:
    """Make the hub, in `folder`, of what litert-torch `made`, which keeps the order and layout of all ports.

    A job, run in a worker. Raises ConversionError when it does not compute what torch computes.
    """
    report("checking")
    path = Path(shutil.copyfile(made, folder / HUB))
    counts = len(source.inputs), len(source.outputs)
    names = [f"args_{number}" for number in range(counts[0])], [f"output_{n}" for n in range(counts[1])]
    hub = tflitefile.model_file(path, *names, f"litert-torch {LITERT_TORCH}")
    rows = request.check_samples.rows(source.inputs)
    found = compare(stored.rows(source.check), host.outputs(hub, rows, request.threads))
    refuse_if_broken(found, FLOAT_FLOOR_DB, source.checked_on)
    return hub


def summarise(path: Path, called: str, size_bytes: int) -> ModelSummary:
    """What the file says of itself."""
    found = pt2file.read(path)
    inputs, outputs = (
        tuple(TensorSpec(port.name, shapes.loose(port.dims), port.dtype) for port in ports)
        for ports in (found.inputs, found.outputs)
    )
    return ModelSummary(called, inputs, outputs, found.ops, found.parameters, size_bytes)


def _convert(
    python: Path, request: Request, inputs: tuple[TensorSpec, ...], result: Path, stop: Event
) -> Path:
    """Have torchtool.py make `result`, whose folder may have samples to run the program on."""
    folder = result.parent
    (folder / "program.pt2").symlink_to(request.path.absolute())
    specs = [{"shape": one.shape, "dtype": one.dtype} for one in inputs]
    (folder / "inputs.json").write_text(json.dumps(specs), encoding="utf-8")
    command = [str(python), "-I", str(PROGRAM), str(folder), result.name]
    code, said = run(command, stop, TIMEOUT_S, cwd=folder)
    if code != 0 or not result.is_file():
        told = folder / "reason.txt"
        why = f": {told.read_text(encoding='utf-8')}" if told.is_file() else tail(said)
        raise ConversionError(f"torch cannot make {result.suffix} of {request.path.name}{why}")
    return result


def _rows(path: Path) -> stored.Rows:
    """The program's outputs, sample by sample, as torchtool.py keeps them."""
    with np.load(path, allow_pickle=False) as arrays:
        keys = [tuple(map(int, key.split("-"))) for key in arrays.files]
        for sample in range(1 + max(sample for sample, _ in keys)):
            yield [arrays[f"{sample}-{number}"] for one, number in keys if one == sample]
