"""A model's graph as costs see it: tensors with their shapes and types, and what each operator multiplies.

The readers in `sources/` make these from a file; batch is 1 everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from numpy.typing import NDArray

Shape = tuple[int, ...]

# product: convolutions and matrix products; lookup: reads the rows it is asked for; view: moves nothing;
# unknown: nobody but its runtime knows what it does.
Role = Literal["product", "lookup", "view", "other", "unknown"]


def roles(
    *, product: Iterable[str], lookup: Iterable[str], view: Iterable[str], other: Iterable[str]
) -> dict[str, Role]:
    """The role of each kind of operator; a kind in several has the first. What is in none is unknown."""
    rows: tuple[tuple[Role, Iterable[str]], ...] = (
        ("other", other), ("view", view), ("lookup", lookup), ("product", product),
    )  # fmt: skip
    return {kind: role for role, kinds in rows for kind in kinds}


BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "int64": 64, "uint64": 64, "int32": 32,
    "uint32": 32, "int16": 16, "uint16": 16, "int8": 8, "uint8": 8, "bool": 8, "int4": 4, "uint4": 4,
    "int2": 2, "complex64": 64, "complex128": 128,
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """What flows between operators, or a constant. `shape` is None where only running the model tells it.

    `key` tells the tensors of one graph apart; `dtype` is the type it is stored in.
    """

    key: str
    shape: Shape | None
    dtype: str

    @property
    def size(self) -> int | None:
        """Number of elements."""
        return None if self.shape is None else prod(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """Bytes it takes, part bytes of small types filled up; None where shape or type are not known."""
        bits = BITS.get(self.dtype)
        return None if self.size is None or bits is None else -(-self.size * bits // 8)


@dataclass(frozen=True)
class Kernel:
    """The weights of a product, as (extents of the window …, inputs of a group, outputs).

    A dense layer's is (inputs, outputs). Of quantised weights `values` are the stored integers less their
    zero point: zeros are zeros, and equal values of one output are equal weights. `key` is its tensor's.
    """

    key: str
    values: NDArray[Any]
    groups: int = 1

    @property
    def outputs(self) -> int:
        """Filters of a convolution, units of a dense layer."""
        return int(self.values.shape[-1])

    @property
    def is_depthwise(self) -> bool:
        """Whether each input has filters of its own."""
        return self.groups > 1 and self.values.shape[-2] == 1

    @property
    def is_matrix(self) -> bool:
        """Whether it is a matrix: of a dense layer, or a convolution with a window of 1."""
        return self.groups == 1 and prod(self.values.shape[:-2]) == 1

    @property
    def is_float(self) -> bool:
        """Whether its weights are real numbers yet."""
        return self.values.dtype.kind == "f"


@dataclass(frozen=True)
class Node:
    """One operator, with what was fused into it. `type` is the file's own word for it.

    `macs` is None where they are not known. `constants` are its weights, `kernel` those that multiply inputs
    among them (None when there are none, or their values could not be read). `arithmetic` is what a product
    is computed in. `affine`: it only scales or shifts channels by constants.
    """

    name: str
    type: str
    role: Role
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    constants: tuple[Tensor, ...] = ()
    macs: int | None = 0
    kernel: Kernel | None = None
    arithmetic: str | None = None
    affine: bool = False


@dataclass(frozen=True)
class Graph:
    """The operators in order of execution, and the keys of the tensors that come in and go out."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
