"""What training must not undo: applied by the optimizer to a variable after each of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FEW_ZEROS = 0.02  # of a kernel: fewer are chance, not somebody's pruning


class Zeros:
    """Keeps weights at zero where `mask` (of the variable's shape) is 0."""

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def __call__(self, value: Any) -> Any:
        """The value with its zeros."""
        return value * self.mask


def kernels(model: Any) -> list[Any]:
    """The weights that multiply inputs: of convolutions and dense layers, those of nested models included."""
    found: list[Any] = []
    for layer in model._flatten_layers(include_self=False, recursive=True):
        for name in ("kernel", "_kernel", "depthwise_kernel", "pointwise_kernel"):
            variable = getattr(layer, name, None)
            if (
                variable is not None
                and hasattr(variable, "assign")
                and all(variable is not one for one in found)
            ):
                found.append(variable)
    return found


@contextmanager
def kept(variables: list[Any], keep: Any) -> Iterator[None]:
    """Within the block each variable has the constraint `keep(variable)`, beside any of its own."""
    before = [variable.constraint for variable in variables]
    for variable in variables:
        variable.constraint = keep(variable)
    try:
        yield
    finally:
        for variable, constraint in zip(variables, before, strict=True):
            variable.constraint = constraint


def zeros_of(variable: Any) -> Zeros | None:
    """The zeros that an earlier pass made in a kernel; None when there are none to speak of."""
    import numpy as np

    mask = np.asarray(variable.numpy() != 0, np.float32)
    return Zeros(mask) if mask.mean() < 1 - FEW_ZEROS else None
