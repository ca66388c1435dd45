"""A .tflite of the user's → one with static shapes and a signature, and its outputs on the check samples.

The job runs in a worker.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgegreen.artifact import TensorSpec
from edgegreen.costs.graph import Shape
from edgegreen.costs.layers import Costs, costs
from edgegreen.sources import edgetpufile, host, shapes, tflitefile, tflitegraph
from edgegreen.sources import outputs as stored
from edgegreen.sources.model import KERAS_ONLY, ModelFile, ModelSummary, Source
from edgegreen.sources.request import Request
from edgegreen.workers.report import Report

HUB, COMPILED, CHECK = "float.tflite", "compiled.tflite", "check"


def load(report: Report, request: Request, folder: Path) -> Source:
    """Read the file, fix its shapes, and keep it with its outputs on the check samples in `folder`."""
    report("loading")
    model = tflitefile.read(request.path)
    if tflitefile.is_compiled(model):
        return _compiled(request, model, folder)
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


def _compiled(request: Request, model: Any, folder: Path) -> Source:
    """One compiled for an Edge TPU: kept as it is, byte for byte, and run by nobody here."""
    ports = tflitefile.ports(model)
    inputs, outputs = (
        tuple(TensorSpec(port.name, shapes.loose(port.dims), port.dtype) for port in one) for one in ports
    )
    request.check_data(inputs)
    path = Path(shutil.copyfile(request.path, folder / COMPILED))
    names = tuple(tuple(port.name for port in one) for one in ports)
    orders = tuple(tuple(range(len(one))) for one in ports)
    return Source(
        inputs, outputs, ModelFile("edgetpu", (path,), names[0], names[1], orders[0], orders[1], ""),
        quantised=True, as_shipped=True, check=folder / CHECK, checked_on="nothing", saved_model=None,
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
        costs=costs_of(path, model, passes_absent=KERAS_ONLY),
        compiled=edgetpufile.packages(model),
    )


def costs_of(path: Path, model: Any, of: str | None = None, passes_absent: str | None = None) -> Costs:
    """Costs of one inference of the `model` read from `path`."""
    return costs(tflitegraph.graph(model, _settled(path, model)), of, passes_absent)


def _settled(path: Path, model: Any) -> Mapping[int, Shape]:
    """Shapes of all tensors, by the runtime, where the file leaves open more than the batch; else none.

    None as well where the inputs themselves are open: then nobody knows.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    main = model.subgraphs[0]
    signatures = [tensor.shapeSignature for tensor in main.tensors]
    open_ = [signature is not None and any(size < 0 for size in signature[1:]) for signature in signatures]
    if not any(open_) or any(open_[int(index)] for index in main.inputs):
        return {}
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runtime = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    try:
        runtime.allocate_tensors()
    except (RuntimeError, ValueError):  # an operator this LiteRT does not have
        return {}
    found = {one["index"]: one["shape"] for one in runtime.get_tensor_details() if open_[one["index"]]}
    return {index: tuple(int(size) for size in shape) for index, shape in found.items() if len(shape)}
