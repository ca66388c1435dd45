"""The runtimes the agent can run a model with. A new one is one file and one line in RUNTIMES.

Nothing is imported until `load`: what is installed is found without importing it, and a runtime that
crashes on import costs one trial only.
"""

from __future__ import annotations

import importlib
import os
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Sequence

from .operators import Operator
from .tensors import Tensor

if TYPE_CHECKING:
    from typing import Protocol

    from numpy.typing import NDArray
else:
    Protocol = object  # typing.Protocol came with Python 3.8


class Entry(NamedTuple):
    """Where a runtime is found: the package it is imported as, what it is installed as, our adapter.

    `times_operators` says whether it can tell how long single operators take, `has_devices` whether it has
    several devices to run a model on, and a library for them that may not fit.
    """

    package: str
    distribution: str
    adapter: str
    times_operators: bool = False
    has_devices: bool = False


RUNTIMES = {
    "litert": Entry("ai_edge_litert", "ai-edge-litert", "tflite"),
    "tflite-runtime": Entry("tflite_runtime", "tflite-runtime", "tflite"),
    "openvino": Entry("openvino", "openvino", "openvino", times_operators=True),
    "edgetpu": Entry("tflite_runtime", "tflite-runtime", "edgetpu", has_devices=True),
    "edgetpu-litert": Entry("ai_edge_litert", "ai-edge-litert", "edgetpu", has_devices=True),
}


class Runtime(Protocol):
    """A model loaded and ready. Inputs and outputs are numbered as in the model's file.

    `delegate` is None unless a delegate is known to have taken part of the model.
    """

    name: str
    version: str
    delegate: str | None
    inputs: list[Tensor]
    outputs: list[Tensor]
    invoke: Callable[[], Any]
    """Run the model on what was set: the quantity called latency."""
    own_ns: Callable[[], int] | None
    """The runtime's own measure of the last `invoke`, where that is what its vendor calls latency."""

    def set(self, index: int, value: NDArray[Any]) -> None:
        """Copy `value` (of the tensor's own shape and type) into an input."""

    def get(self, index: int) -> NDArray[Any]:
        """A copy of an output, of the tensor's own type."""

    def operators(self) -> list[Operator]:
        """What runs at each invoke, in order. Raises whatever the runtime does when it does not tell."""


def load(
    name: str, files: Sequence[str], threads: int, *, profile: bool = False, device: str | None = None
) -> Runtime:
    """Load a model: `files` has the model first. Raises whatever the runtime does, and Unsupported.

    With `profile`, a runtime that can do so times its operators, which makes every call slower. `device` is
    for a runtime that has several, in its own words.
    """
    entry = RUNTIMES[name]
    adapter = importlib.import_module("." + entry.adapter, __name__)
    options: dict[str, Any] = {"profile": True} if profile and entry.times_operators else {}
    if entry.has_devices:
        options["device"] = device
    runtime: Runtime = adapter.load(
        name, entry.package, version(name) or "unknown", list(files), threads, **options
    )
    return runtime


def check(name: str, files: Sequence[str], device: str | None) -> None:
    """Whether a runtime that a misfit would crash can run the model, found out without running it here.

    Raises wire.Failed that tells why not.
    """
    entry = RUNTIMES[name]
    if entry.has_devices:
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
    pattern = re.compile(stem + r"(?:[-_]nightly)?-([^-]+)(?:-py[\d.]+)?\.(?:dist|egg)-info$", re.IGNORECASE)
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
