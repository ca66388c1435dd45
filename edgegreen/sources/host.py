"""Run a model file on this host, fed and read by the same code as on a board.

In full float32: what is looked at here is the file, not what a processor with bfloat16 would make of it. (On
such a host OpenVINO left to itself answers for an fp32 model at 30 to 45 dB.)
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from edgegreen.agent import runtimes
from edgegreen.agent.model import Model
from edgegreen.agent.runtimes.openvino import OpenVINO
from edgegreen.sources.model import ModelFile
from edgegreen.sources.outputs import Row, Rows


def load(model: ModelFile, threads: int) -> Model:
    """The file, loaded. Raises whatever the runtime does when it cannot, and ValueError."""
    if model.format == "tflite":
        runtime = runtimes.load("litert", [str(path) for path in model.files], threads)
        return Model(runtime, model.input_order, model.output_order)
    if model.format == "onnx":
        runtime = runtimes.load("onnxruntime", [str(path) for path in model.files], threads, device="CPU")
        return Model(runtime, model.input_order, model.output_order)
    import openvino as ov

    core = ov.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(core.read_model(*model.files), "CPU", settings)
    exact = OpenVINO("openvino", version("openvino"), compiled)
    return Model(exact, model.input_order, model.output_order)


def outputs(model: ModelFile, rows: Iterable[Row], threads: int) -> Rows:
    """The outputs' real values for one sample after the other, in the source's own order."""
    loaded = load(model, threads)
    for row in rows:
        yield loaded.run(row)
