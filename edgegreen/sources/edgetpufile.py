"""What a .tflite that was compiled for an Edge TPU tells of itself, operators and programs together."""

from __future__ import annotations

from typing import Any

from edgegreen.edgetpulog import MAPPED, Compilation, Mapping
from edgegreen.sources import tflitefile
from edgegreen.sources.edgetpupackage import Package, package

LEFT = "Left as it was"


def packages(model: Any) -> tuple[Package, ...]:
    """Those of all Edge TPU operators in a ModelT that can be read."""
    options = [
        op.customOptions
        for graph in model.subgraphs
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].customCode == tflitefile.EDGETPU_OP
    ]
    found = [package(bytes(bytearray(one))) for one in options if one is not None]
    return tuple(one for one in found if one)


def compilation(model: Any) -> Compilation | None:
    """What the file tells of its compilation, each compiled part counted as one operator; None: it is not."""
    if not tflitefile.is_compiled(model):
        return None
    parts, ops = packages(model), tflitefile.ops(model)
    own = tflitefile.EDGETPU_OP.decode()
    return Compilation(
        compiler=next((one.compiler for one in parts if one.compiler), None),
        operators=sum(ops.values()),
        on_tpu=ops.get(own, 0),
        on_chip_bytes=sum(one.on_chip_bytes for one in parts) if parts else None,
        on_chip_free_bytes=None,
        streamed_bytes=sum(one.streamed_bytes for one in parts) if parts else None,
        subgraphs=ops.get(own, 0),
        took_ms=None,
        mappings=tuple(Mapping(name, count, MAPPED if name == own else LEFT) for name, count in ops.items()),
    )
