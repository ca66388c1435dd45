"""What an agent says, checked: every size bounded, every type strict, nothing printed as it came.

A board may be broken, or not the user's alone; its answers are data. Anything that is not exactly a
message of this version is a DeviceError (the host packed the agent: there is no newer one to allow for).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from edgegreen.agent import execution, system, wire
from edgegreen.client.observed import MeterFound, Poll, PowerRecords, Sampled, Snapshot
from edgegreen.client.wirefields import (
    CLOSED,
    Count,
    Data,
    Extents,
    Line,
    Milliseconds,
    NotNegative,
    Positive,
    Text,
    senseless,
    unpacked,
)
from edgegreen.interpreter import Interpreter

Stage = Literal[
    "cooling", "load", "idle", "warmup", "latency", "end_to_end", "accuracy", "profile", "parse", "build"
]


@dataclass(frozen=True)
class Board:
    """A machine and the Python that runs the agent there. `runtimes` are names and versions.

    `python_tag` is what its extension modules are called by, such as `cpython-311-aarch64-linux-gnu`;
    `numpy` the version that is installed there; `brought` the runtimes that edgegreen brought along.
    """

    __pydantic_config__ = CLOSED

    hostname: Line
    machine: Line
    system: Line
    release: Line
    emulated: Annotated[bool, Field(strict=True)]
    boot_id: Line | None
    libc: Line | None
    python: Line
    executable: Line
    bits: Literal[32, 64]
    cpu_count: Positive
    cpu_features: Annotated[list[Line], Field(max_length=len(system.CPU_FEATURES))] | None
    memory_total_bytes: Count | None
    memory_available_bytes: Count | None
    load_average: Annotated[float, Field(strict=True, ge=0)] | None
    python_tag: Line | None
    numpy: Line | None
    runtimes: Annotated[dict[Line, Line], Field(max_length=100)]
    brought: Annotated[dict[Line, Line], Field(max_length=100)]

    @property
    def interpreter(self) -> Interpreter:
        """That Python, as wheels see it. Raises DeviceError when no runtime is published for its kind."""
        return Interpreter.of(
            self.executable,
            self.python,
            system=self.system,
            machine=self.machine,
            bits=self.bits,
            tag=self.python_tag or "",
            libc=self.libc or "",
        )


@dataclass(frozen=True)
class Clock:
    """What the board's monotonic clock showed."""

    __pydantic_config__ = CLOSED

    t_ns: Count


@dataclass(frozen=True)
class Holding:
    """Who has the board: we do when `holder` is None. `without` says why there is no lock, if so."""

    __pydantic_config__ = CLOSED

    holder: Line | None
    age_s: NotNegative | None
    without: Line | None


@dataclass(frozen=True)
class Progress:
    """How far a stage of a trial is; said again and again while it works."""

    __pydantic_config__ = CLOSED

    id: Line
    stage: Stage
    done: Annotated[float, Field(strict=True, ge=0, le=1)]


@dataclass(frozen=True)
class Latencies:
    """A part of the times of a window, in order."""

    __pydantic_config__ = CLOSED

    id: Line
    stage: Literal["invoke", "end_to_end"]
    start_ns: Count
    end_ns: Count
    runs: Positive
    n: Annotated[int, Field(strict=True, ge=1, le=wire.LATENCIES_CHUNK)]
    width: Literal[4, 8]
    data: Data

    def times_ns(self) -> NDArray[np.int64]:
        """The times. Raises DeviceError."""
        size = self.n * self.width
        try:
            packed = zlib.decompressobj().decompress(unpacked(self.data), size + 1)
        except zlib.error as error:
            raise senseless(f"latencies cannot be unpacked ({error})") from None
        if len(packed) != size:
            raise senseless(f"latencies of {len(packed)} bytes or more instead of {size}")
        times = np.frombuffer(packed, f"<u{self.width}").astype(np.int64)
        if times.min() < 0:
            raise senseless("a latency of more than 2⁶³ ns")
        return times


@dataclass(frozen=True)
class PackedTensor:
    """One output of several samples, the samples first."""

    __pydantic_config__ = CLOSED

    dtype: Literal["<f4", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "|b1"]
    shape: Extents
    data: Data

    def array(self) -> NDArray[Any]:
        """The values. Raises DeviceError."""
        packed, dtype = unpacked(self.data), np.dtype(self.dtype)
        if len(packed) != math.prod(self.shape) * dtype.itemsize:
            raise senseless(f"{len(packed)} bytes for an output of shape {self.shape}")
        return np.frombuffer(packed, dtype).reshape(self.shape)


@dataclass(frozen=True)
class TrialWindow:
    """When a trial was idle or active, on the board's monotonic clock."""

    __pydantic_config__ = CLOSED

    id: Line
    name: Literal["idle_before", "active", "idle_after"]
    start_ns: Count
    end_ns: Count


@dataclass(frozen=True)
class Outputs:
    """The outputs of samples `start` … `start + n − 1`."""

    __pydantic_config__ = CLOSED

    id: Line
    start: Count
    n: Positive
    tensors: Annotated[list[PackedTensor], Field(min_length=1, max_length=10_000)]

    def arrays(self) -> list[NDArray[Any]]:
        """One array for each output, of shape (n, …). Raises DeviceError."""
        arrays = [tensor.array() for tensor in self.tensors]
        if any(array.shape[:1] != (self.n,) for array in arrays):
            raise senseless(f"outputs of shapes {[array.shape for array in arrays]} for {self.n} samples")
        return arrays


@dataclass(frozen=True)
class RuntimeInfo:
    """What ran the model."""

    __pydantic_config__ = CLOSED

    name: Line
    version: Line
    delegate: Line | None
    fell_back: Line | None


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the runtime describes it; an extent of 0 depends on the data."""

    __pydantic_config__ = CLOSED

    name: Line
    shape: Extents
    dtype: Line


@dataclass(frozen=True)
class ExecutedOperators:
    """Operators of the loaded model that run alike; see agent/runtimes/operators.py."""

    __pydantic_config__ = CLOSED

    type: Line
    precision: Line | None
    delegated: Annotated[bool, Field(strict=True)] | None
    role: Literal["compute", "conversion", "other"]
    count: Positive


@dataclass(frozen=True)
class TimedOperator:
    """The mean time of one operator in a profiled call."""

    __pydantic_config__ = CLOSED

    name: Line
    type: Line
    precision: Line | None
    ms: Milliseconds


@dataclass(frozen=True)
class Profiled:
    """A run with the runtime's own clocks on: the mean call, all its operators together, the longest ones."""

    __pydantic_config__ = CLOSED

    runs: Positive
    call_ms: Milliseconds
    operators_ms: Milliseconds
    operators: Annotated[list[TimedOperator], Field(max_length=execution.MAX_OPERATORS)]


@dataclass(frozen=True)
class Accelerator:
    """What ran the model beside the CPU; the fields of agent.coral.about."""

    __pydantic_config__ = CLOSED

    kind: Line
    library: Line
    version: Line | None
    clock: Literal["standard", "maximum"] | None
    bus: Literal["usb", "pci"] | None
    usb_mbps: NotNegative | None


@dataclass(frozen=True)
class Measured:
    """The last word of a trial that went well."""

    __pydantic_config__ = CLOSED

    id: Line
    load_ms: Milliseconds
    first_inference_ms: Milliseconds
    peak_rss_bytes: Count
    rss_before_load_bytes: Count
    runtime: RuntimeInfo
    inputs: Annotated[list[TensorInfo], Field(max_length=10_000)]
    outputs: Annotated[list[TensorInfo], Field(max_length=10_000)]
    fed: Line
    executed: Annotated[list[ExecutedOperators], Field(max_length=execution.MAX_KINDS)] | None
    profile: Profiled | None
    accelerator: Accelerator | None = None


@dataclass(frozen=True)
class Failed:
    """The last word of, or on, a trial that did not."""

    __pydantic_config__ = CLOSED

    id: Line
    kind: Literal["load", "invoke", "data", "memory", "died", "protocol", "other"]
    error: Line
    detail: Text
    signal: Line | None


@dataclass(frozen=True)
class Refusal:
    """The agent did not understand a request."""

    __pydantic_config__ = CLOSED

    error: Line


@dataclass(frozen=True)
class Tuned:
    """The answer to `tune`: what was put back, in words, and why it was refused, if so."""

    __pydantic_config__ = CLOSED

    restored: Annotated[list[Line], Field(max_length=10_000)]
    error: Line | None
    hint: Line | None


FromSampler = MeterFound | PowerRecords | Poll | Snapshot | Sampled
FromTrial = Progress | TrialWindow | Latencies | Outputs | Measured | Failed
Event = Board | Clock | Holding | Tuned | Refusal | FromTrial | FromSampler
EVENTS: dict[str, TypeAdapter[Event]] = {
    "probed": TypeAdapter(Board),
    "clock": TypeAdapter(Clock),
    "holding": TypeAdapter(Holding),
    "tuned": TypeAdapter(Tuned),
    "progress": TypeAdapter(Progress),
    "window": TypeAdapter(TrialWindow),
    "latencies": TypeAdapter(Latencies),
    "outputs": TypeAdapter(Outputs),
    "measured": TypeAdapter(Measured),
    "failed": TypeAdapter(Failed),
    "error": TypeAdapter(Refusal),
    "meter": TypeAdapter(MeterFound),
    "power": TypeAdapter(PowerRecords),
    "conditions": TypeAdapter(Poll),
    "snapshot": TypeAdapter(Snapshot),
    "sampled": TypeAdapter(Sampled),
}


def parse(line: bytes) -> Event:
    """The event in a line of the agent's stdout. Raises DeviceError."""
    try:
        message = from_json(line, allow_inf_nan=False)
    except ValueError:
        raise senseless(f"it says {wire.one_line(repr(line[:80]))}") from None
    if not isinstance(message, dict) or message.pop("v", None) != wire.VERSION:
        raise senseless(f"it says {wire.one_line(repr(line[:80]))}")
    name = message.pop("event", None)
    if not isinstance(name, str) or name not in EVENTS:
        raise senseless(f"there is no event {wire.printable(repr(name))[:80]}")
    try:
        return EVENTS[name].validate_python(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise senseless(wire.one_line(wire.printable(f"event `{name}`, {where}: {first['msg']}"))) from None
