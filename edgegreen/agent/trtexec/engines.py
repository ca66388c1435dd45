"""Engines: built once for a model, a TensorRT, a power mode and how; kept on the board, but not for ever.

An engine fits the board it was built on and no other, so it never leaves it. Its kernels were chosen by
timing them, which comes out differently in another power mode.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import Callable, NamedTuple, Sequence

from .. import conditions, system
from ..wire import MAX_DETAIL, Failed
from . import flags, log, process
from .order import Order
from .program import Program

SUFFIX = ".engine"
WORK = "work"
KEPT = 24
KEPT_BYTES = 4 << 30
Told = Callable[[str, float], None]


class Engine(NamedTuple):
    """An engine that is there. `folder` is for files of this trial."""

    path: str
    folder: str


def obtain(program: Program, model: str, order: Order, folder: str, told: Told) -> Engine:
    """The engine of `model`, from those in `folder` or built. `told`: stages. Raises Failed, Unsupported."""
    work = _empty(os.path.join(folder, WORK))
    how = flags.build(program, order.precision)
    path = os.path.join(folder, _key(program, model, how) + SUFFIX)
    if os.path.exists(path):
        os.utime(path)  # the ones used last are kept
    else:
        new = os.path.join(work, "new" + SUFFIX)
        _build([program.path, "--onnx=" + model, "--saveEngine=" + new, *how], new, order, told)
        os.replace(new, path)
        _prune(folder, path)
    return Engine(path, work)


def _key(program: Program, model: str, how: list[str]) -> str:
    digest = hashlib.sha256()
    with open(model, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    mode = conditions.power_mode()
    told = [digest.hexdigest(), program.version, mode["name"] if mode else None, how]
    return hashlib.sha256(repr(told).encode("utf-8")).hexdigest()


def _build(command: list[str], path: str, order: Order, told: Told) -> None:
    """Run the command that builds the engine at `path`. Raises Failed."""

    def tick(elapsed_s: float, lines: Sequence[str]) -> None:
        told(log.stage(lines), min(1.0, elapsed_s / order.timeout_s))

    tick(0.0, ())
    kills_before = system.oom_kills()
    ended = process.run(command, os.path.dirname(path), order.timeout_s, tick=tick)
    if not ended.in_time:
        raise Failed(
            "load",
            "trtexec was still building the engine after {:g} s".format(order.timeout_s),
            tail(ended.lines),
        )
    check(ended, "build the engine", kills_before)
    if not os.path.exists(path) or not os.path.getsize(path):
        raise Failed("load", "trtexec says that it built the engine, and wrote none", tail(ended.lines))


def check(ended: process.Ended, what: str, kills_before: int | None) -> None:
    """Raise Failed unless it went well: by exit code and by what trtexec says last."""
    if ended.code == 0 and log.passed(ended.lines):
        return
    reason, kind = log.reason(ended.lines), "load"
    kills = system.oom_kills()
    if ended.code == -9 and kills is not None and kills != kills_before:
        reason, kind = "the kernel killed it: out of memory", "memory"
    elif log.wants_memory(ended.lines):
        kind = "memory"
    if reason is None:
        last = next((line for line in reversed(ended.lines) if line.strip()), "it said nothing")
        died = (
            "died of signal {}".format(-ended.code) if ended.code < 0 else "exit code {}".format(ended.code)
        )
        reason = "{}; {}".format(died, log.said(last).text or last)
    raise Failed(kind, "trtexec could not {}: {}".format(what, reason), tail(ended.lines))


def tail(lines: list[str]) -> str:
    """The end of a log, as much as a message holds."""
    return "\n".join(lines)[-MAX_DETAIL:]


def _empty(folder: str) -> str:
    shutil.rmtree(folder, ignore_errors=True)  # of a trial that was killed
    os.makedirs(folder)
    return folder


def _prune(folder: str, newest: str) -> None:
    """Remove those used longest ago, so that KEPT and KEPT_BYTES hold."""
    paths = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(SUFFIX)]
    paths.sort(key=lambda path: (path != newest, -os.path.getmtime(path)))
    size = 0
    for number, path in enumerate(paths):
        size += os.path.getsize(path)
        if number and (number >= KEPT or size > KEPT_BYTES):
            os.remove(path)
