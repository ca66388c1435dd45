"""Formats: as what a model can be built, by which quantizers, and which runtimes run it.

What is to be known of a format stands in FORMATS; what makes a file of it is in `convert/`, what runs one in
`agent/runtimes/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["tflite", "openvino"]
Precision = Literal["fp32", "fp16", "dynamic", "int8", "int16x8", "weight_int8"]
Quantizer = Literal["ai-edge-quantizer", "tensorflow", "nncf"]
RuntimeName = Literal["litert", "tflite-runtime", "openvino"]

# What OpenVINO runs a model on, as OpenVINO calls it. Left out, it is the CPU.
Device = Literal["CPU", "GPU", "NPU", "AUTO"]

# Precisions whose activations are quantised: they need real data to calibrate on.
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")


@dataclass(frozen=True)
class Traits:
    """What is to be known of a format."""

    precisions: tuple[Precision, ...]
    """What it can be built as."""
    quantizers: tuple[Quantizer, ...]
    """What can quantise it; the first is the default."""
    runtimes: tuple[RuntimeName, ...]
    """What runs it, best first."""


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
    ),
}
