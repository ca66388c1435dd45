"""What ONNX Runtime executes, and which provider runs it: read from the events of its profiler.

The optimised graph is told by nothing else in Python. Types are precisions, as an ONNX kernel computes in the
type of its data; an engine of TensorRT chooses for itself and does not tell.
"""

from __future__ import annotations

from typing import Any, Iterable

from .operators import COMPUTE, CONVERSION, DYNAMIC, OTHER, Operator, precision

CPU = "CPUExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
ENGINE = "TensorRT engine"
PRODUCTS = (
    "Conv", "FusedConv", "NhwcFusedConv", "ConvTranspose", "ConvInteger", "QLinearConv",
    "QLinearConvTranspose", "Gemm", "QGemm", "FusedGemm", "MatMul", "FusedMatMul", "QLinearMatMul",
    "MatMulInteger", "MatMulNBits", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "Attention",
    "QAttention", "MultiHeadAttention", "LSTM", "GRU", "RNN", "DynamicQuantizeLSTM",
)  # fmt: skip
HYBRIDS = ("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulNBits")  # floats in, small weights
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
TYPES = {"float": "float32", "double": "float64"}  # the others are called as numpy calls them
KERNEL = "_kernel_time"


class Node:
    """A node of the optimised graph: its last event's `args`, and how long it took in each of its calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.args: dict[str, Any] = {}
        self.took_us: list[int] = []

    @property
    def provider(self) -> str:
        """What ran it, as ONNX Runtime calls it."""
        return str(self.args.get("provider"))

    def operator(self, *, delegated: bool | None, by: str | None = None, runs: int | None) -> Operator:
        """In words that all runtimes share.

        `by` names the provider, where more than one besides the CPU's took part; `runs` is None where times
        are not wanted.
        """
        kind = ENGINE if self.provider == TENSORRT else str(self.args.get("op_name"))
        return Operator(
            self.name or kind,
            "{} ({})".format(kind, by) if by else kind,
            None if kind == ENGINE else self._precision(kind),
            delegated,
            COMPUTE if kind in (*PRODUCTS, ENGINE) else CONVERSION if kind in CONVERSIONS else OTHER,
            None if runs is None else self._mean_ms(runs),
        )

    def _precision(self, kind: str) -> str | None:
        took, gave = (_types(self.args.get(side + "_type_shape")) for side in ("input", "output"))
        if kind not in PRODUCTS:
            return gave[0] if gave else None
        # Weights that were packed for the kernel are not among the inputs any more.
        return DYNAMIC if kind in HYBRIDS else took[0] if took else None

    def _mean_ms(self, runs: int) -> float:
        """Over all runs but the first, which lays out memory. In a loop a node has several calls a run."""
        first = len(self.took_us) // runs if runs > 1 else 0
        return sum(self.took_us[first:]) / max(1, runs - 1) / 1000


def nodes(events: Iterable[dict[str, Any]]) -> tuple[list[Node], int]:
    """The nodes that ran, in the order in which they first did, and how often the model ran."""
    found: dict[tuple[str, str], Node] = {}
    runs = 0
    for event in sorted(events, key=lambda one: int(one.get("ts", 0))):
        name, args = str(event.get("name")), event.get("args")
        runs += name == "model_run"
        if event.get("cat") == "Node" and name.endswith(KERNEL) and isinstance(args, dict):
            name = name[: -len(KERNEL)]
            node = found.setdefault((name, str(args.get("node_index"))), Node(name))
            node.args = args
            node.took_us.append(int(event["dur"]))
    return list(found.values()), runs


def _types(ports: Any) -> list[str]:
    """Of `[{"float": [1, 49, 10, 1]}, …]` the types, as they are called here."""
    return [precision(TYPES.get(name, name)) for port in ports or () for name in port]
