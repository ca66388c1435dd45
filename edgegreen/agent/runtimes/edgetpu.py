"""Models compiled for a Coral Edge TPU: TFLite with Google's delegate, tried in a child process first.

A libedgetpu that was built for another release of TFLite does not say so: it crashes the process. The child
(agent/edgetpu_check.py) goes all the way, to an inference; when it came back, the delegate is loaded here.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import Any, Callable

from . import coral, tflite
from .tensors import Unsupported
from .tflite import TFLite
from .tfliteplan import operators

NAME = "Edge TPU"
OPERATOR = "edgetpu-custom-op"
CHECK_S = 120.0  # a stick is given its firmware at first use; a large model travels over USB 2
MAX_STDERR = 4096


class EdgeTPU(TFLite):
    """An Interpreter with the delegate."""

    def __init__(self, name: str, version: str, interpreter: Any, path: str, device: str | None) -> None:
        super().__init__(name, version, interpreter)
        self._path, self._device = path, device
        self.delegate = NAME if _has_taken(interpreter) else self.delegate

    @property
    def accelerator(self) -> dict[str, Any]:
        """What is known of library and device; see coral.about."""
        return coral.about(self._path, self._device)


library = tflite.library


def load(
    name: str, package: str, version: str, files: list[str], threads: int, *, device: str | None = None
) -> EdgeTPU:
    """Load the one .tflite in `files`; `device` as libedgetpu's option of that name."""
    path = coral.library(sys.argv[0])
    return EdgeTPU(name, version, interpreter(package, path, device, files[0], threads=threads), path, device)


def interpreter(
    package: str,
    path: str,
    device: str | None,
    model: str,
    *,
    threads: int = 1,
    step: Callable[[str], object] = lambda _: None,
) -> Any:
    """An Interpreter with the delegate of the library at `path`, tensors allocated; `step` hears of it."""
    module = importlib.import_module(package + ".interpreter")
    step(coral.DELEGATE)
    delegate = module.load_delegate(path, {} if device is None else {"device": device})
    step(coral.MODEL)
    made = module.Interpreter(model_path=model, num_threads=threads, experimental_delegates=[delegate])
    made.allocate_tensors()
    return made


def check(name: str, version: str, files: list[str], device: str | None) -> None:
    """Have a child do it all once. Raises Unsupported that tells what is missing or does not go together."""
    program, path = os.path.abspath(sys.argv[0]), coral.library(sys.argv[0])
    command = [sys.executable, program, "edgetpu_check", name, path, device or "", files[0]]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=CHECK_S,
        )
    except subprocess.TimeoutExpired:
        raise Unsupported("the Edge TPU did not answer within {:g} s".format(CHECK_S)) from None
    steps = done.stdout.decode("utf-8", "replace").split("\n")
    why = coral.verdict(done.returncode, steps, "{} {}".format(name, version), path, device=device)
    if why is not None:
        sys.stderr.write(done.stderr.decode("utf-8", "replace")[-MAX_STDERR:])
        raise Unsupported(why)


def _has_taken(interpreter: Any) -> bool:
    """Whether the delegate runs what was compiled: no other one takes that operator."""
    try:
        return any(one.kind == OPERATOR and one.delegated for one in operators(interpreter))
    except Exception:  # private methods: see tflite._delegate
        return False
