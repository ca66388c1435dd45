"""ONNX models in ONNX Runtime: on the CPU, or through TensorRT and CUDA in a build that has them.

What a build lists is not what works. A provider whose libraries are missing, or that has no kernels for this
GPU, shows itself when a session is made or at its first inference, and ONNX Runtime then falls back without a
word. Here nothing does: a device that is named runs the model or fails, and AUTO goes on to the next best and
says why. Which provider ran which node is read from a profile (`onnxnodes.py`), not from what was asked for.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import shutil
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .onnxnodes import CPU, TENSORRT, TYPES, nodes
from .operators import Operator
from .tensors import Tensor, Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .contract import Timing

CUDA = "CUDAExecutionProvider"
NAMES = {CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT"}
AUTO = "AUTO"
# The best first. By device: the provider that has to work, and those that take the nodes it leaves.
DEVICES = {"TENSORRT": (TENSORRT, CUDA, CPU), "CUDA": (CUDA, CPU), "CPU": (CPU,)}
ERRORS_ONLY = 3
# Since 1.29 it would report its use to Microsoft, and leave an id and a database in the user's home
# (microsoft/onnxruntime#27379). Read once, when it is imported.
QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
SCRATCH: list[str] = []


class OnnxRuntime:
    """A session with its inputs and outputs bound. See `runtimes.Runtime`."""

    own_ns: Callable[[], int] | None = None
    timing: Timing | None = None

    def __init__(self, name: str, version: str, maker: Maker) -> None:
        import numpy as np

        self.name, self.version = name, version
        self.delegate: str | None = None
        """The providers but the CPU's that ran nodes; known once `operators` has been asked."""
        self._maker = maker
        self._session = maker.next()
        self.inputs = [_tensor(port, True) for port in self._session.get_inputs()]
        self.outputs = [_tensor(port, False) for port in self._session.get_outputs()]
        self._values = [np.zeros(tensor.shape, tensor.dtype) for tensor in self.inputs]
        self._binding = maker.bound(self._session, self._values)
        self.invoke: Callable[[], Any] = self._first

    @property
    def fell_back(self) -> str | None:
        """Which better providers this build has that did not run the model, and why; None: there are none."""
        return "; ".join(self._maker.refused) or None

    def set(self, index: int, value: NDArray[Any]) -> None:
        """See `runtimes.Runtime`."""
        self._values[index][...] = value

    def get(self, index: int) -> NDArray[Any]:
        """See `runtimes.Runtime`."""
        # Newer versions give a view of memory that the next call writes to.
        value: NDArray[Any] = self._binding.get_outputs()[index].numpy().copy()
        return value

    def operators(self) -> list[Operator]:
        """See `runtimes.Runtime`: the nodes of the optimised graph.

        Loaded with `profile`, it tells the times of all invokes so far. Else the model is loaded once more,
        for one inference under the profiler.
        """
        timed = self._maker.profile
        found, runs = nodes(_ended(self._session) if timed else self._maker.profiled(self._values))
        others = list(dict.fromkeys(node.provider for node in found if node.provider != CPU))
        self.delegate = " and ".join(NAMES.get(one, one) for one in others) or None
        alone = self._session.get_providers() == [CPU]
        return [
            node.operator(
                delegated=None if alone else node.provider != CPU,
                by=NAMES.get(node.provider, node.provider) if len(others) > 1 else None,
                runs=runs if timed else None,
            )
            for node in found
        ]

    def _first(self) -> None:
        """The first inference proves the provider. When it fails, the next one is tried."""
        while True:
            try:
                self._session.run_with_iobinding(self._binding)
                break
            except Exception as error:
                self._maker.refuse(error)
            self._session = self._maker.next()
            self._binding = self._maker.bound(self._session, self._values)
        self.invoke = partial(self._session.run_with_iobinding, self._binding)


class Maker:
    """Makes sessions of one model: the best provider's first, the next one's when that did not work."""

    def __init__(self, library: Any, path: str, threads: int, device: str, profile: bool) -> None:
        self.profile = profile
        self.refused: list[str] = []
        self._library, self._path, self._threads = library, path, threads
        have = library.get_available_providers()
        named = list(DEVICES.values()) if device == AUTO else [DEVICES[device]]
        if device != AUTO and named[0][0] not in have:
            raise Unsupported(
                "this onnxruntime has no {}; it has {}".format(
                    NAMES[named[0][0]], ", ".join(NAMES[one] for one in have if one in NAMES)
                )
            )
        wanted = [providers for providers in named if providers[0] in have]
        self._left = [[one for one in providers if one in have] for providers in wanted]
        self._tried: list[str] = []

    def next(self) -> Any:
        """The session of the best provider that is left. Raises what the last one's failed with."""
        while True:
            self._tried = self._left.pop(0)
            try:
                return self._session(self._tried, self.profile)
            except Exception as error:
                self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Note why the session that was made last is of no use; raise it when there is no other."""
        if not self._left:
            raise error
        words = " ".join(str(error).split())[:200]
        self.refused.append("{} did not run the model: {}".format(NAMES[self._tried[0]], words))

    def bound(self, session: Any, values: list[NDArray[Any]]) -> Any:
        """Inputs that are read where `values` lie, and outputs that come to the CPU."""
        binding = session.io_binding()
        for port, value in zip(session.get_inputs(), values):
            binding.bind_ortvalue_input(port.name, self._library.OrtValue.ortvalue_from_numpy(value))
        for port in session.get_outputs():
            binding.bind_output(port.name, "cpu")
        return binding

    def profiled(self, values: list[NDArray[Any]]) -> list[dict[str, Any]]:
        """The profiler's events of one inference in a session like the last one."""
        session = self._session(self._tried, True)
        session.run_with_iobinding(self.bound(session, values))
        return _ended(session)

    def _session(self, providers: list[str], profile: bool) -> Any:
        options = self._library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = ERRORS_ONLY
        if profile:
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(scratch(), "profile")
        session = self._library.InferenceSession(
            self._path,
            options,
            providers=providers,
            provider_options=[self._options(one) for one in providers],
        )
        session.disable_fallback()  # it would run again without the provider whose inference failed
        if session.get_providers()[0] != providers[0]:
            raise Unsupported(
                "{} cannot be started here: a library or a device is missing".format(NAMES[providers[0]])
            )
        return session

    def _options(self, provider: str) -> dict[str, str]:
        if provider != TENSORRT:
            return {}
        # Engines take minutes to build: the session under the profiler finds those of the first one.
        options = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": scratch()}
        if _has_qdq(self._path):
            options["trt_int8_enable"] = "1"  # or TensorRT builds no engine of a model in Q/DQ form
        return options


def library(package: str) -> Any:
    """The package or a module of it; imported here alone, on boards and on the host, so that it is quiet."""
    os.environ.update(QUIET)
    return importlib.import_module(package)


def load(
    name: str,
    package: str,
    version: str,
    files: list[str],
    threads: int,
    *,
    device: str | None = None,
    profile: bool = False,
) -> OnnxRuntime:
    """Load the one .onnx file in `files`."""
    return OnnxRuntime(name, version, Maker(library(package), files[0], threads, device or AUTO, profile))


def scratch() -> str:
    """A folder of this process for profiles and engines; `leave_nothing` removes it."""
    if not SCRATCH:
        SCRATCH.append(tempfile.mkdtemp(prefix="edgegreen-"))
        atexit.register(leave_nothing)
    return SCRATCH[0]


def leave_nothing() -> None:
    """Remove what `scratch` made, if it did."""
    while SCRATCH:
        shutil.rmtree(SCRATCH.pop(), ignore_errors=True)


def _ended(session: Any) -> list[dict[str, Any]]:
    path = session.end_profiling()
    with open(path, encoding="utf-8") as stream:
        events: list[dict[str, Any]] = json.load(stream)
    os.remove(path)
    return events


def _has_qdq(path: str) -> bool:
    """Whether the file names an operator of the Q/DQ form. Names stand in it as they are."""
    with open(path, "rb") as stream:
        return b"DequantizeLinear" in stream.read()


def _tensor(port: Any, is_input: bool) -> Tensor:
    kind = str(port.type)  # tensor(float)
    inner = kind[len("tensor(") : -1] if kind.startswith("tensor(") else kind
    extents = list(port.shape)
    if is_input and any(not isinstance(extent, int) for extent in extents[1:]):
        raise Unsupported(
            "input `{}` has the dynamic shape {}; give `input_shape` in the recipe".format(port.name, extents)
        )
    # A batch that is left open is one sample. Outputs may have extents that depend on the data.
    fixed = [extent if isinstance(extent, int) else 1 if is_input else 0 for extent in extents]
    return Tensor(str(port.name), tuple(fixed), TYPES.get(inner, inner))
