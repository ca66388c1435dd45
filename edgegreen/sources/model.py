"""What loading a trained model gives: types only.

"The source's own order" of inputs and outputs is the order in which the recipe's data number them (`x0`,
`x1`, …): Keras' `model.inputs` and `model.outputs`, the graph's order in ONNX, TFLite and OpenVINO files, and
the alphabetical order of names in a SavedModel's signature, which knows no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgegreen.artifact import TensorSpec
from edgegreen.costs.layers import Costs
from edgegreen.sources.edgetpupackage import Package

# Why passes are not for a file of this kind; int8 comes after them, and is for every float model.
KERAS_ONLY = "passes but int8 take a Keras file (.keras, .h5); what they could win is told all the same"

Kind = Literal["float", "quantised", "compiled", "openvino"]


@dataclass(frozen=True)
class Port:
    """An input as the source declares it. `dims` has None for a dynamic extent; None: not even the rank."""

    name: str
    dims: tuple[int | None, ...] | None
    dtype: str


@dataclass(frozen=True)
class ModelFile:
    """A model file that a runtime can load: .tflite (`edgetpu` if compiled), .onnx, OpenVINO's .xml and .bin.

    `inputs` and `outputs` are names within the file, in the source's own order: those of the signature
    (tflite) or of tensors (openvino, onnx). `input_order` and `output_order` are as in `artifact.Artifact`.
    `built_by` is empty when it is the user's own file.
    """

    format: str
    files: tuple[Path, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_order: tuple[int, ...]
    output_order: tuple[int, ...]
    built_by: str

    def moved(self, old: Path, new: Path) -> ModelFile:
        """The same file when its folder `old` has become `new`."""
        return replace(self, files=tuple(new / path.relative_to(old) for path in self.files))


@dataclass(frozen=True)
class Source:
    """A model, loaded: what variants are made from and compared with.

    `model` is a file the host can run that computes what the source computes; `quantised` when it is
    no float model any more. `check` is the folder with the source's own outputs (see `outputs.py`) on the
    samples that `checked_on` describes. `saved_model` is a SavedModel with static shapes (for TensorFlow's
    own converter), None when the source is none of TensorFlow's. `onnx` is an .onnx with static shapes that
    was made on the way, if any. `as_shipped`: the user's files may go to a board just as they are.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    model: ModelFile
    quantised: bool
    as_shipped: bool
    check: Path
    checked_on: str
    saved_model: Path | None
    onnx: Path | None = None

    def moved(self, old: Path, new: Path) -> Source:
        """The same source when its folder `old` has become `new`."""
        return replace(
            self,
            model=self.model.moved(old, new),
            check=new / self.check.relative_to(old),
            saved_model=new / self.saved_model.relative_to(old) if self.saved_model else None,
            onnx=new / self.onnx.relative_to(old) if self.onnx else None,
        )


@dataclass(frozen=True)
class ModelSummary:
    """What `edgegreen inspect` shows. `ops` is operator → count; -1 in a shape is a dynamic extent.

    `parameters` counts the elements of all variables (Keras, SavedModel), else of all constants that are
    weights: floats and quantised integers. `costs` are those of one inference, None where `costs_absent` says
    why they are not known. `compiled` are the parts that were compiled for an Edge TPU.
    """

    kind: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ops: dict[str, int]
    parameters: int
    size_bytes: int
    costs: Costs | None = None
    costs_absent: str | None = None
    compiled: tuple[Package, ...] = ()
