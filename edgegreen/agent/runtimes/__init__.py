"""The runtimes the agent can run a model with. A new one is one file and one line in RUNTIMES.

Nothing is imported until `load`: what is installed is found without importing it, and a runtime that
crashes on import costs one trial only.
"""

from __future__ import annotations

import importlib
import os
import re
from importlib.util import find_spec
from typing import Any, NamedTuple, Sequence

from .contract import Runtime
from .devices import EDGETPU, NONE, ONNXRUNTIME, OPENVINO, Devices
from .tensors import Unsupported


class Entry(NamedTuple):
    """Where a runtime is found: the package it is imported as, what it is installed as, our adapter.

    `times_operators` says whether it can tell how long single operators take, `profiled_runs` after how many
    calls at most (None: any number), and `devices` what it can be asked to run on. `is_program`: it is no
    package, but a program of the board's that the adapter finds. `checked_apart`: a library that does not fit
    would crash the process, so a child tries it first.
    """

    package: str
    distribution: str
    adapter: str
    times_operators: bool = False
    profiled_runs: int | None = None
    devices: Devices = NONE
    is_program: bool = False
    checked_apart: bool = False


RUNTIMES = {
    "litert": Entry("ai_edge_litert", "ai-edge-litert", "tflite"),
    "tflite-runtime": Entry("tflite_runtime", "tflite-runtime", "tflite"),
    "openvino": Entry("openvino", "openvino", "openvino", times_operators=True, devices=OPENVINO),
    # Its profiler keeps an event for each operator of each call.
    "onnxruntime": Entry(
        "onnxruntime",
        "onnxruntime",
        "onnxruntime",
        times_operators=True,
        profiled_runs=50,
        devices=ONNXRUNTIME,
    ),
    "tensorrt": Entry("", "", "tensorrt", is_program=True),
    "edgetpu": Entry("tflite_runtime", "tflite-runtime", "edgetpu", devices=EDGETPU, checked_apart=True),
    "edgetpu-litert": Entry(
        "ai_edge_litert", "ai-edge-litert", "edgetpu", devices=EDGETPU, checked_apart=True
    ),
}


def load(
    name: str,
    files: Sequence[str],
    threads: int,
    *,
    device: str | None = None,
    profile: bool = False,
    **options: Any,
) -> Runtime:
    """Load a model: `files` has the model first. Raises whatever the runtime does, and Unsupported.

    `device` is one of the runtime's; None leaves it to the runtime. With `profile`, a runtime that can do so
    times its operators, which makes every call slower. `options` go to the one adapter that knows them.
    """
    entry = RUNTIMES[name]
    adapter = importlib.import_module("." + entry.adapter, __name__)
    if profile and entry.times_operators:
        options["profile"] = True
    if device is not None:
        if not entry.devices.have(device):
            raise Unsupported("{} knows no device {}".format(name, device))
        options["device"] = device
    runtime: Runtime = adapter.load(
        name, entry.package, version(name) or "unknown", list(files), threads, **options
    )
    return runtime


def check(name: str, files: Sequence[str], device: str | None) -> None:
    """Have a child try the model, where a library that does not fit would crash this process.

    Raises Unsupported that tells why it cannot be run.
    """
    entry = RUNTIMES[name]
    if entry.checked_apart:
        adapter = importlib.import_module("." + entry.adapter, __name__)
        adapter.check(name, version(name) or "unknown", list(files), device)


def import_library(name: str) -> None:
    """Import the runtime's library, so that `load` times nothing but the loading of the model."""
    entry = RUNTIMES[name]
    importlib.import_module("." + entry.adapter, __name__).library(entry.package)


def found() -> dict[str, str]:
    """Installed runtimes and their versions, without importing any."""
    versions = {name: version(name) for name in RUNTIMES}
    return {name: text for name, text in versions.items() if text is not None}


def version(name: str) -> str | None:
    """The installed version of a runtime, "unknown" when it has no metadata, None when there is none."""
    entry = RUNTIMES[name]
    if entry.is_program:
        found: str | None = importlib.import_module("." + entry.adapter, __name__).version()
        return found
    return installed(entry.package, entry.distribution)


def installed(package: str, distribution: str) -> str | None:
    """The version of any package, found without importing it; see `version`."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        return None
    # importlib.metadata came with Python 3.8; the folder's name says the same.
    stem = distribution.replace("-", "[-_]")
    pattern = re.compile(
        stem + r"(?:[-_](?:nightly|gpu))?-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$", re.IGNORECASE
    )
    for neighbour in sorted(_listing(os.path.dirname(folders[0]))):
        match = pattern.match(neighbour)
        if match:
            return match.group(1)
    return "unknown"


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
