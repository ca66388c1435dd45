"""The JSON files that trtexec writes: times of calls, times and types of layers, outputs. Pure.

What is written there by hand in C++ is JSON but for numbers that are none (`nan`, `-inf`) and names that hold
quotes. Field names are those of TensorRT 7 to 11.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Iterable, List, NamedTuple, Tuple

from ..runtimes.operators import COMPUTE, CONVERSION, FLOATS, OTHER, Operator

NO_NUMBER = re.compile(r'"[^"\n]*"|(-?)\b(nan|inf)\b', re.IGNORECASE)  # names are passed over
# What "Format/Datatype" says of a tensor, in its words and formats: the first that is in it.
TYPES = (
    ("bfloat16", "bf16"), ("bf16", "bf16"), ("fp16", "f16"), ("half", "f16"), ("fp8", "f8"), ("fp4", "f4"),
    ("fp32", "f32"), ("float", "f32"), ("uint8", "i8"), ("int8", "i8"), ("int4", "i4"),
    ("int32", "i32"), ("int64", "i64"), ("bool", "bool"),
)  # fmt: skip
PRODUCTS = re.compile(r"conv|gemm|matmul|matrix_?multiply|fullyconnected|fprop", re.IGNORECASE)
# A layer that only changes types or formats, whatever the product it stands before.
CHANGES = ("reformat", "noop", "shuffle", "quantize", "dequantize", "cast")


Output = Tuple[Tuple[int, ...], List[float]]  # shape and values


class Garbled(ValueError):
    """A file that is not what trtexec writes; the text says why."""


class Call(NamedTuple):
    """One inference. `start_ms` to `end_ms` is from the first byte sent to the last one received.

    Both, and `compute_start_ms`, are counted from when inference started, warm-up included.
    """

    start_ms: float
    end_ms: float
    compute_start_ms: float
    compute_ms: float
    latency_ms: float


class Layer(NamedTuple):
    """A layer and its mean time in one inference."""

    name: str
    ms: float


def times(text: str, warmup_ms: float) -> list[Call]:
    """The calls after the warm-up, in order. Raises Garbled.

    Until TensorRT 8.4 the warm-up's calls are in the file, too; TensorRT 7 mixes up startEnqMs and startInMs.
    So only what has one meaning everywhere is read.
    """
    calls = []
    for one in _list(text):
        start, compute, latency = (_finite(one, key) for key in ("startComputeMs", "computeMs", "latencyMs"))
        sent = _finite(one, "h2dMs") if "h2dMs" in one else _finite(one, "inMs")
        if latency <= 0 or compute < 0 or sent < 0:
            raise Garbled("a call of {} ms".format(latency))
        if start >= warmup_ms:
            calls.append(Call(start - sent, start - sent + latency, start, compute, latency))
    return sorted(calls, key=lambda call: call.compute_start_ms)


def profile(text: str) -> tuple[int, list[Layer]]:
    """How many inferences were profiled, and the mean time of each layer in one. Raises Garbled."""
    entries = _list(text)
    count = next((one["count"] for one in entries if "count" in one), None)
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise Garbled("{!r} inferences were profiled".format(count))
    layers = [Layer(str(one["name"]), _finite(one, "averageMs")) for one in entries if "name" in one]
    if any(layer.ms < 0 for layer in layers):
        raise Garbled("a layer takes less than no time")
    return count, layers


def outputs(text: str) -> dict[str, Output]:
    """Shape and values of each output, by name. Values may be NaN or infinite. Raises Garbled."""
    found: dict[str, Output] = {}
    for one in _list(text):
        values = one.get("values")
        try:
            shape = tuple(int(extent) for extent in str(one.get("dimensions", "")).split("x") if extent)
        except ValueError:
            raise Garbled("an output has dimensions {!r}".format(one.get("dimensions"))) from None
        if not isinstance(values, list) or not all(_is_number(value) for value in values):
            raise Garbled("an output has no values")
        if _product(shape) != len(values):
            raise Garbled("an output of shape {} has {} values".format(list(shape), len(values)))
        found[str(one.get("name"))] = shape, values
    return found


def operators(text: str) -> list[Operator]:
    """The engine's layers, as the engine inspector tells of them. Raises Garbled.

    An engine that was built without detailed verbosity tells names only.
    """
    try:
        raw = json.loads(text)
        layers = raw["Layers"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Garbled("no list of layers") from None
    if not isinstance(layers, list):
        raise Garbled("no list of layers")
    return [_operator(layer) for layer in layers if isinstance(layer, (dict, str))]


def _operator(layer: Any) -> Operator:
    if isinstance(layer, str):
        return Operator(layer, "layer", None, None, OTHER)
    took, gave = (_types(layer.get(side)) for side in ("Inputs", "Outputs"))
    kind = str(layer.get("LayerType") or "layer")
    precision = next(iter(took or gave), None)
    return Operator(str(layer.get("Name", "")), kind, precision, None, _role(layer, kind, took, gave))


def _role(layer: dict[str, Any], kind: str, took: list[str], gave: list[str]) -> str:
    parameters = str(layer.get("ParameterType") or "")
    changes = kind.lower().startswith(CHANGES) or parameters.lower().startswith(CHANGES)
    if changes:
        one, other = set(took), set(gave)
        converts = ("i8" in one and other.intersection(FLOATS)) or (
            "i8" in other and one.intersection(FLOATS)
        )
        return CONVERSION if converts else OTHER
    named = " ".join([kind, parameters, str(layer.get("TacticName") or "")])
    return COMPUTE if PRODUCTS.search(named) else OTHER


def _types(tensors: Any) -> list[str]:
    return [kind for kind in map(_type, tensors if isinstance(tensors, list) else []) if kind]


def _type(tensor: Any) -> str | None:
    if not isinstance(tensor, dict):
        return None
    told = str(tensor.get("Format/Datatype") or tensor.get("Datatype") or "").lower()
    return next((short for words, short in TYPES if words in told), None)


def _list(text: str) -> list[dict[str, Any]]:
    try:
        raw = json.loads(NO_NUMBER.sub(_as_json, text))
    except (ValueError, RecursionError) as error:
        raise Garbled("not JSON ({})".format(error)) from None
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise Garbled("no list of objects")
    return raw


def _as_json(match: re.Match[str]) -> str:
    if not match.group(2):
        return match.group()
    return "NaN" if match.group(2).lower() == "nan" else match.group(1) + "Infinity"


def _finite(entry: dict[str, Any], key: str) -> float:
    value = entry.get(key)
    if value is None or not _is_number(value) or not math.isfinite(value):
        raise Garbled("`{}` is {!r}".format(key, value))
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _product(shape: Iterable[int]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
