"""An Interpreter that sleeps: what a board does costs this machine, which plays all of them, no time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

CALL_S = 0.01


class Interpreter:
    """Looks like LiteRT's to the agent: one float input, one float output."""

    def __init__(self, model_path: str, num_threads: int) -> None:
        with Path(model_path).open("rb") as stream:
            assert stream.read(8)[4:] == b"TFL3"
        self._tensors = {0: np.zeros((1, 8, 8, 1), np.float32), 1: np.zeros((1, 10), np.float32)}

    def allocate_tensors(self) -> None:
        """Nothing to do."""

    def invoke(self) -> None:
        """Wait as long as a model would take."""
        time.sleep(CALL_S)

    def get_input_details(self) -> list[dict[str, Any]]:
        """Of the one input."""
        return [self._details(0, "input")]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Of the one output."""
        return [self._details(1, "output")]

    def set_tensor(self, index: int, value: Any) -> None:
        """Take the input."""
        self._tensors[index][...] = value

    def get_tensor(self, index: int) -> Any:
        """A copy."""
        return self._tensors[index].copy()

    def _details(self, index: int, name: str) -> dict[str, Any]:
        value = self._tensors[index]
        return {
            "index": index, "name": name, "shape": value.shape, "shape_signature": value.shape,
            "dtype": value.dtype.type,
            "quantization_parameters": {"scales": np.empty(0), "zero_points": np.empty(0)},
        }  # fmt: skip
