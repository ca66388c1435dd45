"""A loaded model fed with samples: real values in, real values out, in the recipe's order.

Used by the trial on the board and by the host's agreement check alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

from .normalize import Normalize
from .runtimes.contract import Runtime
from .runtimes.tensors import FLOATS, Mismatch, Tensor, decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 20240607


class Model:
    """`runtime` with its inputs and outputs put in the recipe's order (see `artifact.Artifact`).

    `normalize` is what the one input's samples go through first; None: they are what the model takes.
    Raises Mismatch when an order does not name each input, or names an output that is not there.
    """

    def __init__(
        self,
        runtime: Runtime,
        input_order: Sequence[int],
        output_order: Sequence[int],
        normalize: Normalize | None = None,
    ) -> None:
        self.runtime, self._normalize = runtime, normalize
        if sorted(input_order) != list(range(len(runtime.inputs))):
            raise Mismatch(
                f"the model has {len(runtime.inputs)} inputs, the order of inputs is {list(input_order)}"
            )
        if not output_order or not set(output_order) <= set(range(len(runtime.outputs))):
            raise Mismatch(
                f"the model has {len(runtime.outputs)} outputs, the order of outputs is {list(output_order)}"
            )
        self._inputs, self._outputs = tuple(input_order), tuple(output_order)

    @property
    def inputs(self) -> list[Tensor]:
        """The inputs, in the recipe's order."""
        return [self.runtime.inputs[index] for index in self._inputs]

    @property
    def outputs(self) -> list[Tensor]:
        """The outputs, in the recipe's order."""
        return [self.runtime.outputs[index] for index in self._outputs]

    def check(self, names: Sequence[str]) -> None:
        """Raise Mismatch unless the data's arrays `names` are as many as the model's inputs."""
        if len(names) != len(self._inputs):
            told = ", ".join(f"`{tensor.name}`" for tensor in self.inputs)
            have = ", ".join(f"`{name}`" for name in names)
            raise Mismatch(
                f"the model has {len(self._inputs)} inputs ({told}), the data {len(names)} ({have})"
            )

    def feed(self, row: Sequence[NDArray[Any]]) -> None:
        """Put one sample in: `row[i]` has shape (1, …). Raises Mismatch."""
        for index, raw in zip(self._inputs, row):
            value = self._normalize(raw) if self._normalize else raw
            self.runtime.set(index, encode(self.runtime.inputs[index], value))

    def read(self) -> list[NDArray[Any]]:
        """The outputs' real values after an invoke, each in the shape the model gives it."""
        return [decode(self.runtime.outputs[index], self.runtime.get(index)) for index in self._outputs]

    def run(self, row: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One sample through the model: the quantity called end_to_end."""
        self.feed(row)
        self.runtime.invoke()
        return self.read()

    def noise(self) -> list[NDArray[Any]]:
        """A made-up sample, the same every time: reals uniform in 0 … 1, integers zero."""
        import numpy as np

        random = np.random.RandomState(SEED)
        return [
            random.uniform(0.0, 1.0, tensor.shape).astype(np.float32)
            if tensor.dtype in FLOATS or tensor.scale is not None
            else np.zeros(tensor.shape, tensor.dtype)
            for tensor in self.inputs
        ]
