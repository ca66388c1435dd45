"""Float .tflite or IR → OpenVINO IR, quantised by NNCF for int8 and weight_int8. Runs in a worker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgegreen.agent.runtimes.tensors import Tensor, encode
from edgegreen.convert import irnames
from edgegreen.convert.model import Job
from edgegreen.errors import ConversionError
from edgegreen.sources import openvino, tflitefile
from edgegreen.sources.model import ModelFile
from edgegreen.workers.report import Report

Row = list[Any]
Orders = tuple[tuple[int, ...], tuple[int, ...]]


def convert(report: Report, job: Job, folder: Path) -> ModelFile:
    """Write the variant into `folder`."""
    report("converting")
    model = openvino.read(job.hub.files[0])
    orders = orders_of(model, job.hub)
    if job.precision == "fp32" and _has_float16(model):
        raise ConversionError(
            "the model's weights are float16 already",
            hint="ask for fp16, or leave out `precision` to ship it as it is",
        )
    if job.precision == "int8":
        model = quantise(report, job, model, orders[0])
    elif job.precision == "weight_int8":
        model = compress_weights(model)
    return save(job, model, orders, folder)


def save(job: Job, model: Any, orders: Orders, folder: Path) -> ModelFile:
    """Write an ov.Model made of the hub into `folder`."""
    import openvino as ov

    (inputs, outputs), tool = orders, f"openvino {version('openvino')}"
    if job.precision in ("int8", "weight_int8"):
        tool = f"nncf {version('nncf')}, {tool}"
    model = model.clone()  # the caller may go by the names it has
    irnames.number_anew(model)
    path = folder / "model.xml"
    ov.save_model(model, path, compress_to_fp16=job.precision != "fp32")
    return ModelFile(
        format="openvino",
        files=(path, path.with_suffix(".bin")),
        inputs=tuple(_name(model.inputs[index]) for index in inputs),
        outputs=tuple(_name(model.outputs[index]) for index in outputs),
        input_order=inputs,
        output_order=outputs,
        built_by=job.built_by(tool),
    )


def orders_of(model: Any, hub: ModelFile) -> Orders:
    """Where the model OpenVINO read has the source's inputs and outputs: by tensor names, else as the hub."""
    if hub.format == "openvino":
        return hub.input_order, hub.output_order
    names = tflitefile.tensor_names(hub)
    return (
        _order(model.inputs, names[0], hub.input_order),
        _order(model.outputs, names[1], hub.output_order),
    )


def _order(ports: Sequence[Any], names: Sequence[str], otherwise: tuple[int, ...]) -> tuple[int, ...]:
    found = [[index for index, port in enumerate(ports) if name in port.get_names()] for name in names]
    if all(len(indices) == 1 for indices in found):
        return tuple(indices[0] for indices in found)
    return otherwise


def _name(port: Any) -> str:
    return min(port.get_names(), default=str(port.get_node().get_friendly_name()))


def _has_float16(model: Any) -> bool:
    constants = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    return any(op.get_element_type().get_type_name() == "f16" for op in constants)


def quantise(report: Report, job: Job, model: Any, order: tuple[int, ...]) -> Any:
    """Post-training quantisation on all calibration samples."""
    import nncf

    samples = Samples(report, job, order)
    quantised = nncf.quantize(model, nncf.Dataset(samples), subset_size=samples.count)
    if not any(op.get_type_name() == "FakeQuantize" for op in quantised.get_ops()):
        raise ConversionError("NNCF found nothing in the model that it can quantise")
    return quantised


def compress_weights(model: Any) -> Any:
    """Weights in int8 with a scale for each output channel; OpenVINO takes them back to float."""
    import nncf

    compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    constants = (op for op in compressed.get_ops() if op.get_type_name() == "Constant")
    if not any(op.get_element_type().get_type_name() == "i8" for op in constants):
        raise ConversionError("NNCF found no weights in the model that it can compress")
    return compressed


class Samples:
    """The calibration samples as lists in the file's own order of inputs; may be gone through again."""

    def __init__(self, report: Report, job: Job, order: tuple[int, ...]) -> None:
        self.report, self.job, self.order = report, job, order
        self.count = job.request.calibration_n
        self.tensors = [Tensor(t.name, t.shape, t.dtype) for t in job.source.inputs]

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(self.job.request.calibration_rows()):
            yield self.fitted(row)
            self.report("converting", number / self.count)

    def fitted(self, row: Row) -> Row:
        """A sample in the recipe's order as the file takes it."""
        values = [encode(tensor, value) for tensor, value in zip(self.tensors, row, strict=True)]
        return [values[self.order.index(index)] for index in range(len(values))]
