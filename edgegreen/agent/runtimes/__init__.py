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

    `times_operators` says whether it can tell how long single operators take.
    """

    package: str
    distribution: str
    adapter: str
    times_operators: bool = False


RUNTIMES = {
    "litert": Entry("ai_edge_litert", "ai-edge-litert", "tflite"),
    "tflite-runtime": Entry("tflite_runtime", "tflite-runtime", "tflite"),
    "openvino": Entry("openvino", "openvino", "openvino", times_operators=True),
}


class Runtime(Protocol):
    """A model loaded and ready. Inputs and outputs are numbered as in the model's file.

    `delegate` is None unless a delegate is known to have taken part of the model, or it ran elsewhere than on
    the CPU as the runtime does by itself; asked after the first inference.
    """

    name: str
    version: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    invoke: Callable[[], Any]
    """Run the model on what was set: the quantity called latency."""
    own_ns: Callable[[], int] | None
    """The runtime's own measure of the last `invoke`, where that is what its vendor calls latency."""

    @property
    def delegate(self) -> str | None:
        """See above."""

    def set(self, index: int, value: NDArray[Any]) -> None:
        """Copy `value` (of the tensor's own shape and type) into an input."""

    def get(self, index: int) -> NDArray[Any]:
        """A copy of an output, of the tensor's own type."""

    def operators(self) -> list[Operator]:
        """What runs at each invoke, in order. Raises whatever the runtime does when it does not tell."""


def load(name: str, files: Sequence[str], threads: int, *, profile: bool = False, **options: Any) -> Runtime:
    """Load a model: `files` has the model first. Raises whatever the runtime does, and Unsupported.

    With `profile`, a runtime that can do so times its operators, which makes every call slower. `options` are
    those of the one adapter that knows them.
    """
    entry = RUNTIMES[name]
    adapter = importlib.import_module("." + entry.adapter, __name__)
    if profile and entry.times_operators:
        options["profile"] = True
    runtime: Runtime = adapter.load(
        name, entry.package, version(name) or "unknown", list(files), threads, **options
    )
    return runtime


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
