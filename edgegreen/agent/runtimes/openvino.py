"""OpenVINO IR models, set up for latency: one stream, one request."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from . import openvinodevices
from .operators import COMPUTE, CONVERSION, FLOATS, OTHER, Operator, precision
from .tensors import Tensor, Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .contract import Timing

DTYPES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "boolean": "bool",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip
# By the CPU and GPU plugins' `layerType`. Folded constants run once, when the model is compiled.
CONSTANT = "Const"
NOT_RUN = (CONSTANT, "Input", "Output")
PRODUCTS = (
    "Convolution", "Deconvolution", "BinaryConvolution", "DeformableConvolution", "FullyConnected", "MatMul",
    "RNNCell", "RNNSeq", "ScaledDotProductAttention", "Gemm",
)  # fmt: skip
CONVERSIONS = ("FakeQuantize", "Convert", "Reorder", "Eltwise", "Subgraph", "Quantize")


class OpenVINO:
    """A compiled model and its one request. See `runtimes.Runtime`.

    `device` is what it was compiled for, where that was asked for.
    """

    fell_back: str | None = None
    timing: Timing | None = None

    def __init__(self, name: str, version: str, compiled: Any, device: str | None = None) -> None:
        self.name, self.version, self.device = name, version, device
        self._compiled, self._request = compiled, compiled.create_infer_request()
        self.inputs = [_tensor(port) for port in compiled.inputs]
        self.outputs = [_tensor(port) for port in compiled.outputs]
        self._inputs = [self._request.get_input_tensor(index).data for index in range(len(self.inputs))]
        self.invoke: Callable[[], Any] = partial(self._request.infer, share_outputs=True)
        self.own_ns: Callable[[], int] | None = self._own_ns

    @property
    def delegate(self) -> str | None:
        """The device that was asked for, what AUTO made of it, and the precision of floats; see `Runtime`."""
        precision = _precision(self._compiled)
        if self.device is None:
            return precision
        words = [openvinodevices.used(self._compiled, self.device), precision]
        return " ".join(word for word in words if word)

    def set(self, index: int, value: NDArray[Any]) -> None:
        """See `runtimes.Runtime`."""
        self._inputs[index][...] = value

    def get(self, index: int) -> NDArray[Any]:
        """See `runtimes.Runtime`."""
        value: NDArray[Any] = self._request.get_output_tensor(index).data.copy()
        return value

    def operators(self) -> list[Operator]:
        """See `runtimes.Runtime`: the nodes of the graph the plugin made of the model, without constants."""
        constant: set[str] = set()
        found = []
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            sources = [port.get_source_output().get_node().get_friendly_name() for port in node.inputs()]
            kind = _said(node, "layerType")
            if kind == CONSTANT or (sources and constant.issuperset(sources)):
                constant.add(node.get_friendly_name())
            elif kind not in NOT_RUN:
                found.append(_operator(node, kind))
        return found

    def _own_ns(self) -> int:
        """Duration of the last inference, as OpenVINO clocks it around its C++ call.

        That is the latency benchmark_app prints. After it the Python binding makes a dictionary of the
        outputs (4–7 µs), which no program in C++ pays; in Python it is part of `end_to_end`.
        """
        return int(self._request.latency * 1e6)


def library(package: str) -> Any:
    """The package, without the telemetry it starts when imported.

    openvino 2026 leaves files in ~/intel and calls an analytics server if `openvino_telemetry` is there.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module(package)


def load(
    name: str,
    package: str,
    version: str,
    files: list[str],
    threads: int,
    *,
    profile: bool = False,
    device: str | None = None,
) -> OpenVINO:
    """Load the IR in `files`: .xml, then .bin. Raises Unsupported where there is no such device."""
    core = library(package).Core()
    if device is not None:
        openvinodevices.check(core, device)
    model = core.read_model(*files)
    _fix_batch(model)
    settings = openvinodevices.settings(device or "CPU", threads)
    if profile:
        settings["PERF_COUNT"] = True
    return OpenVINO(name, version, core.compile_model(model, device or "CPU", settings), device)


def _precision(compiled: Any) -> str | None:
    """What floats are computed in where that is not f32.

    OpenVINO picks it by the processor: bf16 with AMX, f16 on newer Arm cores, also for an fp32 model.
    """
    try:
        name = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    except Exception:  # a plugin or version that does not say
        return None
    return None if name in ("f32", "dynamic", "undefined") else name


def _operator(node: Any, kind: str) -> Operator:
    """A node of the runtime's graph. `execTimeMcs` is the mean of all calls, in whole microseconds."""
    took = _said(node, "execTimeMcs")
    return Operator(
        node.get_friendly_name(),
        kind,
        precision(_said(node, "runtimePrecision")),
        None,
        COMPUTE if kind in PRODUCTS else CONVERSION if _converts(node, kind) else OTHER,
        int(took) / 1000 if took.isdigit() else None,
    )


def _converts(node: Any, kind: str) -> bool:
    """Whether floats go in and 8 bits come out, or the other way round."""
    took, gave = ({_precision_of(port) for port in ports} for ports in (node.inputs(), node.outputs()))
    return kind in CONVERSIONS and any(
        "i8" in one and "i8" not in other and other.intersection(FLOATS)
        for one, other in ((took, gave), (gave, took))
    )


def _precision_of(port: Any) -> str:
    return precision(port.get_element_type().get_type_name())


def _said(node: Any, key: str) -> str:
    return str(node.get_rt_info()[key].astype(str))


def _fix_batch(model: Any) -> None:
    shapes = {}
    for port in model.inputs:
        shape = port.partial_shape
        if shape.rank.is_dynamic or any(extent.is_dynamic for extent in list(shape)[1:]):
            raise Unsupported(
                f"input `{_name(port)}` has the dynamic shape {shape}; give `input_shape` in the recipe"
            )
        if shape.is_dynamic:
            shape[0] = 1
            shapes[port] = shape
    if shapes:
        model.reshape(shapes)


def _tensor(port: Any) -> Tensor:
    kind = port.element_type.get_type_name()
    shape = port.partial_shape
    # Outputs may keep extents that depend on the data; what is read has its own shape then.
    extents = (
        tuple(0 if extent.is_dynamic else extent.get_length() for extent in shape)
        if shape.rank.is_static
        else ()
    )
    return Tensor(_name(port), extents, DTYPES.get(kind, kind))


def _name(port: Any) -> str:
    names = port.get_names()
    return sorted(names)[0] if names else str(port.get_node().get_friendly_name())
