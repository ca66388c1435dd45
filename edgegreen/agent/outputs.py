"""Outputs of many samples gathered into events of a handy size."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Callable

from .wire import MAX_SAMPLE_OUTPUT_BYTES, OUTPUTS_CHUNK_BYTES, Failed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OutputChunks:
    """Collects the outputs of one sample after another and hands on the fields of `outputs` events.

    A leading extent of 1 is the batch and becomes the samples' dimension; an output without one gets
    one. Samples whose outputs differ in shape (detections, say) do not share an event.
    """

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit
        self._start = 0
        self._rows: list[list[NDArray[Any]]] = []
        self._bytes = 0

    def add(self, outputs: list[NDArray[Any]]) -> None:
        """Take the next sample's outputs. Raises Failed when they are too large for one event."""
        row = [value if value.shape[:1] == (1,) else value[None] for value in outputs]
        size = sum(value.nbytes for value in row)
        if size > MAX_SAMPLE_OUTPUT_BYTES:
            limit = MAX_SAMPLE_OUTPUT_BYTES >> 20
            raise Failed(
                "data",
                f"the outputs of one sample take {size >> 20} MB, more than the {limit} MB that can be sent",
            )
        if self._rows and [value.shape for value in row] != [value.shape for value in self._rows[0]]:
            self.flush()
        self._rows.append(row)
        self._bytes += size
        if self._bytes >= OUTPUTS_CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand on what has been collected."""
        if not self._rows:
            return
        import numpy as np

        tensors = [np.concatenate(column) for column in zip(*self._rows)]
        count = len(self._rows)
        self._emit({"start": self._start, "n": count, "tensors": [_packed(tensor) for tensor in tensors]})
        self._start += count
        self._rows, self._bytes = [], 0


def _packed(tensor: NDArray[Any]) -> dict[str, Any]:
    little = tensor.astype(tensor.dtype.newbyteorder("<"), copy=False)
    data = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": little.dtype.str, "shape": list(little.shape), "data": data}
