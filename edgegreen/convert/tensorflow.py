"""SavedModel → quantised .tflite with TensorFlow's own converter, for `quantizer: tensorflow`.

Runs in the TensorFlow worker, on the SavedModel with static shapes that was kept when the source was loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgegreen.agent.runtimes.tensors import encode
from edgegreen.convert.model import Job
from edgegreen.formats import Precision
from edgegreen.sources import host, tflitefile
from edgegreen.sources import tensorflow as source
from edgegreen.sources.model import ModelFile
from edgegreen.workers.report import Report


def convert(report: Report, job: Job, folder: Path) -> ModelFile:
    """Write the variant into `folder`."""
    import tensorflow as tf

    report("converting")
    assert job.source.saved_model is not None
    converter = tf.lite.TFLiteConverter.from_saved_model(str(job.source.saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    SETTINGS[job.precision](tf, converter)
    if job.variant.calibrated:
        converter.representative_dataset = lambda: _samples(report, job)
    if job.variant.format == "edgetpu":  # see ai_edge.recipe
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if job.variant.ends == "int8":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path = folder / "model.tflite"
    path.write_bytes(source.convert(converter))
    tool = f"tensorflow {tf.__version__}"
    return tflitefile.model_file(path, job.hub.inputs, job.hub.outputs, tool)


def _float16(tf: Any, converter: Any) -> None:
    converter.target_spec.supported_types = [tf.float16]


def _int8(tf: Any, converter: Any) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def _int16x8(tf: Any, converter: Any) -> None:
    ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [ops]


# What it can make; it has no weight-only int8.
SETTINGS: dict[Precision, Callable[[Any, Any], None]] = {
    "fp16": _float16,
    "dynamic": lambda *_: None,
    "int8": _int8,
    "int16x8": _int16x8,
}


def _samples(report: Report, job: Job) -> Iterator[dict[str, Any]]:
    tensors = host.load(job.hub, 1).inputs
    count = job.request.calibration_n
    for number, row in enumerate(job.request.calibration_rows()):
        values = zip(job.hub.inputs, tensors, row, strict=True)
        yield {name: encode(tensor, value) for name, tensor, value in values}
        report("converting", number / count)
