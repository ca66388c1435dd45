"""Formats: as what a model can be built, by which quantizers, and which runtimes run it.

What is to be known of a format stands in FORMATS; what makes a file of it is in `convert/`, what runs one in
`agent/runtimes/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgegreen.agent.runtimes import devices
from edgegreen.agent.runtimes.devices import Devices

Format = Literal["tflite", "openvino", "onnx", "tensorrt", "edgetpu"]
Precision = Literal["fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"]
Quantizer = Literal["ai-edge-quantizer", "tensorflow", "nncf", "onnxruntime", "onnxruntime-symmetric"]
RuntimeName = Literal[
    "litert", "tflite-runtime", "openvino", "onnxruntime", "tensorrt", "edgetpu", "edgetpu-litert"
]  # fmt: skip

# Precisions whose activations are quantised: they need real data to calibrate on.
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")
# Quantizers that can leave some operators in float, for variants with an `accuracy_drop_max`.
MIXING: tuple[Quantizer, ...] = ("ai-edge-quantizer", "nncf")


@dataclass(frozen=True)
class Traits:
    """What is to be known of a format."""

    precisions: tuple[Precision, ...]
    """What it can be built as."""
    quantizers: tuple[Quantizer, ...]
    """What can quantise it; the first is the default."""
    runtimes: tuple[RuntimeName, ...]
    """What runs it, best first."""
    devices: Devices = devices.NONE
    """What its runtimes can be asked to run it on."""
    file: Literal["tflite", "openvino", "onnx"] | None = None
    """The kind of file that it is, where that is another format's."""
    any_board: bool = True
    """Whether it is for boards of all kinds, not only for those with a chip that it takes."""
    engine: bool = False
    """Whether the board builds an engine of that file, which is what runs."""


FORMATS: dict[Format, Traits] = {
    "tflite": Traits(
        precisions=("fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"),
        quantizers=("ai-edge-quantizer", "tensorflow"),
        runtimes=("litert", "tflite-runtime"),
    ),
    "openvino": Traits(
        precisions=("fp32", "fp16", "int8", "weight_int8"),
        quantizers=("nncf",),
        runtimes=("openvino",),
        devices=devices.OPENVINO,
    ),
    "onnx": Traits(
        precisions=("fp32", "int8"),
        # The second makes what TensorRT takes; see convert/qdq.py.
        quantizers=("onnxruntime", "onnxruntime-symmetric"),
        runtimes=("onnxruntime",),
        devices=devices.ONNXRUNTIME,
    ),
    "tensorrt": Traits(
        precisions=("fp32", "fp16", "int8"),
        quantizers=("onnxruntime-symmetric",),
        runtimes=("tensorrt",),
        file="onnx",
        any_board=False,
        engine=True,
    ),
    "edgetpu": Traits(
        precisions=("int8",),
        quantizers=("ai-edge-quantizer", "tensorflow"),
        runtimes=("edgetpu", "edgetpu-litert"),
        devices=devices.EDGETPU,
        file="tflite",
        any_board=False,
    ),
}


def file_of(format_: str) -> str:
    """The kind of file that a model of this format is."""
    return next((traits.file for name, traits in FORMATS.items() if name == format_ and traits.file), format_)


def quantizer_mistake(
    format_: Format, precision: Precision | None, quantizer: Quantizer | None
) -> str | None:
    """Why a variant does not take the quantizer that it names; None when it does, or names none."""
    if quantizer is None:
        return None
    traits = FORMATS[format_]
    if quantizer not in traits.quantizers:
        return f"{format_} is not quantised by `{quantizer}`, but by {', '.join(traits.quantizers)}"
    if precision is None:
        return (
            "without a `precision` the model is shipped as it is, and nothing is quantised: "
            "leave out `quantizer`, or give a `precision`"
        )
    if precision == "fp32":
        others = ", ".join(one for one in traits.precisions if one != "fp32")
        return f"nothing is quantised at `precision: fp32`: leave out `quantizer`, or ask for {others}"
    return None
