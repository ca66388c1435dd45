"""Graphs for tests, a line a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgegreen.costs.graph import Graph, Kernel, Node, Tensor


def tensor(key: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(key, shape, dtype)


def dense(name: str, values: Any, source: str, *, macs: int | None = None, **changes: Any) -> Node:
    """A 1×1 convolution or dense layer from tensor `source` to tensor `name`."""
    values = np.asarray(values)
    weights = Tensor(f"{name}/w", values.shape, values.dtype.name)
    whole: dict[str, Any] = {
        "name": name, "type": "FULLY_CONNECTED", "role": "product",
        "inputs": (tensor(source, 1, values.shape[-2]),), "outputs": (tensor(name, 1, values.shape[-1]),),
        "constants": (weights,), "macs": values.size if macs is None else macs,
        "kernel": Kernel(weights.key, values), "arithmetic": "float32",
    }  # fmt: skip
    return Node(**(whole | changes))


def plain(name: str, type_: str, sources: tuple[str, ...], channels: int, **changes: Any) -> Node:
    """An element-wise layer."""
    whole: dict[str, Any] = {
        "name": name, "type": type_, "role": "other",
        "inputs": tuple(tensor(one, 1, channels) for one in sources), "outputs": (tensor(name, 1, channels),),
    }  # fmt: skip
    return Node(**(whole | changes))


def graph(*nodes: Node, outputs: tuple[str, ...] = ()) -> Graph:
    return Graph(nodes, ("x",), outputs or (nodes[-1].outputs[0].key,))
