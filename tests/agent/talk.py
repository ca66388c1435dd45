"""A real agent process to talk to, and a stand-in for a runtime that misbehaves on demand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil

LAST = ("measured", "failed", "error", "probed", "holding", "tuned", "clock")

# Enough of ai-edge-litert for the agent: one float input and output of shape (1, 2); `{load}` is run when
# the model is loaded, `{invoke}` at each call.
FAKE_LITERT = """
import ctypes, os, subprocess, sys, time
import numpy as np

class Interpreter:
    def __init__(self, model_path, num_threads):
        self.values = np.zeros((1, 2), np.float32)
        self.calls = 0
        {load}
    def allocate_tensors(self): pass
    def _tensor(self, name):
        return dict(name=name, index=0, shape=np.array([1, 2]), dtype=np.float32,
                    quantization_parameters=dict(scales=[], zero_points=[]))
    def get_input_details(self): return [self._tensor("x")]
    def get_output_details(self): return [self._tensor("y")]
    def set_tensor(self, index, value): self.values = value
    def get_tensor(self, index): return self.values * 2
    def invoke(self):
        self.calls += 1
        {invoke}
"""


class Talk:
    """One agent process; a context manager that leaves none behind."""

    def __init__(
        self,
        pyz: Path,
        python: str = sys.executable,
        env: dict[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [python, str(pyz)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            preexec_fn=preexec,  # noqa: PLW1509  (no threads here)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()

    def send(self, message: dict[str, Any] | bytes) -> None:
        line = message if isinstance(message, bytes) else json.dumps({"v": 1, **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.strip():
                yield json.loads(line)

    def answer(self) -> list[dict[str, Any]]:
        """Events up to a last word, that included."""
        heard = []
        for event in self.events():
            heard.append(event)
            if event["event"] in LAST:
                break
        return heard

    def until(self, stage: str) -> dict[str, Any]:
        return next(event for event in self.events() if event.get("stage") == stage)

    def ask(self, job: dict[str, Any], id_: str = "t1") -> dict[str, Any]:
        """Run a trial; its last word."""
        self.send({"verb": "measure", "id": id_, "job": job})
        return self.answer()[-1]

    def trial(self) -> psutil.Process:
        """The process of the trial that runs now."""
        (child,) = psutil.Process(self.process.pid).children()
        return child


def job(model: Path | str, *more: Path | str, **changes: Any) -> dict[str, Any]:
    """A short job on a model."""
    return {
        "runtime": "litert",
        "files": [str(model), *map(str, more)],
        "threads": 1,
        "input_order": [0],
        "output_order": [0],
        "warmup_s": 0.01,
        "min_warmup_runs": 1,
        "duration_s": 0.05,
        "min_runs": 5,
        "samples": None,
        "evaluate": False,
        "idle_s": 0,
        "cool_to_c": None,
        "cool_timeout_s": 0,
        "meter": None,
        "profile": False,
        "normalize": None,
        "device": None,
        **changes,
    }


def fake_litert(folder: Path, *, load: str = "pass", invoke: str = "pass") -> dict[str, str]:
    """An environment in which Python finds the fake runtime first; statements in its `load` and `invoke`."""
    package = folder / "site" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "interpreter.py").write_text(FAKE_LITERT.format(load=load, invoke=invoke))
    return {"PYTHONPATH": str(package.parent), "PATH": "/usr/bin:/bin"}


def gone(process: psutil.Process) -> bool:
    """Whether the process ends within a few seconds."""
    _, alive = psutil.wait_procs([process], timeout=5)
    return not alive
