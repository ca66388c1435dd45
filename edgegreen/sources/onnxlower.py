"""A float .onnx of ours at an older opset, for parsers that take no newer one. Never a user's own file.

ONNX's own converter goes no lower than opset 14. Most operators of 14 to 18 are those of 13 with more types,
or with attributes that are not used; a few take another form; what has none stays at its opset. Nothing is
taken on trust: the older file has to compute what the source computes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgegreen.errors import ConversionError
from edgegreen.sources import host
from edgegreen.sources import outputs as stored
from edgegreen.sources.agreement import FLOAT_FLOOR_DB, compare, refuse_if_broken
from edgegreen.sources.model import ModelFile, Source
from edgegreen.sources.request import Request
from edgegreen.workers.report import Report

# For TensorRT: the newest that the oldest parser takes which takes int8 (docs/tensorrt.md), and where a model
# has no form in that, the newest of those in between.
OPSETS = (13, 17)
# Values that an attribute of 13 got later (Resize-19, Pad-19); what checks a model knows names only.
LATER = {"coordinate_transformation_mode": (b"half_pixel_symmetric",), "mode": (b"wrap",)}


class _NotSo(Exception):
    """An operator that the older opset has in no form; the text names it."""


def lower(report: Report, request: Request, source: Source, hub: ModelFile, folder: Path) -> ModelFile:
    """The hub's file, in `folder`, at the first of OPSETS that it can be at, else at its own."""
    import onnx

    report("exporting")
    made = replace(hub, files=(folder / hub.files[0].name,))
    for opset in OPSETS:
        try:
            older = lowered(onnx.load(hub.files[0]), opset)
        except (ConversionError, onnx.checker.ValidationError):
            continue
        onnx.save(older, made.files[0])
        if _computes_the_same(request, source, made):
            return made
    shutil.copyfile(hub.files[0], made.files[0])
    return made


def lowered(model: Any, opset: int) -> Any:
    """The model with its operators as `opset` has them. Raises ConversionError naming one that it has not."""
    import onnx

    have = next(one for one in model.opset_import if one.domain in ("", "ai.onnx"))
    graph = _Graph(model.graph, have.version, opset)
    try:
        nodes = [made for node in model.graph.node for made in graph.older(node)]
    except _NotSo as error:
        raise ConversionError(f"opset {opset} has no {error}") from None
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(graph.constants)
    have.version = min(have.version, opset)
    onnx.checker.check_model(model)
    return model


def _computes_the_same(request: Request, source: Source, made: ModelFile) -> bool:
    """Whether the file computes what the source does, on its check samples."""
    rows = request.check_samples.rows(source.inputs)
    try:
        found = compare(stored.rows(source.check), host.outputs(made, rows, request.threads))
        refuse_if_broken(found, FLOAT_FLOOR_DB, source.checked_on)
    except (OSError, MemoryError):
        raise
    except Exception:  # the runtime has classes of its own for a graph that it does not take
        return False
    return True


class _Graph:
    """One graph's nodes made older, one after the other. `constants` are what the new ones need."""

    def __init__(self, graph: Any, have: int, opset: int) -> None:
        from onnx import numpy_helper

        self.have, self.opset = have, opset
        self.constants: list[Any] = []
        self._values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self._ranks = {
            one.name: len(one.type.tensor_type.shape.dim) for one in (*graph.input, *graph.value_info)
        }

    def older(self, node: Any) -> list[Any]:
        """The node, or those that stand for it. Raises _NotSo."""
        from onnx import defs

        if node.domain not in ("", "ai.onnx"):
            return [node]
        if any(one.HasField("g") or one.graphs for one in node.attribute):
            raise _NotSo(f"{node.op_type} that can be made older")  # its graphs would have to be, too
        if defs.get_schema(node.op_type, self.have).since_version <= self.opset:
            return [node]
        if change := CHANGES.get(node.op_type):
            return list(change(self, node))
        self.trim(node)
        return [node]

    def trim(self, node: Any) -> None:
        """Take from the node what it has as a newer default; raise _NotSo for more that the opset lacks."""
        from onnx import defs, helper

        try:
            old = defs.get_schema(node.op_type, self.opset)
        except defs.SchemaError:
            raise _NotSo(node.op_type) from None
        known = defs.get_schema(node.op_type, self.have).attributes
        for attribute in [one for one in node.attribute if one.name not in old.attributes]:
            usual = known[attribute.name].default_value
            value = helper.get_attribute_value
            plain = bool(usual.name) and value(usual) == value(attribute)
            if not (plain or self._means_nothing(node, attribute.name)):
                raise _NotSo(f"{node.op_type} with `{attribute.name}`")
            node.attribute.remove(attribute)
        for attribute in node.attribute:
            if helper.get_attribute_value(attribute) in LATER.get(attribute.name, ()):
                raise _NotSo(f"{node.op_type} with `{attribute.name}: {attribute.s.decode()}`")
        if len(node.input) > old.max_input:
            raise _NotSo(f"{node.op_type} with {len(node.input)} inputs")

    def _means_nothing(self, node: Any, attribute: str) -> bool:
        """Whether `allowzero`, which torch always writes, meets a shape without a zero."""
        shape = self._values.get(node.input[1]) if attribute == "allowzero" else None
        return shape is not None and bool(np.all(shape != 0))

    def value(self, node: Any, index: int) -> list[int] | None:
        """An input as integers; None where it is left out. Raises _NotSo for one that is computed."""
        if len(node.input) <= index or not node.input[index]:
            return None
        found = self._values.get(node.input[index])
        if found is None:
            raise _NotSo(f"{node.op_type} with a computed `{node.input[index]}`")
        return [int(one) for one in found.ravel()]

    def rank(self, node: Any) -> int:
        """How many extents the first input has. Raises _NotSo where it is not known."""
        if not (rank := self._ranks.get(node.input[0])):
            raise _NotSo(f"{node.op_type} of an unknown shape")
        return rank

    def constant(self, name: str, value: np.ndarray[Any, Any]) -> str:
        """A new initializer; its name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(value, name))
        return name


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def _reduced(graph: _Graph, node: Any) -> Iterator[Any]:
    """Axes are an attribute until 17, but for ReduceSum."""
    from onnx import helper

    axes, given = graph.value(node, 1), _attributes(node)
    if not axes and given.get("noop_with_empty_axes"):
        raise _NotSo(f"{node.op_type} that does nothing")
    kept = {"keepdims": given.get("keepdims", 1), **({"axes": axes} if axes else {})}
    yield helper.make_node(node.op_type, [node.input[0]], list(node.output), node.name, **kept)


def _split(_: _Graph, node: Any) -> Iterator[Any]:
    """Without `num_outputs` the parts are even, which is said by nothing at all."""
    if len(node.input) < 2 and (whole := _attributes(node).get("num_outputs")) != len(node.output):
        raise _NotSo(f"Split into {whole}")
    for attribute in [one for one in node.attribute if one.name == "num_outputs"]:
        node.attribute.remove(attribute)
    yield node


def _layer_normalised(graph: _Graph, node: Any) -> Iterator[Any]:
    """Its definition in ONNX: (x - mean) / sqrt(variance + epsilon) · scale + bias, over the last axes."""
    from onnx import helper

    if len(node.output) > 1 and any(node.output[1:]):
        raise _NotSo("LayerNormalization that gives its mean")
    given, y = _attributes(node), node.output[0]
    axis = given.get("axis", -1)
    axes = list(range(axis if axis < 0 else axis - graph.rank(node), 0))
    epsilon = graph.constant(f"{y}/epsilon", np.array(given.get("epsilon", 1e-5), np.float32))

    def made(kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> Any:
        return helper.make_node(kind, list(inputs), [name], name, **attributes)

    yield made("ReduceMean", [node.input[0]], f"{y}/mean", axes=axes, keepdims=1)
    yield made("Sub", [node.input[0], f"{y}/mean"], f"{y}/centred")
    yield made("Mul", [f"{y}/centred"] * 2, f"{y}/squared")
    yield made("ReduceMean", [f"{y}/squared"], f"{y}/variance", axes=axes, keepdims=1)
    yield made("Add", [f"{y}/variance", epsilon], f"{y}/above_zero")
    yield made("Sqrt", [f"{y}/above_zero"], f"{y}/deviation")
    yield made("Div", [f"{y}/centred", f"{y}/deviation"], f"{y}/normalised")
    biased = len(node.input) > 2 and bool(node.input[2])
    yield made("Mul", [f"{y}/normalised", node.input[1]], f"{y}/scaled" if biased else y)
    if biased:
        yield made("Add", [f"{y}/scaled", node.input[2]], y)


def _hard_swish(_: _Graph, node: Any) -> Iterator[Any]:
    """The input times its hard sigmoid: its definition in ONNX."""
    from onnx import helper

    (x,), (y,) = node.input, node.output
    yield helper.make_node("HardSigmoid", [x], [f"{y}/gate"], f"{y}/gate", alpha=1 / 6, beta=0.5)
    yield helper.make_node("Mul", [x, f"{y}/gate"], [y], node.name)


REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
    "ReduceProd", "ReduceSumSquare",
)  # fmt: skip
# Operators that had another form, or none.
CHANGES: dict[str, Callable[[_Graph, Any], Iterator[Any]]] = {
    **dict.fromkeys(REDUCTIONS, _reduced),
    "Split": _split,
    "LayerNormalization": _layer_normalised,
    "HardSwish": _hard_swish,
}
