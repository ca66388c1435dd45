"""ONNX and OpenVINO IR → an IR with static shapes, and its outputs on the check samples.

The job runs in a worker. OpenVINO is both the reader and the reference: what a user's .onnx computes is
what OpenVINO computes from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edgegreen.artifact import TensorSpec
from edgegreen.costs.layers import Costs, costs
from edgegreen.errors import ConversionError, InputError
from edgegreen.sources import files, host, shapes
from edgegreen.sources import outputs as stored
from edgegreen.sources.elementtypes import DTYPES, WEIGHTS
from edgegreen.sources.model import KERAS_ONLY, ModelFile, ModelSummary, Port, Source
from edgegreen.sources.request import Request
from edgegreen.workers.report import Report

STATIC, CHECK = "static.xml", "check"
INTEGERS = ("i8", "u8", "i4", "u4")


def load(report: Report, request: Request, folder: Path) -> Source:
    """Read the model, fix its shapes, keep it as IR and its outputs on the check samples in `folder`."""
    report("loading")
    model = read(request.path)
    ports = [_port(one) for one in model.inputs]
    inputs = shapes.static(ports, request.input_shape, request.sample_shapes)
    request.check_data(inputs)
    as_shipped = _is_whole(request, ports)
    _reshape(model, inputs)
    static = keep(model, folder)
    report("checking")
    check = request.check_samples
    n = stored.write(folder / CHECK, host.outputs(static, check.rows(inputs), request.threads))
    return Source(
        inputs, stored.specs(folder / CHECK, static.outputs), static,
        quantised=is_quantised(model), as_shipped=as_shipped,
        check=folder / CHECK, checked_on=check.words(n), saved_model=None,
    )  # fmt: skip


def keep(model: Any, folder: Path) -> ModelFile:
    """The model, whose shapes are static, as IR in `folder`."""
    import openvino as ov

    ov.save_model(model, folder / STATIC, compress_to_fp16=False)
    return ModelFile(
        format="openvino",
        files=(folder / STATIC, (folder / STATIC).with_suffix(".bin")),
        inputs=tuple(_name(port) for port in model.inputs),
        outputs=tuple(_name(port) for port in model.outputs),
        input_order=tuple(range(len(model.inputs))),
        output_order=tuple(range(len(model.outputs))),
        built_by="",
    )


def _is_whole(request: Request, ports: Sequence[Port]) -> bool:
    """Whether the user's files may go to a board as they are; of an .onnx also the batch has to be fixed."""
    if request.format == "onnx" and len(files.parts(request.path, "onnx")) > 1:
        return False
    first = 0 if request.format == "onnx" else 1
    return all(port.dims is not None and None not in port.dims[first:] for port in ports)


def read(path: Path) -> Any:
    """The file as an OpenVINO model (IR, ONNX or TFLite).

    Raises InputError for a broken IR; ConversionError for a model whose operators OpenVINO does not have.
    """
    import openvino as ov

    try:
        return ov.Core().read_model(path)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in lines if "not support" in line), lines[-1] if lines else "no reason")
        if path.suffix == ".xml":
            raise InputError(f"{path}: OpenVINO cannot read it: {told[:300]}") from error
        raise ConversionError(f"OpenVINO cannot read {path.name}: {told[:300]}") from error


def is_quantised(model: Any) -> bool:
    """Whether the model has been quantised already: fake quantisation, or integer weights made real."""
    return any(op.get_type_name() == "FakeQuantize" or _is_small_weight(op) for op in model.get_ops())


def _is_small_weight(op: Any) -> bool:
    if op.get_type_name() != "Constant" or op.get_element_type().get_type_name() not in INTEGERS:
        return False
    users = [target.get_node().get_type_name() for target in op.output(0).get_target_inputs()]
    return bool(op.output(0).get_shape()) and "Convert" in users


def costs_of(report: Report, path: Path) -> Costs:
    """Costs of one inference of an IR or .onnx; a job, run in a worker. Raises as `read` does."""
    from edgegreen.sources import openvinograph

    report("reading")
    model = read(path)
    open_batch = {port: port.partial_shape for port in model.inputs if _has_open_batch(port.partial_shape)}
    for shape in open_batch.values():
        shape[0] = 1
    if open_batch:
        model.reshape(open_batch)
    return costs(openvinograph.graph(model), passes_absent=KERAS_ONLY)


def _has_open_batch(shape: Any) -> bool:
    return bool(shape.rank.is_static and len(shape) and shape[0].is_dynamic)


def summarise(path: Path, called: str, size_bytes: int) -> ModelSummary:
    """What an IR is, told from its .xml. Raises InputError when that is not XML to its end."""
    try:
        layers = ElementTree.parse(path).getroot().findall("layers/layer")  # noqa: S314
        kinds: dict[str, int] = {}
        for layer in layers:
            kinds[layer.attrib["type"]] = kinds.get(layer.attrib["type"], 0) + 1
        constants = [layer.find("data") for layer in layers if layer.attrib["type"] == "Const"]
        return ModelSummary(
            kind=called,
            inputs=tuple(_spec(one, "output") for one in layers if one.attrib["type"] == "Parameter"),
            outputs=tuple(_spec(one, "input") for one in layers if one.attrib["type"] == "Result"),
            ops={name: n for name, n in kinds.items() if name not in ("Const", "Parameter", "Result")},
            parameters=sum(_elements(one) for one in constants if one is not None),
            size_bytes=size_bytes,
        )
    except (ElementTree.ParseError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a readable OpenVINO IR ({error})") from None


def _reshape(model: Any, inputs: Sequence[TensorSpec]) -> None:
    wanted = {port: list(spec.shape) for port, spec in zip(model.inputs, inputs, strict=True)}
    if any(port.partial_shape.is_dynamic for port in wanted):
        model.reshape(wanted)


def _port(port: Any) -> Port:
    shape = port.partial_shape
    dims = None
    if shape.rank.is_static:
        dims = tuple(None if size.is_dynamic else size.get_length() for size in shape)
    kind = port.element_type.get_type_name()
    return Port(_name(port), dims, DTYPES.get(kind, kind))


def _name(port: Any) -> str:
    names = port.get_names()
    return min(names, default=str(port.get_node().get_friendly_name()))


def _spec(layer: ElementTree.Element, side: str) -> TensorSpec:
    """An input or output of an IR, from the port of its layer; -1 for a dynamic extent."""
    port = layer.find(f"{side}/port")
    sizes = [] if port is None else [int(dim.text or "-1") for dim in port.findall("dim")]
    names = "" if port is None else port.attrib.get("names", "")
    precision = "" if port is None else port.attrib.get("precision", "").lower()
    kinds = DTYPES | {"fp32": "float32", "fp16": "float16", "fp64": "float64", "bool": "bool"}
    name = names.split(",")[0] or layer.attrib.get("name", "").removesuffix("/sink_port_0")
    return TensorSpec(name, tuple(sizes), kinds.get(precision, precision))


def _elements(data: ElementTree.Element) -> int:
    """Elements of a constant, 0 when it is no weight."""
    if data.attrib.get("element_type") not in WEIGHTS:
        return 0
    count = 1
    for size in data.attrib.get("shape", "").split(","):
        count *= int(size) if size.strip() else 1
    return count
