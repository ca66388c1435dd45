"""The words host and agent exchange: JSON objects, one a line, over the agent's stdin and stdout.

The host packs the agent it talks to, so both ends always speak the same version: whatever is not
understood is an error, never skipped. Both ends use this module.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import zlib
from array import array
from dataclasses import dataclass, fields
from typing import Any, BinaryIO, Iterator, Sequence

from .normalize import Normalize

VERSION = 1
BEGINNING = b'{"v":'  # of every line that `encode` makes
HEARTBEAT_S = 1.2
STAY_S = 15.0
HOST_SILENCE_S = 60.0
"""While the agent holds the board, the host says `stay` every STAY_S; a host silent for so long is gone."""
MAX_REQUEST_BYTES = 1 << 20
MAX_EVENT_BYTES = 128 << 20
OUTPUTS_CHUNK_BYTES = 256 << 10
MAX_SAMPLE_OUTPUT_BYTES = 80 << 20  # base64 makes it a third more; the event stays below its limit
LATENCIES_CHUNK = 65536
MAX_LATENCIES = 1_000_000
MAX_TEXT = 500
MAX_DETAIL = 4096


class NotUnderstood(ValueError):
    """A line that is no message of this protocol; the text says why."""


class Failed(Exception):
    """What ends a trial: a `failed` event to be. `kind` is load, invoke, data, memory, protocol or other."""

    def __init__(self, kind: str, error: str, detail: str = "") -> None:
        super().__init__(error)
        self.kind, self.error, self.detail = kind, error, detail


@dataclass(frozen=True)
class Job:
    """One trial, as the agent is asked for it.

    `files` has the model first; `~/` at the start of a path is the home folder. `input_order[i]` is the
    number, in the model's file, of the i-th input of the data; `output_order` likewise. The trial is idle
    for `idle_s` before its first inference and after the latency window. It begins when the board is no
    warmer than `cool_to_c` (None: at once), or after `cool_timeout_s`. `meter` is what a sampler is to do
    meanwhile (the fields of sampler.Spec); None: there is none, and nobody watches the board. `profile` asks
    for the times of single operators, from a run of their own after everything else. `normalize` is what the
    samples go through before the model takes them; on the wire, a list of its means and one of its scales.
    `device` is what a runtime that has several is to run the model on; None: its default.
    """

    runtime: str
    files: tuple[str, ...]
    threads: int
    input_order: tuple[int, ...]
    output_order: tuple[int, ...]
    warmup_s: float
    min_warmup_runs: int
    duration_s: float
    min_runs: int
    samples: str | None
    evaluate: bool
    idle_s: float
    meter: dict[str, Any] | None
    cool_to_c: float | None = None
    cool_timeout_s: float = 0.0
    profile: bool = False
    normalize: Normalize | None = None
    device: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> Job:
        """From the request's `job`; raises NotUnderstood."""
        names = [field.name for field in fields(cls)]
        if not isinstance(raw, dict) or sorted(raw) != sorted(names):
            raise NotUnderstood("a job has " + ", ".join(names))
        checks = {
            "runtime": _is(raw["runtime"], str),
            "files": _all(raw["files"], str) and len(raw["files"]) > 0,
            "threads": _is(raw["threads"], int) and raw["threads"] > 0,
            "input_order": _all(raw["input_order"], int),
            "output_order": _all(raw["output_order"], int),
            "warmup_s": _is(raw["warmup_s"], int, float) and raw["warmup_s"] >= 0,
            "min_warmup_runs": _is(raw["min_warmup_runs"], int),
            "duration_s": _is(raw["duration_s"], int, float) and raw["duration_s"] > 0,
            "min_runs": _is(raw["min_runs"], int) and 0 < raw["min_runs"] <= MAX_LATENCIES,
            "samples": raw["samples"] is None or _is(raw["samples"], str),
            "evaluate": _is(raw["evaluate"], bool) and (raw["samples"] is not None or not raw["evaluate"]),
            "idle_s": _is(raw["idle_s"], int, float) and raw["idle_s"] >= 0,
            "cool_to_c": raw["cool_to_c"] is None or _is(raw["cool_to_c"], int, float),
            "cool_timeout_s": _is(raw["cool_timeout_s"], int, float) and raw["cool_timeout_s"] >= 0,
            "meter": raw["meter"] is None or _is(raw["meter"], dict),
            "profile": _is(raw["profile"], bool),
            "normalize": raw["normalize"] is None or _is_normalize(raw["normalize"]),
            "device": raw["device"] is None or _is(raw["device"], str),
        }
        wrong = [name for name, good in checks.items() if not good]
        if wrong:
            raise NotUnderstood("the job's {} is {!r}".format(wrong[0], raw[wrong[0]]))
        lists = {name: tuple(raw[name]) for name in ("files", "input_order", "output_order")}
        pair = raw["normalize"]
        normalize = None if pair is None else Normalize(tuple(pair[0]), tuple(pair[1]))
        values: dict[str, Any] = dict(raw, normalize=normalize, **lists)
        return cls(**values)

    def wire(self) -> dict[str, Any]:
        """The request's `job`."""
        values = {field.name: getattr(self, field.name) for field in fields(Job)}
        pair = None if self.normalize is None else [list(self.normalize.mean), list(self.normalize.scale)]
        return dict(values, normalize=pair)


def _is(value: Any, *types: type) -> bool:
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _is_normalize(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(_all(one, int, float) and one for one in pair)


def _all(values: Any, *kinds: type) -> bool:
    return isinstance(values, list) and all(_is(value, *kinds) for value in values)


def encode(message: dict[str, Any]) -> bytes:
    """One line for a message."""
    text = json.dumps({"v": VERSION, **message}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


STAY = encode({"verb": "stay"})  # needs no answer


def decode(line: bytes) -> dict[str, Any]:
    """The message in a line; raises NotUnderstood."""
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotUnderstood("not JSON: " + one_line(repr(line[:80]))) from None
    if not isinstance(message, dict) or message.get("v") != VERSION:
        raise NotUnderstood("not a message of version {}: {}".format(VERSION, one_line(repr(line[:80]))))
    return message


def take_stdout() -> BinaryIO:
    """Keep fd 1 for messages alone: what else writes there, C libraries included, goes to stderr."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(ours, "wb")


def printable(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """`text` on one line, cut to `limit` characters."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def pack_ns(times_ns: Sequence[int]) -> dict[str, Any]:
    """The fields of a `latencies` event that carry the times: uint32, or uint64 when one exceeds it."""
    width = 4 if max(times_ns) < 2**32 else 8
    packed = array("I" if width == 4 else "Q", times_ns)
    if sys.byteorder == "big":
        packed.byteswap()
    data = base64.b64encode(zlib.compress(packed.tobytes())).decode("ascii")
    return {"n": len(times_ns), "width": width, "data": data}


def chunks(times_ns: Sequence[int]) -> Iterator[Sequence[int]]:
    """The times in pieces that fit one event each."""
    for first in range(0, len(times_ns), LATENCIES_CHUNK):
        yield times_ns[first : first + LATENCIES_CHUNK]
