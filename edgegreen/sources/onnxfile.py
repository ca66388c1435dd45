"""What an ONNX file says of itself, read without any ONNX library: inputs, outputs, operators, weights.

ONNX files are protocol buffers; this walks the few fields needed. Field numbers are those of onnx.proto3
(github.com/onnx/onnx), the wire format that of protobuf.dev/programming-guides/encoding. Running the model
is OpenVINO's business.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from edgegreen.errors import InputError
from edgegreen.sources.model import Port

Message = bytes | memoryview | int

# TensorProto.DataType → numpy's name.
DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip
WEIGHTS = ("float32", "float16", "float64", "bfloat16", "int8", "uint8")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class _Broken(ValueError):
    """The bytes are no protocol buffer."""


@dataclass(frozen=True)
class OnnxFile:
    """`external_files` are names, relative to the model's folder, of the files that hold its weights.

    `opset` is that of ONNX's own operators; 0 where the file does not say.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    ops: dict[str, int]
    parameters: int
    external_files: tuple[str, ...]
    opset: int


def is_onnx(path: Path) -> bool:
    """Whether the file is a protocol buffer with a graph that has nodes."""
    try:
        return bool(read(path).ops)
    except InputError:
        return False


def read(path: Path) -> OnnxFile:
    """Read the file's graph; raises InputError when it is no whole ONNX model."""
    try:
        with path.open("rb") as stream:
            # Not closed by hand: it goes with the last view of it, and weights are never paged in.
            return _model(memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)))
    except (_Broken, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable ONNX model ({error})") from None


def _model(view: memoryview) -> OnnxFile:
    graphs = [value for field, value in _fields(view) if field == 7]
    if len(graphs) != 1:
        raise _Broken("it has no graph")
    graph = graphs[0]
    ops: Counter[str] = Counter()
    initializers: dict[str, tuple[str, int]] = {}
    external: dict[str, None] = {}
    inputs, outputs = [], []
    for field, value in _fields(graph):
        match field:
            case 1:
                ops.update(_text(item) for number, item in _fields(value) if number == 4)
            case 5:
                name, dtype, size, location = _initializer(value)
                initializers[name] = dtype, size
                external.update({location: None} if location else {})
            case 11:
                inputs.append(_port(value))
            case 12:
                outputs.append(_port(value))
    return OnnxFile(
        # Files of the first versions list weights as inputs too.
        inputs=tuple(port for port in inputs if port.name not in initializers),
        outputs=tuple(outputs),
        ops=dict(ops),
        parameters=sum(size for dtype, size in initializers.values() if dtype in WEIGHTS),
        external_files=tuple(external),
        opset=max((_opset(value) for field, value in _fields(view) if field == 8), default=0),
    )


def _opset(message: Message) -> int:
    """The version of a set of operators; 0 of a set that is not ONNX's own."""
    found = dict(_fields(message))
    version = found.get(2, 0)
    own = _text(found.get(1, b"")) in ("", "ai.onnx")
    return version if own and isinstance(version, int) else 0


def _initializer(message: Message) -> tuple[str, str, int, str]:
    """Name, type, number of elements, and the other file it lies in, if any."""
    dims: list[int] = []
    name = location = ""
    dtype = 0
    for field, value in _fields(message):
        match field:
            case 1 if isinstance(value, int):
                dims.append(value)
            case 1:
                dims.extend(_packed(value))
            case 2 if isinstance(value, int):
                dtype = value
            case 8:
                name = _text(value)
            case 13:
                pair = {number: _text(item) for number, item in _fields(value)}
                location = pair.get(2, "") if pair.get(1) == "location" else location
    return name, DTYPES.get(dtype, "unknown"), prod(dims), location


def _port(message: Message) -> Port:
    name, dtype = "", "unknown"
    dims: tuple[int | None, ...] | None = None
    for field, value in _fields(message):
        if field == 1:
            name = _text(value)
        elif field == 2:
            for _, tensor in ((n, item) for n, item in _fields(value) if n == 1):
                for number, item in _fields(tensor):
                    if number == 1 and isinstance(item, int):
                        dtype = DTYPES.get(item, "unknown")
                    elif number == 2:
                        dims = tuple(_extent(dim) for n, dim in _fields(item) if n == 1)
    return Port(name, dims, dtype)


def _extent(message: Message) -> int | None:
    """A dimension's size; None when it is a symbol or left out."""
    sizes = [value for field, value in _fields(message) if field == 1 and isinstance(value, int)]
    return sizes[0] if sizes and sizes[0] > 0 else None


def _fields(message: Message) -> Iterator[tuple[int, Message]]:
    """(field number, value) of each field: an int for a varint, the bytes for everything else."""
    if isinstance(message, int):
        raise _Broken("a number stands where a message should")
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        field, wire = tag >> 3, tag & 7
        if wire == VARINT:
            number, at = _varint(message, at)
            yield field, number
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise _Broken("it is no protocol buffer")
        if field == 0 or at + size > end:
            raise _Broken("it ends early, or is no protocol buffer")
        yield field, message[at : at + size]
        at += size


def _varint(message: bytes | memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise _Broken("it ends early, or is no protocol buffer")


def _packed(value: Message) -> list[int]:
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _text(value: Message) -> str:
    if isinstance(value, int):
        raise _Broken("a number stands where a name should")
    return bytes(value).decode("utf-8", "replace")
