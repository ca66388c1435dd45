"""What each pass could win on a graph, before anybody trains: estimates and bounds, each with its assumption.

Sizes are found by doing it to a copy of the weights and deflating that (zlib, level 6); MACs by counting
again with fewer filters or ranks. What it costs in accuracy only `edgegreen deploy` tells.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.costs.graph import Graph, Kernel, Node

SPARSITY, CLUSTERS, FILTERS_LEFT, NORM_KEPT = 0.8, 16, 0.5, 0.9
SMALLEST = 64  # weights; the passes leave kernels below alone
SAMPLE = 1 << 16  # weights of a kernel that are tried; more would tell nothing new
LARGEST_MATRIX = 1 << 22  # elements; singular values of larger ones take too long

Array = NDArray[Any]
Unit = Literal["bytes_deflated", "bytes", "macs", "bytes_moved"]


@dataclass(frozen=True)
class Prospect:
    """What a pass would do to one figure of the model: from `now` to `then`.

    `layers` are those it can work on. `then` is None where it does not apply, for the reason `absent`.
    """

    passes: str
    unit: Unit
    now: int | None
    then: int | None
    layers: tuple[str, ...]
    assumes: str
    absent: str | None


def prospects(graph: Graph) -> tuple[Prospect, ...]:
    """Of all passes that can be told anything of without training; nothing for a graph without weights."""
    if not any(node.kernel for node in graph.nodes):
        return ()
    return (
        _deflated(graph, f"prune {SPARSITY:.0%}", pruned, "the smallest weights of each kernel are zero"),
        _deflated(
            graph, f"cluster {CLUSTERS}", clustered, f"{CLUSTERS} values a kernel, by k-means in its weights"
        ),
        _deflated(
            graph, f"prune {SPARSITY:.0%} + cluster {CLUSTERS}", lambda values: clustered(pruned(values)),
            f"zeros, and {CLUSTERS - 1} values a kernel for the rest",
        ),
        _int8(graph),
        _filters(graph),
        _low_rank(graph),
        _fold(graph),
    )  # fmt: skip


def pruned(values: Array) -> Array:
    """A copy with the smallest SPARSITY of the weights at zero."""
    made = values.copy()
    count = round(SPARSITY * made.size)
    if count:
        made.flat[np.argpartition(np.abs(made), count - 1, axis=None)[:count]] = 0
    return made


def clustered(values: Array, clusters: int = CLUSTERS) -> Array:
    """A copy with at most `clusters` different values, zeros kept: Lloyd's algorithm, evenly spaced at first.

    (The initialisation of Han et al. 2016, arXiv:1510.00149, section 3.2.)
    """
    flat = values.reshape(-1)
    nonzero = flat[flat != 0].astype(np.float64)
    centres = np.linspace(*_range(nonzero), clusters - int(nonzero.size < flat.size))
    for _ in range(10):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, nonzero)
        counts = np.bincount(nearest, minlength=len(centres))
        sums = np.bincount(nearest, nonzero, minlength=len(centres))
        centres = np.sort(np.where(counts, sums / np.maximum(counts, 1), centres))
    made = flat.copy()
    made[flat != 0] = centres[np.searchsorted((centres[1:] + centres[:-1]) / 2, nonzero)]
    return made.reshape(values.shape)


def _range(values: Array) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _weighted(graph: Graph) -> list[tuple[str, Kernel]]:
    """(layer, kernel) of each kernel, shared ones once."""
    found: dict[str, tuple[str, Kernel]] = {}
    for node in graph.nodes:
        if node.kernel:
            found.setdefault(node.kernel.key, (node.name, node.kernel))
    return list(found.values())


def _no_floats(graph: Graph) -> str | None:
    """Why passes on float weights do not apply; None when they do."""
    if any(kernel.is_float for _, kernel in _weighted(graph)):
        return None
    return "its weights are integers already: passes come before quantisation, on the float model"


def _deflated(graph: Graph, passes: str, change: Callable[[Array], Array], assumes: str) -> Prospect:
    """Deflated size of the kernels before and after `change`."""
    kernels = [(name, kernel) for name, kernel in _weighted(graph) if kernel.is_float]
    absent = _no_floats(graph)
    now = then = 0
    for _, kernel in kernels:
        sample, share = _sample(kernel)
        now += round(_size(sample) * share)
        then += round(_size(change(sample) if kernel.values.size >= SMALLEST else sample) * share)
    large = [name for name, kernel in kernels if kernel.values.size >= SMALLEST]
    if any(kernel.values.size > SAMPLE for _, kernel in kernels):
        assumes += f"; from the first {SAMPLE:,} weights of each kernel"
    return Prospect(
        passes, "bytes_deflated", now or None, None if absent else then, tuple(large), assumes, absent
    )


def _sample(kernel: Kernel) -> tuple[Array, float]:
    """At most SAMPLE weights in a row, and how many times as many there are."""
    flat = np.ascontiguousarray(kernel.values).reshape(-1, kernel.outputs)
    some = flat[: max(1, SAMPLE // kernel.outputs)]
    return some, kernel.values.size / some.size


def _size(values: Array) -> int:
    return len(zlib.compress(np.ascontiguousarray(values).tobytes(), 6))


def _int8(graph: Graph) -> Prospect:
    """Size of all weights when kernels have 8 bits; what stands beside them (biases) stays as it is."""
    kernels = {kernel.key for _, kernel in _weighted(graph) if kernel.is_float}
    constants = {one.key: one for node in graph.nodes for one in node.constants}.values()
    now = sum(one.size_bytes or 0 for one in constants)
    small = sum(one.size or 0 for one in constants if one.key in kernels)
    rest = sum(one.size_bytes or 0 for one in constants if one.key not in kernels)
    return Prospect(
        "int8", "bytes", now, None if _no_floats(graph) else small + rest,
        tuple(name for name, kernel in _weighted(graph) if kernel.is_float),
        "kernels in 8 bits, all else as it is; scales and the file's structure not counted; MACs stay",
        _no_floats(graph),
    )  # fmt: skip


def _filters(graph: Graph) -> Prospect:
    """MACs when layers keep half of their filters, and those after them lose the inputs: a bound."""
    halves = _halves(graph)
    now = sum(node.macs or 0 for node in graph.nodes)
    then = sum(
        round((node.macs or 0) * FILTERS_LEFT ** sum(halves[index])) for index, node in enumerate(graph.nodes)
    )
    layers = tuple(node.name for index, node in enumerate(graph.nodes) if node.kernel and halves[index][1])
    absent = _no_floats(graph)
    if absent is None and not layers:
        absent = (
            "no layer's outputs go to another layer with weights: there is nothing behind a filter to save"
        )
    return Prospect(
        f"prune_filters {1 - FILTERS_LEFT:.0%}", "macs", now, None if absent else then, layers,
        "every layer but the last ones keeps half of its filters: a bound, where none is spared for accuracy",
        absent,
    )  # fmt: skip


def _halves(graph: Graph) -> list[tuple[bool, bool]]:
    """Of each node: whether its kernel's inputs come from filters that may go, and whether its own may.

    They may when every way from them to the outputs leads through a kernel that mixes its inputs, and nothing
    of a fixed number of channels is added to them. A depthwise kernel does not mix: it goes with its inputs.
    """
    mixes = [bool(node.kernel and not node.kernel.is_depthwise) for node in graph.nodes]
    whole = _whole(graph, mixes)
    fewer: set[str] = set()
    for node, mixing in zip(graph.nodes, mixes, strict=True):
        may = {tensor.key for tensor in node.outputs} - whole
        if mixing or any(tensor.key in fewer for tensor in node.inputs):
            fewer |= may
    return [
        (
            bool(node.kernel) and any(tensor.key in fewer for tensor in node.inputs),
            mixing and any(tensor.key in fewer for tensor in node.outputs),
        )
        for node, mixing in zip(graph.nodes, mixes, strict=True)
    ]


def _whole(graph: Graph, mixes: Sequence[bool]) -> set[str]:
    """Tensors whose channels all have to stay: outputs, inputs, and what meets them on equal terms."""
    whole = {*graph.inputs, *graph.outputs}
    before = -1
    while len(whole) > before:  # two or three rounds: a residual ties the branches it adds
        before = len(whole)
        for node, mixing in reversed(list(zip(graph.nodes, mixes, strict=True))):
            inputs, outputs = ({tensor.key for tensor in side} for side in (node.inputs, node.outputs))
            if mixing:
                continue
            if outputs & whole or node.role in ("unknown", "lookup") or (_is_equal(node) and inputs & whole):
                whole |= inputs | outputs
    return whole


def _is_equal(node: Node) -> bool:
    """Whether each of its tensors has the same channels: an addition, say, but no concatenation."""
    return node.role != "view" and len({tensor.shape for tensor in (*node.inputs, *node.outputs)}) == 1


def _low_rank(graph: Graph) -> Prospect:
    """MACs when matrices become two thinner ones, where that takes fewer MACs."""
    now = sum(node.macs or 0 for node in graph.nodes)
    then, layers, tried = now, [], 0
    for node in graph.nodes:
        kernel = node.kernel
        if kernel is None or not kernel.is_matrix or not kernel.is_float or node.macs is None:
            continue
        matrix = np.asarray(kernel.values, np.float32).reshape(-1, kernel.outputs)
        if min(matrix.shape) < 2 or matrix.size > LARGEST_MATRIX:
            continue
        tried += 1
        share = rank_for(matrix) * sum(matrix.shape) / matrix.size
        if share < 1:
            layers.append(node.name)
            then -= node.macs - round(node.macs * share)
    absent = _no_floats(graph)
    if absent is None and not tried:
        absent = "no dense or 1×1 layer it could be tried on"
    elif absent is None and not layers:
        absent = f"pays off in none of the {tried} dense and 1×1 layers: too many ranks are needed"
    return Prospect(
        "low_rank", "macs", now, None if absent else then, tuple(layers),
        f"dense and 1×1 layers keep {NORM_KEPT:.0%} of their weights' squared norm; others it does not fit",
        absent,
    )  # fmt: skip


def rank_for(matrix: Array) -> int:
    """The smallest rank that keeps NORM_KEPT of a matrix' squared norm (Eckart & Young 1936)."""
    kept = np.cumsum(np.linalg.svd(matrix, compute_uv=False).astype(np.float64) ** 2)
    return int(np.searchsorted(kept, NORM_KEPT * kept[-1])) + 1


def _fold(graph: Graph) -> Prospect:
    """Bytes moved without the layers that only scale or shift channels beside a product."""
    moved = [_moved(node) for node in graph.nodes]
    gone = [index for index in range(len(graph.nodes)) if _folds(graph, index)]
    now = sum(moved)
    return Prospect(
        "fold", "bytes_moved", now, now - sum(moved[index] for index in gone) if gone else None,
        tuple(graph.nodes[index].name for index in gone),
        "layers that only scale and shift channels become part of the product beside them",
        None if gone else "no layer that only scales or shifts stands beside a product (any more)",
    )  # fmt: skip


def _folds(graph: Graph, index: int) -> bool:
    """Whether an affine layer stands right behind a product, or between the inputs and one."""
    node = graph.nodes[index]
    if not node.affine or len(node.inputs) != 1 or len(node.outputs) != 1:
        return False
    before = _neighbours(graph.nodes[:index], lambda one: one.outputs, node.inputs[0].key)
    after = _neighbours(graph.nodes[index + 1 :], lambda one: one.inputs, node.outputs[0].key)
    alone = sum(node.inputs[0].key in {tensor.key for tensor in one.inputs} for one in graph.nodes) == 1
    behind = alone and any(one.kernel or one.affine for one in before)
    return behind or (bool(after) and all(one.kernel or one.affine for one in after))


def _neighbours(nodes: Sequence[Node], side: Callable[[Node], Any], key: str) -> list[Node]:
    return [node for node in nodes if key in {tensor.key for tensor in side(node)}]


def _moved(node: Node) -> int:
    if node.role in ("view", "unknown"):
        return 0
    return sum(tensor.size_bytes or 0 for tensor in (*node.inputs, *node.constants, *node.outputs))
