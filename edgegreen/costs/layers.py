"""Costs of every layer of a graph, and of all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgegreen.costs import energy, prospects
from edgegreen.costs.energy import Estimate
from edgegreen.costs.graph import Graph, Kernel, Node, Shape, Tensor
from edgegreen.costs.prospects import Prospect


@dataclass(frozen=True)
class LayerCost:
    """One layer, for one inference of one sample.

    `read_bytes` are those of its inputs and weights, in the types they are stored in, `written_bytes` those
    of its outputs. `intensity` is MACs per byte read or written. `sparsity` (share of zeros) and
    `distinct` (number of different values) are its kernel's. None: it has no kernel, or `absent` says why.
    """

    name: str
    type: str
    output: Shape | None
    parameters: int | None
    macs: int | None
    read_bytes: int | None
    written_bytes: int | None
    intensity: float | None
    sparsity: float | None
    distinct: int | None
    arithmetic: str | None
    energy_estimate: Estimate | None
    absent: str | None


@dataclass(frozen=True)
class Totals:
    """The sum of all layers; at least that much where `incomplete` names types whose figures are not known.

    `parameters` counts weights that layers share once. None where nothing is known, and for the energy where
    one layer's is not: an estimate of half a model would mislead.
    """

    parameters: int | None
    macs: int | None
    read_bytes: int
    written_bytes: int
    intensity: float | None
    sparsity: float | None
    distinct: int | None
    energy_estimate: Estimate | None
    incomplete: tuple[str, ...]


@dataclass(frozen=True)
class Basis:
    """What the energy estimate rests on, in words."""

    source: str = energy.SOURCE
    year: int = energy.YEAR
    node_nm: int = energy.NODE_NM
    supply_v: float = energy.SUPPLY_V
    assumes: tuple[str, ...] = energy.ASSUMES
    left_out: tuple[str, ...] = energy.LEFT_OUT


@dataclass(frozen=True)
class Costs:
    """All of it. `of` says whose graph it is, where it is not the file's own.

    `passes_absent` says why a recipe's passes cannot be applied to this very file, where they cannot.
    """

    of: str | None
    layers: tuple[LayerCost, ...]
    total: Totals
    energy_basis: Basis
    prospects: tuple[Prospect, ...]
    passes_absent: str | None


def costs(graph: Graph, of: str | None = None, passes_absent: str | None = None) -> Costs:
    """Costs of a graph."""
    found = tuple(_layer(node) for node in graph.nodes)
    expected = prospects.prospects(graph)
    return Costs(of, found, _total(graph.nodes, found), Basis(), expected, passes_absent)


def _layer(node: Node) -> LayerCost:
    read, written = _bytes(node)
    moved = None if read is None or written is None else read + written
    known = node.role != "unknown"
    parameters = sum(one.size or 0 for one in _unique(node.constants))
    return LayerCost(
        name=node.name,
        type=node.type,
        output=node.outputs[0].shape if node.outputs else None,
        parameters=parameters if known or parameters else None,
        macs=node.macs,
        read_bytes=read,
        written_bytes=written,
        intensity=node.macs / moved if node.macs is not None and moved else None,
        sparsity=_sparsity([node.kernel]) if node.kernel else None,
        distinct=_distinct([node.kernel]) if node.kernel else None,
        arithmetic=node.arithmetic,
        energy_estimate=(
            None if node.macs is None or moved is None else energy.estimate(node.macs, node.arithmetic, moved)
        ),
        absent=_absent(node, moved),
    )


def _bytes(node: Node) -> tuple[int | None, int | None]:
    """Bytes read and written, each tensor once."""
    if node.role == "unknown":
        return None, None
    if node.role == "view":
        return 0, 0
    written = _sum(node.outputs)
    if node.role == "lookup":
        return (None if written is None else written + (_sum(node.inputs) or 0)), written
    return _sum((*node.inputs, *node.constants)), written


def _sum(tensors: Iterable[Tensor]) -> int | None:
    sizes = [one.size_bytes for one in _unique(tensors)]
    return sum(size for size in sizes if size is not None) if None not in sizes else None


def _unique(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list({one.key: one for one in tensors}.values())


def _absent(node: Node, moved: int | None) -> str | None:
    """Why a figure is missing; None when none is."""
    if node.role == "unknown":
        return f"what {node.type} computes is known to its runtime only"
    if node.macs is None or moved is None:
        return f"the shapes of {node.type} depend on the input's, which the file leaves open"
    if node.macs and node.arithmetic not in energy.MAC_PJ:
        return f"no cost of {node.arithmetic or 'its'} arithmetic is published in the energy table"
    return None


def _sparsity(kernels: Sequence[Kernel]) -> float | None:
    size = sum(kernel.values.size for kernel in kernels)
    nonzero = sum(int(np.count_nonzero(kernel.values)) for kernel in kernels)
    return 1 - nonzero / size if size else None


def _distinct(kernels: Sequence[Kernel]) -> int | None:
    values = [np.unique(kernel.values).astype(np.float64) for kernel in kernels]
    return len(np.unique(np.concatenate(values))) if values else None


def _total(nodes: Sequence[Node], found: Sequence[LayerCost]) -> Totals:
    macs = sum(one.macs or 0 for one in found)
    read = sum(one.read_bytes or 0 for one in found)
    written = sum(one.written_bytes or 0 for one in found)
    kernels = list({node.kernel.key: node.kernel for node in nodes if node.kernel}.values())
    estimates = [one.energy_estimate for one in found if one.energy_estimate]
    shared = _unique(tensor for node in nodes for tensor in node.constants)
    parameters = sum(tensor.size or 0 for tensor in shared)
    missing = [
        one for one in found if one.macs is None or one.read_bytes is None or one.written_bytes is None
    ]
    return Totals(
        parameters=parameters if parameters or not missing else None,
        macs=macs if macs or not missing else None,
        read_bytes=read,
        written_bytes=written,
        intensity=macs / (read + written) if read + written and not missing else None,
        sparsity=_sparsity(kernels),
        distinct=_distinct(kernels),
        energy_estimate=Estimate(
            arithmetic_uj=sum(one.arithmetic_uj for one in estimates),
            low_uj=sum(one.low_uj for one in estimates),
            high_uj=sum(one.high_uj for one in estimates),
        )
        if len(estimates) == len(found)
        else None,
        incomplete=tuple(dict.fromkeys(one.type for one in missing)),
    )
