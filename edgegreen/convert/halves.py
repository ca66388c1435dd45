"""Float .onnx → .onnx computing in halves, inputs and outputs in float32: for TensorRT.

TensorRT 11 takes a model's own types for what it is to compute in; older ones may, told by `--fp16`.
"""

from __future__ import annotations

from pathlib import Path

from edgegreen.agent.runtimes import onnxruntime
from edgegreen.errors import ConversionError


def halve(model: Path, to: Path) -> None:
    """Write `model` with weights and arithmetic in float16 to `to`. Raises ConversionError."""
    import onnx

    float16 = onnxruntime.library("onnxruntime.transformers.float16")
    try:
        onnx.save(float16.convert_float_to_float16(onnx.load(model), keep_io_types=True), to)
    except Exception as error:  # onnx's own, ValueError, RuntimeError
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConversionError(f"the model cannot be converted to fp16: {line[:300]}") from error
