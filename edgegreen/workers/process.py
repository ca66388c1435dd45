"""The process that does conversions: takes jobs from a pipe, one after another, until it closes.

Started by `pool.py` as `python -m edgegreen.workers.process FD [MODULE …]`. Its stdout and stderr are a log.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from edgegreen.errors import EdgegreenError

REPORT_EVERY_S = 0.1


class _Reporter:
    """Sends word of one job (see `report.Report`): each stage, and shares no oftener than one can read."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._stage, self._at = pipe, "", 0.0

    def __call__(self, stage: str, done: float | None = None) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._at > REPORT_EVERY_S:
            self._stage, self._at = stage, now
            self._pipe.send(("report", stage, done))


def serve(pipe: Connection, modules: Sequence[str]) -> None:
    """Import `modules`, then do one job after another until the pipe closes."""
    # OpenVINO and NNCF would report their use to a server on import; what is absent cannot.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # the job that needs it will say so
            print(f"cannot import {name}: {error}", file=sys.stderr)  # noqa: T201
    while True:
        try:
            job, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("done", job(_Reporter(pipe), *arguments))
        except EdgegreenError as error:
            answer = ("refused", error)
        except MemoryError:
            answer = ("failed", "not enough memory")
        except Exception as error:
            answer = ("failed", _one_line(error))
        pipe.send(answer)


def _one_line(error: Exception) -> str:
    """A foreign exception in a line: its type, the first line it says, and where it came from."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {lines[0][:300] if lines else 'no message'}{where}"


def _end_with_parent(parent: int) -> None:
    """Leave when the process that started us is gone, whatever a converter is busy with."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), sys.argv[2:])
