"""Engines of TensorRT, from the host's side: what a board is told to build, and what it is judged by."""

from __future__ import annotations

import re
from concurrent.futures import Future
from dataclasses import dataclass

from edgegreen.agent import subset
from edgegreen.agent.trtexec.order import Order, Port
from edgegreen.artifact import Artifact
from edgegreen.config.tensorrtkeys import TensorRT
from edgegreen.errors import InputError
from edgegreen.formats import FORMATS, Format
from edgegreen.measuring.evaluation import Baseline, EvaluationSet
from edgegreen.metrics import Outputs
from edgegreen.sources import onnxfile
from edgegreen.sources.model import Port as SourcePort

QUANTISED = "QuantizeLinear"
# The newest ONNX opset that the parser of each TensorRT takes, from this version on; None: nobody has said.
# From docs/operators.md of github.com/onnx/onnx-tensorrt at the release's branch; see docs/tensorrt.md.
PARSERS: tuple[tuple[tuple[int, ...], int | None], ...] = (
    ((7, 0), 11), ((7, 2), 13), ((8, 4, 1), 17), ((9, 0), None), ((10, 0), 20), ((10, 2), None),
)  # fmt: skip


@dataclass(frozen=True)
class Fewer:
    """The part of the evaluation set that is evaluated where every sample takes a process.

    `numbers` are its samples in the whole set; `baseline` is what the float model scores on them.
    """

    over: EvaluationSet
    numbers: tuple[int, ...]
    baseline: Future[Baseline | None]

    def expected(self, outputs: Outputs | None) -> Outputs | None:
        """What the host computed of the set's first samples, for those that are in this part."""
        if outputs is None:
            return None
        known = [number for number in self.numbers if number < len(outputs[0])]
        return [output[known] for output in outputs]


def builds(format_: Format) -> bool:
    """Whether models of this format become engines on the board."""
    return FORMATS[format_].engine


def chosen(evaluation: EvaluationSet, keys: TensorRT) -> tuple[EvaluationSet, tuple[int, ...]]:
    """The part of the set that is evaluated, and the numbers of its samples."""
    numbers = tuple(subset.numbers(evaluation.n, keys.samples))
    labels = None if evaluation.labels is None else evaluation.labels[list(numbers)]
    whole = len(numbers) == evaluation.n
    return EvaluationSet(evaluation.file, len(numbers), labels, None if whole else evaluation.n), numbers


def order(artifact: Artifact, keys: TensorRT) -> Order:
    """What the board builds of the artifact. Raises InputError for shapes that are open."""
    path = artifact.files[0].path
    model = onnxfile.read(path)
    # Without a precision it is the author's own file, in which only scales ask for int8.
    precision = artifact.precision or ("int8" if QUANTISED in model.ops else "fp32")
    inputs = tuple(_port(port, fixed=True) for port in model.inputs)
    return Order(precision, keys.build_timeout_s, inputs, tuple(_port(port) for port in model.outputs))


def takes_opset(version: str) -> int | None:
    """The newest opset that this TensorRT takes; None where that, or its version, is not known."""
    if not (numbers := re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)):
        return None
    told = tuple(int(one or 0) for one in numbers.groups())
    return next((opset for first, opset in reversed(PARSERS) if told >= first), None)


def doubt(artifact: Artifact, version: str) -> str | None:
    """Why the board's TensorRT may refuse the model; None where nothing is known against it.

    It is not refused here: a parser looks at operators, not at the number, and most are as they were.
    """
    opset, newest = onnxfile.read(artifact.files[0].path).opset, takes_opset(version)
    if newest is None or opset <= newest:
        return None
    return (
        f"the model is of ONNX opset {opset}, and TensorRT {version} takes {newest} at most: it may refuse "
        f"the model; an .onnx of your own can be exported at {newest}"
    )


def _port(port: SourcePort, *, fixed: bool = False) -> Port:
    """A batch that is left open is one sample; extents of outputs that are open are told as 0."""
    extents = [
        1 if extent is None and not place else extent or 0 for place, extent in enumerate(port.dims or ())
    ]
    if fixed and (port.dims is None or 0 in extents):
        raise InputError(
            f"input `{port.name}` has the dynamic shape {port.dims}", hint="give `input_shape` in the recipe"
        )
    return Port(port.name, tuple(extents), port.dtype)
