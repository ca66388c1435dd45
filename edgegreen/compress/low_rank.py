"""Low-rank layers: a dense layer or a 1×1 convolution becomes two thinner ones, where that saves work.

A kernel of `in` × `out` becomes the product of `in` × r and r × `out` that is nearest to it of all of rank r:
its singular value decomposition, cut off (Eckart & Young 1936; for networks Denton et al. 2014,
arXiv:1404.0736). That saves multiplications when r·(in + out) < in·out. A kernel that an earlier pass has
made sparse stays as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress import graph
from edgegreen.compress.constraints import found_in
from edgegreen.compress.graph import Part
from edgegreen.compress.training import Training
from edgegreen.config.passes import LowRank


def apply(model: Any, parameters: LowRank, training: Training) -> Any:
    """The model with its layers split where that saves work, fine-tuned."""
    before = model.count_params(), graph.macs(model)
    split: list[str] = []

    def replace(layer: Any) -> list[Part] | None:
        if not _is_a_product(layer):
            return None
        kernel = _matrix(layer)
        first, second = factors(kernel, rank_of(kernel, parameters))
        rank = first.shape[1]
        if rank * sum(kernel.shape) >= kernel.size:
            return None
        if found_in(layer.kernel) is not None:
            training.note(f"left alone: {layer.name}: its zeros or shared values would be lost")
            return None
        split.append(f"{layer.name} ({rank} of {min(kernel.shape)})")
        return _two(layer, first, second)

    model = graph.rebuild(model, replace)
    if split:
        training.fit(model, parameters)
    training.note(f"split {', '.join(split)}" if split else "no layer is split: none would take less work")
    training.note(graph.change(before, (model.count_params(), graph.macs(model))))
    return model


def rank_of(kernel: NDArray[Any], parameters: LowRank) -> int:
    """How many singular values are kept; at least one."""
    if parameters.rank is not None:
        return max(1, round(parameters.rank * int(min(kernel.shape))))
    squares = np.linalg.svd(kernel.astype(np.float64), compute_uv=False) ** 2
    enough = np.searchsorted(squares.cumsum(), parameters.energy * squares.sum()) + 1
    return min(int(enough), len(squares))


def factors(kernel: NDArray[Any], rank: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(in, rank) and (rank, out), whose product is nearest to the kernel; equal in norm, for quantisation."""
    left, values, right = np.linalg.svd(kernel.astype(np.float64), full_matrices=False)
    root = np.sqrt(values[:rank])
    return (left[:, :rank] * root).astype(np.float32), (root[:, None] * right[:rank]).astype(np.float32)


def _is_a_product(layer: Any) -> bool:
    """Whether it is a matrix product at each place, and nothing but it."""
    kind = graph.kind_of(layer)
    if kind == "Dense":
        return True
    return (
        kind in ("Conv1D", "Conv2D", "Conv3D")
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and set(layer.kernel_size) == {1}
    )


def _matrix(layer: Any) -> NDArray[Any]:
    kernel: NDArray[Any] = layer.kernel.numpy()
    return kernel.reshape(kernel.shape[-2:])


def _two(layer: Any, first: NDArray[Any], second: NDArray[Any]) -> list[Part]:
    """The thin layer, which takes the strides, and the one that makes the outputs and keeps the name."""
    lead = (1,) * (len(layer.kernel.shape) - 2)
    size = "units" if graph.kind_of(layer) == "Dense" else "filters"
    narrow: dict[str, Any] = {
        "name": f"{layer.name}_narrow", size: first.shape[1], "use_bias": False, "activation": None,
    }  # fmt: skip
    wide = {"strides": lead} if lead else {}
    bias = [layer.bias.numpy()] if layer.use_bias else []
    return [
        graph.copy_of(layer, [first.reshape(*lead, *first.shape)], **narrow),
        graph.copy_of(layer, [second.reshape(*lead, *second.shape), *bias], **wide),
    ]
