"""What a TFLite interpreter executes: its nodes, the types of their tensors, and which a delegate took.

TFLite has a kernel for each type and never computes in another one, so types are precisions. The Python
package tells all this, in part by methods it calls private, which are alike in tflite-runtime 2.14 and
ai-edge-litert 2.3. It does not tell how long a node takes: the profiler is there for C and C++ only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .operators import COMPUTE, CONVERSION, DYNAMIC, FLOATS, OTHER, Operator, precision

# Kind → which of its inputs are the data and the weights.
PRODUCTS = {
    "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1), "CONV_3D": (0, 1), "TRANSPOSE_CONV": (2, 1),
    "CONV_3D_TRANSPOSE": (2, 1), "FULLY_CONNECTED": (0, 1), "BATCH_MATMUL": (0, 1),
    "LSTM": (0, 2), "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, 2), "BIDIRECTIONAL_SEQUENCE_LSTM": (0, 2),
    "RNN": (0, 1), "UNIDIRECTIONAL_SEQUENCE_RNN": (0, 1), "SVDF": (0, 1),
}  # fmt: skip
CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
ABSENT = -1  # an optional input that is not given


class Node(NamedTuple):
    """One node of the main graph; tensors by number."""

    kind: str
    inputs: list[int]
    outputs: list[int]


def operators(interpreter: Any) -> list[Operator]:
    """The operators of the model's main graph. A delegate's own nodes stand for some of them."""
    nodes = [
        Node(node["op_name"], [int(i) for i in node["inputs"]], [int(i) for i in node["outputs"]])
        for node in interpreter._get_ops_details()
    ]
    types = {one["index"]: _type(one["dtype"]) for one in interpreter.get_tensor_details()}
    delegates = [node for node in nodes if _is_delegate(node)]
    own = [node for node in nodes if not _is_delegate(node)]
    varying = {one["index"] for one in interpreter.get_input_details()}
    varying.update(tensor for node in own for tensor in node.outputs)
    taken = _taken(own, delegates)
    return [
        Operator(
            "{} {}".format(node.kind, number),
            node.kind,
            _precision(node, types),
            number in taken,
            _role(node, varying),
        )
        for number, node in enumerate(own)
    ]


def _taken(nodes: list[Node], delegates: list[Node]) -> set[int]:
    """Numbers of the nodes that delegates run: those between a delegate's inputs and its outputs."""
    makers = {tensor: number for number, node in enumerate(nodes) for tensor in node.outputs}
    taken: set[int] = set()
    for delegate in delegates:
        given, wanted = set(delegate.inputs), list(delegate.outputs)
        while wanted:
            tensor = wanted.pop()
            number = makers.get(tensor)
            if tensor not in given and number is not None and number not in taken:
                taken.add(number)
                wanted.extend(nodes[number].inputs)
    return taken


def _precision(node: Node, types: dict[int, str]) -> str | None:
    if node.kind not in PRODUCTS:
        return types.get(node.outputs[0]) if node.outputs else None
    data, weights = (types.get(node.inputs[place]) for place in PRODUCTS[node.kind])
    if data in FLOATS and weights is not None and weights not in FLOATS:
        return DYNAMIC
    return data


def _role(node: Node, varying: set[int]) -> str:
    if node.kind in PRODUCTS:
        return COMPUTE
    # Weights that are stored small are unpacked once, not in each call.
    return CONVERSION if node.kind in CONVERSIONS and node.inputs[0] in varying else OTHER


def _is_delegate(node: Node) -> bool:
    return node.kind == "DELEGATE" or "Delegate" in node.kind


def _type(dtype: Any) -> str:
    import numpy as np

    return precision(np.dtype(dtype).name)
