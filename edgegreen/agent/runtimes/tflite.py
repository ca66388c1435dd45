"""TFLite models in ai-edge-litert or tflite-runtime: one interpreter class under two packages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Callable

from .operators import Operator
from .tensors import Tensor, Unsupported
from .tfliteplan import operators

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .contract import Timing


class TFLite:
    """An Interpreter with its tensors allocated. See `runtimes.Runtime`."""

    own_ns: Callable[[], int] | None = None
    fell_back: str | None = None
    timing: Timing | None = None

    def __init__(self, name: str, version: str, interpreter: Any) -> None:
        self.name, self.version, self._interpreter = name, version, interpreter
        try:
            inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        except ValueError as error:
            raise Unsupported(
                f"an input or output is of a type that cannot be fed or read ({error})"
            ) from error
        self.inputs, self.outputs = (
            [_tensor(one, True) for one in inputs],
            [_tensor(one, False) for one in outputs],
        )
        self._inputs, self._outputs = [one["index"] for one in inputs], [one["index"] for one in outputs]
        self.invoke: Callable[[], Any] = interpreter.invoke
        self.delegate = _delegate(interpreter)

    def set(self, index: int, value: NDArray[Any]) -> None:
        """See `runtimes.Runtime`."""
        self._interpreter.set_tensor(self._inputs[index], value)

    def get(self, index: int) -> NDArray[Any]:
        """See `runtimes.Runtime`."""
        value: NDArray[Any] = self._interpreter.get_tensor(self._outputs[index])
        return value

    def operators(self) -> list[Operator]:
        """See `runtimes.Runtime`."""
        return operators(self._interpreter)


def library(package: str) -> Any:
    """The package's Interpreter class."""
    return importlib.import_module(package + ".interpreter").Interpreter


def load(name: str, package: str, version: str, files: list[str], threads: int) -> TFLite:
    """Load the one .tflite file in `files`."""
    interpreter = library(package)(model_path=files[0], num_threads=threads)
    interpreter.allocate_tensors()
    return TFLite(name, version, interpreter)


def _tensor(details: dict[str, Any], is_input: bool) -> Tensor:
    import numpy as np

    name, shape = str(details["name"]), tuple(int(extent) for extent in details["shape"])
    signature = [int(extent) for extent in details.get("shape_signature", ())]
    if is_input and -1 in signature[1:]:
        # Left alone, the interpreter takes such an extent for 1 and runs a model nobody meant.
        raise Unsupported(
            f"input `{name}` has the dynamic shape {signature}; give `input_shape` in the recipe"
        )
    scales, zero_points = (
        details["quantization_parameters"]["scales"],
        details["quantization_parameters"]["zero_points"],
    )
    dtype = np.dtype(details["dtype"]).name
    if not len(scales):
        return Tensor(name, shape, dtype)
    if len(scales) > 1:
        raise Unsupported(f"tensor `{name}` is quantised per channel; inputs and outputs have one scale")
    return Tensor(name, shape, dtype, float(scales[0]), int(zero_points[0]))


def _delegate(interpreter: Any) -> str | None:
    """XNNPACK when it took nodes of the graph.

    The graph names such nodes DELEGATE only, but none other than the default delegate was asked for.
    """
    try:
        operators = [node["op_name"] for node in interpreter._get_ops_details()]
    except Exception:  # a private method: an interpreter without it says nothing about delegates
        return None
    return "XNNPACK" if "DELEGATE" in operators else None
