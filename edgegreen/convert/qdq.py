"""Float .onnx → int8 .onnx in Q/DQ form, with ONNX Runtime's own quantiser: for its CPU, and for TensorRT.

Q/DQ: the operators stay those of the float model, between pairs of QuantizeLinear and DequantizeLinear that a
runtime fuses into int8 kernels, or runs as they stand. Weights have a scale for each channel and no zero
point. Activations are calibrated by their true minimum and maximum, as elsewhere here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from edgegreen.agent.runtimes import onnxruntime
from edgegreen.errors import ConversionError, EdgegreenError

Feed = dict[str, Any]
# What TensorRT runs in int8, and what int8 goes through unchanged.
SYMMETRIC_OPS = [
    "Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "AveragePool", "GlobalAveragePool", "MaxPool", "Concat",
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Pad", "Slice", "Split", "Resize",
]  # fmt: skip


def quantise(model: Path, feeds: Iterable[Feed], to: Path, *, symmetric: bool) -> None:
    """Write `model`, quantised, to `to`; `feeds` are the calibration samples, arrays by input name.

    `symmetric` makes what TensorRT takes: activations without a zero point, biases in float, and softmax and
    the like as they are, which ONNX Runtime quantises with a zero point whatever it is told. On a CPU this is
    slower: a ReLU stays an operator in float, since what it cuts off is not the end of the range. Otherwise
    activations are uint8: around int8 ones that two operators use, ONNX Runtime computes in float on x86-64.
    Raises ConversionError when the quantiser cannot do it, or did nothing.
    """
    import onnx

    quantization = onnxruntime.library("onnxruntime.quantization")
    prepare = onnxruntime.library("onnxruntime.quantization.shape_inference").quant_pre_process
    kinds = quantization.QuantType
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        try:
            # Fuses what belongs together, batch norms into convolutions. Shapes are static already.
            prepare(str(model), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared),
                str(to),
                _Reader(feeds),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=SYMMETRIC_OPS if symmetric else None,
                per_channel=True,
                activation_type=kinds.QInt8 if symmetric else kinds.QUInt8,
                weight_type=kinds.QInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax,
                extra_options={
                    "ActivationSymmetric": symmetric, "WeightSymmetric": True, "QuantizeBias": not symmetric,
                },
            )  # fmt: skip
        except EdgegreenError:  # of the samples
            raise
        except Exception as error:  # onnxruntime's and onnx's own, ValueError, RuntimeError
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ConversionError(f"onnxruntime cannot quantise the model: {line[:300]}") from error
    made = onnx.load(to)
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise ConversionError("onnxruntime found nothing in the model that it can quantise")
    _declare_what_is_used(made)
    onnx.save(made, to)


def _declare_what_is_used(model: Any) -> None:
    """Leave out sets of operators that no node is of: ONNX Runtime 1.14 refuses newer ones all the same."""
    used = set(_domains(model.graph))
    kept = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _domains(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield node.domain
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _domains(inner)


class _Reader:
    """The samples, one after the other, as the quantiser asks for them."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)
