"""ONNX → a float .tflite, by onnx2tf in a Python environment of its own.

OpenVINO variants do not need this: OpenVINO reads ONNX itself (`openvino.py`).
"""

from __future__ import annotations

import itertools
import math
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.artifact import TensorSpec
from edgegreen.errors import ConversionError
from edgegreen.sources import files, host, onnxfile, shapes, tflitefile
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import FLOAT_FLOOR_DB, compare
from edgegreen.sources.model import ModelFile, ModelSummary, Port, Source
from edgegreen.sources.outputs import Row
from edgegreen.sources.request import Request
from edgegreen.sources.toolenv import ToolEnvironment, run
from edgegreen.workers.report import Report, tail

HUB = "float.tflite"
TIMEOUT_S = 3600.0


def tool() -> ToolEnvironment:
    """The onnx2tf for our Python: before 3.12 the line that goes through tensorflow, else the newer one."""
    version = "1.29.24" if sys.version_info < (3, 12) else "2.6.9"
    return ToolEnvironment("onnx2tf", (f"onnx2tf=={version}",))


def to_tflite(
    request: Request, source: Source, folder: Path, stop: Event, on_install: Callable[[], None]
) -> Path:
    """Convert `request.path` to a .tflite in `folder`, as onnx2tf makes it.

    Runs a program, and may first install it: called on a thread, not in a worker. Raises ConversionError
    with the end of the program's log, CancelledError.
    """
    python = tool().ensure(stop, on_install)
    # onnx2tf simplifies its input file in place: it is given a copy, never the user's own.
    copy = folder / "source" / request.path.name
    for part in files.parts(request.path, "onnx"):
        to = copy.parent / part.relative_to(request.path.parent)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part, to)
    names = [tensor.name for tensor in source.inputs]
    sizes = [f"{t.name}:{','.join(map(str, t.shape))}" for t in source.inputs]
    command = [
        str(python), "-I", "-m", "onnx2tf", "--input_onnx_file_path", str(copy),
        "--output_folder_path", str(folder), "--copy_onnx_input_output_names_to_tflite",
        "--keep_shape_absolutely_input_names", *names, "--overwrite_input_shape", *sizes, "--non_verbose",
    ]  # fmt: skip
    code, said = run(command, stop, TIMEOUT_S, cwd=folder)
    made = sorted(folder.glob("*_float32.tflite"))
    if code != 0 or not made:
        raise ConversionError(f"{tool().requirements[0]} cannot convert {request.path.name}" + tail(said))
    return made[0]


def adopt(report: Report, request: Request, source: Source, made: Path, folder: Path) -> ModelFile:
    """Make the hub, in `folder`, of what onnx2tf `made`: inputs and outputs in the source's order and layout.

    onnx2tf alters names and, in its older line, leaves the outputs of convolutions with the channels last.
    So outputs are known by their values: each is paired with the source's output it equals on the check
    samples, as it is or with the channels brought back to the front. Raises ConversionError when one
    equals none: then the file computes something else.
    """
    report("checking")
    model = tflitefile.read(made)
    if not model.signatureDefs:
        tflitefile.sign(model)
    order = _paired_inputs(tflitefile.signature_names(model)[0], tflitefile.ports(model)[0], source)
    tflitefile.fix_shapes(model, [source.inputs[order.index(index)] for index in range(len(order))])
    tflitefile.sign(model)
    tflitefile.write(model, folder / HUB)
    outputs = range(len(tflitefile.ports(model)[1]))
    raw = ModelFile("tflite", (folder / HUB,), (), (), order, tuple(outputs), "")
    rows = replace(request.check_samples, limit=8).rows(source.inputs)
    got = list(host.outputs(raw, rows, request.threads))
    want = list(itertools.islice(stored.rows(source.check), len(got)))
    pairs = _paired_outputs(want, got, [tensor.name for tensor in source.outputs])
    tflitefile.channels_first(model, [number for number, turned in pairs if turned])
    tflitefile.sign(model)
    tflitefile.write(model, folder / HUB)
    names = tflitefile.signature_names(model)
    return tflitefile.model_file(
        folder / HUB,
        [names[0][index] for index in order],
        [names[1][number] for number, _ in pairs],
        tool().requirements[0].replace("==", " "),
    )


def summarise(path: Path, called: str, size_bytes: int) -> ModelSummary:
    """What the file says of itself."""
    found = onnxfile.read(path)
    inputs, outputs = (
        tuple(TensorSpec(port.name, shapes.loose(port.dims), port.dtype) for port in ports)
        for ports in (found.inputs, found.outputs)
    )
    return ModelSummary(called, inputs, outputs, found.ops, found.parameters, size_bytes)


def _paired_inputs(names: Sequence[str], ports: Sequence[Port], source: Source) -> tuple[int, ...]:
    """Where the file has each input of the source: by name, spelled as onnx2tf may; else by shape."""
    order = []
    for tensor in source.inputs:
        plain = _plain(tensor.name)
        named = [index for index, name in enumerate(names) if _plain(name) in (plain, f"wa{plain}")]
        shaped = [index for index, port in enumerate(ports) if (port.dims or ())[1:] == tensor.shape[1:]]
        found = named if len(named) == 1 else shaped
        if len(found) != 1 or found[0] in order:
            raise ConversionError(f"onnx2tf lost track of input `{tensor.name}`")
        order.append(found[0])
    return tuple(order)


def _plain(name: str) -> str:
    """A name without the characters that onnx2tf replaces."""
    return re.sub(r"[^0-9A-Za-z]", "", name)


def _paired_outputs(want: list[Row], got: list[Row], names: Sequence[str]) -> list[tuple[int, bool]]:
    """For each output of the source: which of the file's it is, and whether its channels are last there."""
    pairs: list[tuple[int, bool]] = []
    for index, name in enumerate(names):
        expected = [[row[index]] for row in want]
        taken = {number for number, _ in pairs}
        scored = [
            (_alike(expected, [[turn(row[number])] for row in got]), turn is _as_it_is, -number)
            for number in range(len(got[0]))
            if number not in taken
            for turn in (_as_it_is, _turned)
        ]
        best, whole, number = max(scored, default=(-math.inf, True, 0))
        if best < FLOAT_FLOOR_DB:
            raise ConversionError(
                f"onnx2tf built a .tflite that computes something else: its nearest to output `{name}` is "
                f"at {best:.0f} dB"
            )
        pairs.append((-number, not whole))
    return pairs


def _alike(want: list[Row], got: list[Row]) -> float:
    """How alike two outputs are, in dB; those that are no real numbers are equal or not."""
    found = compare(want, got)
    same = all(np.array_equal(one[0], other[0]) for one, other in zip(want, got, strict=True))
    if found.fault or found.sqnr_db is None:
        return math.inf if same else -math.inf
    return found.sqnr_db


def _as_it_is(value: NDArray[Any]) -> NDArray[Any]:
    return value


def _turned(value: NDArray[Any]) -> NDArray[Any]:
    """(batch, …, channel) → (batch, channel, …)."""
    return np.moveaxis(value, -1, 1) if value.ndim > 2 else value
