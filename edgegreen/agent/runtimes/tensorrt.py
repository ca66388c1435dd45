"""ONNX models in TensorRT engines, built on the board and run by trtexec, a process for each run.

No library is loaded here: engines are timed without Python, by the program that everybody uses for it. The
price is a process, and an engine loaded, for every sample that is evaluated.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable

from ..trtexec import engines, exports, program
from ..trtexec.calls import Calls, input_file
from ..trtexec.order import Order, Port
from .operators import Operator
from .tensors import Tensor, Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .contract import Timing

UNSPOKEN = (",", "'")  # what trtexec takes for the end of a name, or a quote around it


class TensorRT:
    """An engine. See `runtimes.Runtime`."""

    delegate: str | None = None
    fell_back: str | None = None
    own_ns: Callable[[], int] | None = None

    def __init__(self, name: str, version: str, calls: Calls) -> None:
        self.name, self.version, self._calls = name, version, calls
        self.inputs = [_tensor(port) for port in calls.order.inputs]
        self.outputs = [_tensor(port) for port in calls.order.outputs]
        self.timing: Timing | None = calls
        self._values: dict[str, exports.Output] = {}

    def set(self, index: int, value: NDArray[Any]) -> None:
        """See `runtimes.Runtime`."""
        with open(os.path.join(self._calls.engine.folder, input_file(index)), "wb") as stream:
            stream.write(value.tobytes())

    def invoke(self) -> None:
        """See `runtimes.Runtime`; a second or more, nearly all of which is not the inference."""
        self._values = self._calls.infer()

    def get(self, index: int) -> NDArray[Any]:
        """See `runtimes.Runtime`. trtexec writes six digits of each value."""
        import numpy as np

        tensor = self.outputs[index]
        if tensor.name not in self._values:
            raise Unsupported("the engine has no output `{}`".format(tensor.name))
        shape, values = self._values[tensor.name]
        return np.array(values, tensor.dtype).reshape(shape)

    def operators(self) -> list[Operator]:
        """See `runtimes.Runtime`."""
        return self._calls.operators()


def version() -> str | None:
    """TensorRT's version, "unknown" when only running it would tell; None without a trtexec."""
    path = program.find()
    return (program.library_version(path) or "unknown") if path else None


def library(package: str) -> None:
    """Nothing is imported."""


def load(
    name: str,
    package: str,  # noqa: ARG001
    version: str,
    files: list[str],
    threads: int,  # noqa: ARG001  (of the processor, on which nothing of the model runs)
    *,
    engine: Order,
    folder: str,
    told: engines.Told,
) -> TensorRT:
    """Build the engine of the one .onnx file in `files`, unless it was before. Raises Failed, Unsupported."""
    for port in (*engine.inputs, *engine.outputs):
        if any(char in port.name for char in UNSPOKEN):
            raise Unsupported("trtexec cannot be told of a tensor called `{}`".format(port.name))
    found = program.ask()
    built = engines.obtain(found, os.path.abspath(files[0]), engine, folder, told)
    told("load", 0.0)
    return TensorRT(name, found.version or version, Calls(found, built, engine))


def _tensor(port: Port) -> Tensor:
    return Tensor(port.name, port.shape, port.dtype)
