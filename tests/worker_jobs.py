"""Jobs for tests/workers/test_pool.py: what a converter may do to the process it runs in."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

from edgegreen.errors import InputError
from edgegreen.workers.report import Report


def pid(_: Report) -> int:
    return os.getpid()


def told(report: Report, count: int) -> str:
    for number in range(count):
        report(f"stage {number}", number / count)
    return "done"


def chat(_: Report) -> None:
    print("python says hello")  # noqa: T201
    os.write(1, b"C++ says hello\n")
    os.write(2, b"and hello again\n")


def refuse(_: Report) -> None:
    raise InputError("no such thing", hint="try another")


def fail(_: Report) -> None:
    os.write(2, b"[converter] 10%\r[converter] 20%\r[converter] cannot fold node 7\n")
    raise KeyError("node 7\nand a long story")


def segfault(_: Report) -> None:
    os.write(2, b"about to fall\n")
    ctypes.string_at(0)


def out_of_memory(_: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(_: Report, seconds: float, note: Path | None = None) -> str:
    if note:
        note.write_text(str(os.getpid()))
    time.sleep(seconds)
    return "slept"


def unpicklable(_: Report) -> object:
    return lambda: None


def modules(_: Report) -> list[str]:
    return [name for name in ("wave", "colorsys", "onnxruntime") if name in sys.modules]


def telemetry(_: Report) -> bool:
    try:
        return importlib.util.find_spec("openvino_telemetry") is not None
    except ValueError:  # what find_spec says of a module that is None
        return False
