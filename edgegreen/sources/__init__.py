"""Load a trained model: Keras, SavedModel, ONNX, torch.export program, TFLite, OpenVINO IR.

`kind_of` says what a model can become and `inspect` what it is; neither imports tensorflow here. Loading
one for conversion is `load.load`, which `convert/` calls.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Event

from edgegreen.artifact import TensorSpec
from edgegreen.sources.files import SUFFIXES, SourceFormat, format_of, size_bytes
from edgegreen.sources.model import Kind, ModelSummary

__all__ = ["Kind", "ModelSummary", "SourceFormat", "declared", "format_of", "inspect", "kind_of"]


def kind_of(path: Path) -> Kind:
    """What the model can become: a float model anything, a quantised .tflite itself, an IR OpenVINO only.

    A quantised one can be compiled for an Edge TPU; one that is compiled stays what it is.
    Cheap: reads the head of the file, the whole of a .tflite. Raises InputError when it is no model.
    """
    format_ = format_of(path)
    if format_ == "tflite":
        from edgegreen.sources import tflitefile

        model = tflitefile.read(path)
        if tflitefile.is_compiled(model):
            return "compiled"
        return "quantised" if tflitefile.is_quantised(model) else "float"
    return "openvino" if format_ == "openvino" else "float"


def declared(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]] | None:
    """Inputs and outputs as the file itself declares them, -1 for an open extent.

    None for Keras files and SavedModels, which tensorflow would have to load. Raises InputError.
    """
    format_ = format_of(path)
    if format_ == "tflite":
        from edgegreen.sources import shapes, tflitefile

        inputs, outputs = (
            tuple(TensorSpec(port.name, shapes.loose(port.dims), port.dtype) for port in ports)
            for ports in tflitefile.ports(tflitefile.read(path))
        )
        return inputs, outputs
    summary = _summary(path, format_)
    return (summary.inputs, summary.outputs) if summary else None


def inspect(path: Path, signature: str | None = None) -> ModelSummary:
    """Inputs, outputs, operators, parameters, size and costs of a model.

    Operators are those of the file's own format; for Keras files and SavedModels those of the .tflite made
    from them, in a worker (`signature` chooses one of a SavedModel's). OpenVINO tells the costs of an .onnx,
    and of what torch makes of a .pt2 where that is installed, in a worker too; what workers find is kept in
    the cache. Raises InputError, ConversionError.
    """
    format_ = format_of(path)
    if format_ == "tflite":
        from edgegreen.sources import tflite

        return tflite.summarise(path, SUFFIXES[path.suffix.lower()][1], size_bytes(path, format_))
    from edgegreen.cache.store import Cache
    from edgegreen.sources import load
    from edgegreen.sources.request import Request
    from edgegreen.workers.pool import Workers

    summary = _summary(path, format_)
    request, stop = Request.of(path, signature), Event()
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as logs:
        workers = Workers(Path(logs), tools=1, stop=stop)
        shop = load.Workshop(Cache.default(), workers, stop)
        try:
            if summary is None:
                return load.summarise(request, shop)
            return load.with_costs(summary, request, shop)
        finally:
            workers.close()


def _summary(path: Path, format_: SourceFormat) -> ModelSummary | None:
    """What the file says of itself, where it can be read without loading it; costs are not among it."""
    from edgegreen.sources import onnx, openvino, torch

    told = {"onnx": onnx.summarise, "openvino": openvino.summarise, "torch": torch.summarise}.get(format_)
    return told(path, SUFFIXES[path.suffix.lower()][1], size_bytes(path, format_)) if told else None
