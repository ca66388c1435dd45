"""Float .tflite → .tflite of another precision with ai-edge-quantizer. Runs in a worker, without tensorflow.

Activations are calibrated by their true minimum and maximum over all calibration samples, as TensorFlow's own
converter does: the result does not depend on the samples' order, and nothing that occurred is clipped.
(The tool's default, a moving average, costs MLPerf Tiny's keyword spotting one point of accuracy.)
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.agent.runtimes.tensors import encode
from edgegreen.convert.model import Job
from edgegreen.formats import Precision
from edgegreen.sources import host, tflitefile
from edgegreen.sources.model import ModelFile
from edgegreen.workers.report import Report


def convert(report: Report, job: Job, folder: Path) -> ModelFile:
    """Write the variant into `folder`."""
    report("converting")
    wanted = recipe(job)
    statistics = calibrate(report, job, wanted) if job.variant.calibrated else None
    path = folder / "model.tflite"
    path.write_bytes(quantise(job, wanted, statistics))
    return model_file(job, path)


def quantise(job: Job, wanted: Any, statistics: Any) -> bytes:
    """The hub, quantised by the recipe `wanted`."""
    from ai_edge_quantizer import Quantizer

    result = Quantizer(str(job.hub.files[0]), wanted).quantize(
        statistics, enable_progress_bar=False, enable_progress_report=False
    )
    return bytes(result.quantized_model)


def model_file(job: Job, path: Path) -> ModelFile:
    """A file that was made of the hub."""
    tool = f"ai-edge-quantizer {version('ai-edge-quantizer')}"
    return tflitefile.model_file(path, job.hub.inputs, job.hub.outputs, job.built_by(tool))


def recipe(job: Job) -> Any:
    """The quantisation recipe: int8 weights per channel, or float16 ones."""
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager
    from ai_edge_quantizer import recipe as recipes

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(
        _BASES[job.precision](recipes, recipe_manager, qtyping, algorithm_manager)
    )
    if job.variant.format == "edgetpu":
        # TFLite of the compiler's time has one scale for a dense layer's weights, and would take the first.
        manager.add_static_config(
            regex=".*",
            operation_name=qtyping.TFLOperationName.FULLY_CONNECTED,
            activation_num_bits=8,
            weight_num_bits=8,
            weight_granularity=qtyping.QuantGranularity.TENSORWISE,
        )
    if job.variant.calibrated and job.variant.ends == "float":
        for end in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            manager.add_quantization_config(
                ".*", end, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
            )
    return manager.get_quantization_recipe()


def _float16(_: Any, recipe_manager: Any, qtyping: Any, algorithm_manager: Any) -> Any:
    manager = recipe_manager.RecipeManager()
    manager.add_quantization_config(
        ".*",
        qtyping.TFLOperationName.ALL_SUPPORTED,
        qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(
                num_bits=16, dtype=qtyping.TensorDataType.FLOAT
            ),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
        algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    return manager.get_quantization_recipe()


_BASES: dict[Precision, Callable[..., Any]] = {
    "fp16": _float16,
    "dynamic": lambda recipes, *_: recipes.dynamic_wi8_afp32(),
    "weight_int8": lambda recipes, *_: recipes.weight_only_wi8_afp32(),
    "int8": lambda recipes, *_: recipes.static_wi8_ai8(),
    "int16x8": lambda recipes, *_: recipes.static_wi8_ai16(),
}


def calibrate(report: Report, job: Job, wanted: Any) -> Any:
    """Statistics of every activation. One sample at a time: the data may be larger than memory.

    An input fed with bytes has their whole range, 0 … 255, whatever occurred: its int8 is the byte − 128,
    which loses nothing and costs next to nothing to make.
    """
    from ai_edge_quantizer import calibrator, recipe_manager
    from ai_edge_quantizer.utils import qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(wanted)
    running = calibrator.Calibrator(
        job.hub.files[0].read_bytes(), job.request.threads, qsv_update_func=qsv_utils.min_max_update
    )
    tensors = host.load(job.hub, 1).inputs
    count = job.request.calibration_n
    fed_bytes: set[str] = set()
    for number, row in enumerate(job.request.calibration_rows()):
        values = list(zip(job.hub.inputs, tensors, row, strict=True))
        fed_bytes.update(tensor.name for _, tensor, value in values if value.dtype == np.uint8)
        sample = {name: encode(tensor, value) for name, tensor, value in values}
        running.calibrate({tflitefile.SIGNATURE: [sample]}, manager)
        report("converting", number / count)
    found = running.get_model_qsvs()
    for name in fed_bytes & found.keys():
        found[name] = {
            end: np.full_like(found[name][end], limit) for end, limit in (("min", 0.0), ("max", 255.0))
        }
    return found
