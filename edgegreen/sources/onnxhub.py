"""A float .onnx with static shapes: what ONNX variants are made from.

Of an .onnx, and of what torch exported, it is that file with its shapes fixed; of everything else that has a
float .tflite, what tf2onnx makes of that: batch norms are folded there already.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgegreen.artifact import TensorSpec
from edgegreen.errors import ConversionError
from edgegreen.sources import tflitefile, tflitematrix
from edgegreen.sources.model import ModelFile, Source
from edgegreen.workers.report import Report

HUB, FLAT = "float.onnx", "flat.tflite"
# The ONNX Runtime of Python 3.7 reads 18 and older; what a .tflite holds needs no newer one.
OPSET = 17
NEEDED = ("onnx", "onnxruntime", "tf2onnx")
INSTALL = "`pip install 'edgegreen[onnx]'`"


def lacks() -> tuple[str, ...]:
    """The packages of the extra `onnx` that are not installed."""
    return tuple(name for name in NEEDED if importlib.util.find_spec(name) is None)


def of_tflite(report: Report, hub: ModelFile, source: Source, folder: Path) -> ModelFile:
    """Make it of a float .tflite. Runs where tensorflow is, which tf2onnx reads the file with."""
    import tf2onnx

    report("exporting")
    flat = tflitefile.read(hub.files[0])
    tflitematrix.give_matrices(flat)
    tflitefile.write(flat, folder / FLAT)
    try:
        model, _ = tf2onnx.convert.from_tflite(str(folder / FLAT), opset=OPSET)
    except Exception as error:  # of whatever class the handler of an operator raises
        raise ConversionError(f"tf2onnx cannot convert the model: {_line(error)}") from error
    (folder / FLAT).unlink()
    names = tflitefile.tensor_names(hub)
    orders = (
        _order(model.graph.input, names[0], hub.input_order),
        _order(model.graph.output, names[1], hub.output_order),
    )
    tool = f"tf2onnx {tf2onnx.__version__}"
    return _kept(model, source, orders, folder, f"{tool} ← {hub.built_by}" if hub.built_by else tool)


def of_onnx(report: Report, path: Path, source: Source, folder: Path) -> ModelFile:
    """Make it of an .onnx: its own bytes where every shape is fixed and no weights lie elsewhere.

    It is the user's, or that which was made of the source on the way.
    """
    import onnx

    report("exporting")
    model = onnx.load(path)
    whole = tuple(tuple(range(len(ports))) for ports in (source.inputs, source.outputs))
    if not source.as_shipped:
        return _kept(model, source, (whole[0], whole[1]), folder, source.model.built_by)
    shutil.copyfile(path, folder / HUB)
    return _file(folder / HUB, model, (whole[0], whole[1]), "")


def _kept(
    model: Any, source: Source, orders: tuple[tuple[int, ...], tuple[int, ...]], folder: Path, built_by: str
) -> ModelFile:
    """Write the model with its inputs' shapes fixed, and all that follows from them."""
    import onnx

    inputs = _inputs(model)
    for index, spec in zip(orders[0], source.inputs, strict=True):
        _fix(inputs[index], spec)
    del model.graph.value_info[:]  # shapes that were inferred for another batch
    for index, spec in zip(orders[1], source.outputs, strict=True):
        _fix_batch(model.graph.output[index], spec)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, folder / HUB)
    return _file(folder / HUB, model, orders, built_by)


def _file(path: Path, model: Any, orders: tuple[tuple[int, ...], tuple[int, ...]], by: str) -> ModelFile:
    inputs, outputs = _inputs(model), model.graph.output
    return ModelFile(
        format="onnx",
        files=(path,),
        inputs=tuple(inputs[index].name for index in orders[0]),
        outputs=tuple(outputs[index].name for index in orders[1]),
        input_order=orders[0],
        output_order=orders[1],
        built_by=by,
    )


def _inputs(model: Any) -> list[Any]:
    """Files of the first versions list weights as inputs too."""
    weights = {one.name for one in model.graph.initializer}
    return [one for one in model.graph.input if one.name not in weights]


def _order(ports: Sequence[Any], names: Sequence[str], otherwise: tuple[int, ...]) -> tuple[int, ...]:
    """Where the ports with these names are; where names were altered, as the .tflite has them."""
    have = [port.name for port in ports]
    found = [have.index(name) for name in names if name in have]
    return tuple(found) if len(set(found)) == len(names) else otherwise


def _fix(port: Any, spec: TensorSpec) -> None:
    shape = port.type.tensor_type.shape
    del shape.dim[:]
    for extent in spec.shape:
        shape.dim.add().dim_value = extent


def _fix_batch(port: Any, spec: TensorSpec) -> None:
    """An output's first extent is 1; the others are inferred, or depend on the data."""
    shape = port.type.tensor_type.shape
    if len(shape.dim) == len(spec.shape) and spec.shape and not shape.dim[0].dim_value:
        shape.dim[0].dim_value = spec.shape[0]


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
