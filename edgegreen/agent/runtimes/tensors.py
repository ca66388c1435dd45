"""Real values ↔ what a model's tensor takes: shape, quantisation and type of one input or output.

The same code feeds models on the board and on the host, so a difference in outputs is never one in
feeding. numpy is imported inside functions, as everywhere in the agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SUPPORTED = (*FLOATS, *INTEGERS, "bool")
LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (-(2**31), 2**31 - 1)}


class Unsupported(ValueError):
    """A model whose inputs or outputs cannot be fed or read; the message names the tensor."""


class Mismatch(ValueError):
    """Data that do not fit a model's input; the message has both shapes."""


@dataclass(frozen=True)
class Tensor:
    """One input or output. A quantised one stands for the real values (q − zero_point) · scale.

    `dtype` is numpy's name of its type. `scale` is None when it is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.dtype not in SUPPORTED:
            raise Unsupported(f"tensor `{self.name}` is of type {self.dtype}, which cannot be fed or read")
        if self.scale is not None and self.dtype not in LIMITS:
            raise Unsupported(f"tensor `{self.name}` is quantised to {self.dtype}, which is not known")


def encode(tensor: Tensor, value: NDArray[Any]) -> NDArray[Any]:
    """What to put into an input `tensor` for the real values `value`.

    Values of exactly the tensor's type go in as they are; others are quantised with its own scale and
    zero point, q = clip(round(x / scale) + zero_point), or cast when it has none. Raises Mismatch.
    """
    import numpy as np

    value = fitted(tensor, value)
    if value.dtype.name == tensor.dtype:
        return value
    if tensor.scale is None:
        return value.astype(tensor.dtype)
    if value.dtype == np.uint8 and (tensor.dtype, tensor.scale, tensor.zero_point) == ("int8", 1.0, -128):
        return (value ^ np.uint8(128)).view(np.int8)  # x − 128, without a detour over floats
    quantised = np.rint(value / tensor.scale) + tensor.zero_point
    low, high = LIMITS[tensor.dtype]
    clipped: NDArray[Any] = np.clip(quantised, low, high).astype(tensor.dtype)
    return clipped


def decode(tensor: Tensor, value: NDArray[Any]) -> NDArray[Any]:
    """The real values in `value`, read from an output `tensor`.

    float32 for floats and quantised tensors; other integers and booleans as they are.
    """
    import numpy as np

    if tensor.scale is not None:
        return (value.astype(np.float32) - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
    return value.astype(np.float32, copy=False) if tensor.dtype in FLOATS else value


def fitted(tensor: Tensor, value: NDArray[Any]) -> NDArray[Any]:
    """`value` in the tensor's shape.

    Extents of 1 may be missing or too many: (1, 28, 28) fits (1, 28, 28, 1). Nothing else is reshaped,
    since (3, 32, 32) has as many values as (32, 32, 3) and means another picture. Raises Mismatch.
    """
    if value.shape == tensor.shape:
        return value
    if [n for n in value.shape if n != 1] != [n for n in tensor.shape if n != 1]:
        raise Mismatch(
            f"input `{tensor.name}` takes shape {words(tensor.shape)}, a sample has {words(value.shape)}"
        )
    return value.reshape(tensor.shape)


def words(shape: tuple[int, ...]) -> str:
    """A shape as it is written: 1×28×28×1."""
    return "×".join(str(extent) for extent in shape) or "scalar"
