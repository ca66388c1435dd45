"""One trial in one process: load, idle, first inference, warm-up, timed windows, accuracy; then gone.

What really ran is asked after all of that, and so are the times of single operators if they are wanted.
The supervisor starts it, hands it one request on stdin, and passes on what it says. Its last word is
`measured` or `failed`; dying without one is for the supervisor to report.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
import traceback
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Callable, Iterator

from . import bench, execution, kits, runtimes, subset, system, wire
from .model import Model
from .npz import DataError, Samples
from .outputs import OutputChunks
from .runtimes import onnxruntime
from .runtimes.contract import Timing
from .runtimes.tensors import Mismatch, Tensor, Unsupported
from .timing import InProcess
from .wire import Failed, Job

if TYPE_CHECKING:
    from numpy.typing import NDArray

END_TO_END_SHARE = 0.2
PROGRESS_S = 0.5


def main(parent: int, program: str) -> None:
    """Run the one request on stdin; `parent` is the supervisor's process id. Does not return.

    `program` is the file this process runs, beside which a runtime may have been brought along.
    """
    out = wire.take_stdout()
    faulthandler.enable()  # where a crash happened, for the stderr tail
    system.die_with_parent(parent)
    request = wire.decode(sys.stdin.buffer.readline())
    speech = Speech(out, request["id"])
    try:
        job = Job.parse(request["job"])
        kits.use(job.runtime, kits.folder_beside(program))
        speech.say("measured", **Trial(job, speech, kits.root_of(program)).run())
    except BaseException as error:
        failed = _as_failed(error)
        speech.say("failed", kind=failed.kind, error=failed.error, detail=failed.detail, signal=None)
    _leave_nothing()
    sys.stderr.flush()
    # All is said; no tidying up by the interpreter and the libraries, in which delegates are known to crash.
    os._exit(0)


def _leave_nothing() -> None:
    """Remove what ONNX Runtime leaves, and OpenVINO writes for profilers on Arm, beside all that is ours."""
    onnxruntime.leave_nothing()
    try:
        os.remove("/tmp/perf-{}.map".format(os.getpid()))  # noqa: S108
    except OSError:
        pass


class Speech:
    """Events of one trial, written out as they come."""

    def __init__(self, out: BinaryIO, id_: str) -> None:
        self._out, self._id = out, id_
        self._told = float("-inf")

    def say(self, event: str, **fields: Any) -> None:
        """One event."""
        self._out.write(wire.encode({"event": event, "id": self._id, **fields}))
        self._out.flush()

    def progress(self, stage: str, done: float) -> None:
        """How far a stage is."""
        self._told = time.monotonic()
        self.say("progress", stage=stage, done=round(done, 4))

    def progress_now_and_then(self, stage: str, done: float) -> None:
        """`progress`, unless it was told a moment ago."""
        if time.monotonic() - self._told >= PROGRESS_S:
            self.progress(stage, done)


class Trial:
    """The stages of one job, in order. `folder` is edgegreen's own on this machine."""

    def __init__(self, job: Job, speech: Speech, folder: str) -> None:
        self.job, self.speech, self.folder = job, speech, folder

    def run(self) -> dict[str, Any]:
        """All stages; the fields of the `measured` event. Raises Failed."""
        job = self.job
        self.speech.progress("load", 0.0)
        with _failing_as("load"):
            import numpy  # noqa: F401  (its memory is not the model's)
        room = bench.buffer(wire.MAX_LATENCIES)
        with _opened(job.samples) as samples:
            with _failing_as("data"):
                sample = next(samples.rows(0, 1)) if samples else None
            system.reset_peak_rss()
            rss_before = system.rss_bytes()
            model, load_ms = self._load(samples)
            row = sample or model.noise()
            with _failing_as("data"):
                model.feed(row)
            timing = model.runtime.timing or InProcess(
                model, row,
                load_ms=load_ms, rss_before_bytes=rss_before, again=lambda tick: self._again(row, tick),
            )  # fmt: skip
            self._idle("idle_before")
            with _failing_as("invoke"):
                first_ms = timing.first_ns() / 1e6
                self._latency(timing, room)
                self._end_to_end(timing, room)
            if samples and job.evaluate:
                self._accuracy(model, samples)
        executed = execution.told(model.runtime)
        profile = self._profile(timing) if job.profile else None
        memory = timing.memory()
        return {
            "load_ms": timing.load_ms(),
            "first_inference_ms": first_ms,
            "peak_rss_bytes": max(0, memory.peak_bytes - memory.before_bytes),
            "rss_before_load_bytes": memory.before_bytes,
            "runtime": {
                "name": model.runtime.name,
                "version": model.runtime.version,
                "delegate": model.runtime.delegate,
                "fell_back": _said(model.runtime.fell_back),
            },
            "inputs": [_spec(tensor) for tensor in model.inputs],
            "outputs": [_spec(tensor) for tensor in model.outputs],
            "fed": f"first sample of {os.path.basename(job.samples)}" if job.samples else "seeded noise",
            "executed": executed,
            "profile": profile,
            "accelerator": getattr(model.runtime, "accelerator", None),
        }

    def _load(self, samples: Samples | None) -> tuple[Model, float]:
        job, files = self.job, self._files()
        with _failing_as("load"):
            if job.runtime not in runtimes.RUNTIMES:
                raise Unsupported(f"no runtime is called `{job.runtime}`")
            for path in files:
                open(path, "rb").close()  # some runtimes name neither the file nor the reason
            runtimes.check(job.runtime, files, job.device)
            runtimes.import_library(job.runtime)
            start = time.monotonic_ns()
            runtime = runtimes.load(job.runtime, files, job.threads, **self._options())
            load_ms = (time.monotonic_ns() - start) / 1e6
        with _failing_as("data"):
            model = Model(runtime, job.input_order, job.output_order, job.normalize)
            if samples:
                model.check(samples.names)
        return model, load_ms

    def _options(self) -> dict[str, Any]:
        """What a runtime is told besides: its device; one that builds engines, what to build, and where."""
        options: dict[str, Any] = {"device": self.job.device}
        if self.job.engine is not None:
            folder = os.path.join(self.folder, "engines")
            options.update(engine=self.job.engine, folder=folder, told=self.speech.progress)
        return options

    def _files(self) -> list[str]:
        return [os.path.expanduser(path) for path in self.job.files]

    def _profile(self, timing: Timing) -> dict[str, Any] | None:
        self.speech.progress("profile", 0.0)
        return timing.profile(lambda done: self.speech.progress("profile", done))

    def _again(self, row: list[NDArray[Any]], tick: Callable[[float], None]) -> dict[str, Any] | None:
        """The model loaded once more, its operators timed."""
        job = self.job
        return execution.profile(
            job.runtime,
            self._files(),
            job.threads,
            feed=lambda runtime: Model(runtime, job.input_order, job.output_order, job.normalize).feed(row),
            tick=tick,
            **self._options(),
        )

    def _latency(self, timing: Timing, room: array[int]) -> None:
        """Warm up and time."""
        job = self.job
        self.speech.progress("warmup", 0.0)
        timing.warm_up(
            seconds=job.warmup_s,
            min_runs=job.min_warmup_runs,
            tick=lambda done: self.speech.progress("warmup", done),
        )
        self.speech.progress("latency", 0.0)
        window = timing.calls(
            room,
            seconds=job.duration_s,
            min_runs=job.min_runs,
            tick=lambda done: self.speech.progress("latency", done),
        )
        self._window("active", window.start_ns, window.end_ns)
        self._idle("idle_after")
        self._latencies("invoke", window)  # packing them is work, and would not be idle

    def _idle(self, name: str) -> None:
        """The model loaded, the process asleep: what the board draws without the model at work."""
        if self.job.idle_s:
            self.speech.progress("idle", 0.0)
            start_ns, end_ns = bench.idle(
                self.job.idle_s, tick=lambda done: self.speech.progress("idle", done)
            )
            self._window(name, start_ns, end_ns)

    def _window(self, name: str, start_ns: int, end_ns: int) -> None:
        self.speech.say("window", name=name, start_ns=start_ns, end_ns=end_ns)

    def _end_to_end(self, timing: Timing, room: array[int]) -> None:
        job = self.job
        self.speech.progress("end_to_end", 0.0)
        window = timing.end_to_end(
            room,
            seconds=job.duration_s * END_TO_END_SHARE,
            min_runs=max(2, int(job.min_runs * END_TO_END_SHARE)),
            tick=lambda done: self.speech.progress("end_to_end", done),
        )
        self._latencies("end_to_end", window)

    def _latencies(self, stage: str, window: bench.Window) -> None:
        edges = {"start_ns": window.start_ns, "end_ns": window.end_ns, "runs": window.runs}
        for chunk in wire.chunks(window.times_ns):
            self.speech.say("latencies", stage=stage, **edges, **wire.pack_ns(chunk))

    def _accuracy(self, model: Model, samples: Samples) -> None:
        self.speech.progress("accuracy", 0.0)
        chunks = OutputChunks(lambda fields: self.speech.say("outputs", **fields))
        for number, row in self._chosen(samples):
            with _failing_as("data"):
                model.feed(row)
            with _failing_as("invoke"):
                model.runtime.invoke()
                outputs = model.read()
            chunks.add(outputs)
            self.speech.progress_now_and_then("accuracy", number / samples.n)
        chunks.flush()

    def _chosen(self, samples: Samples) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """The samples to be evaluated, with their numbers; the others are passed over."""
        wanted = frozenset(subset.numbers(samples.n, self.job.evaluate_max))
        rows = samples.rows()
        for number in range(samples.n):
            with _failing_as("data"):
                row = next(rows)
            if number in wanted:
                yield number, row


@contextmanager
def _opened(path: str | None) -> Iterator[Samples | None]:
    if path is None:
        yield None
        return
    with _failing_as("data"):
        samples = Samples(os.path.expanduser(path))
    with samples:
        yield samples


@contextmanager
def _failing_as(kind: str) -> Iterator[None]:
    """Turn what a library raises in the block into Failed of this kind."""
    try:
        yield
    except (Failed, MemoryError):
        raise
    except (DataError, Mismatch) as error:
        raise Failed("data", wire.one_line(str(error))) from error
    except Exception as error:
        raise Failed(kind, _describe(error), _traceback()) from error


def _as_failed(error: BaseException) -> Failed:
    if isinstance(error, Failed):
        return error
    if isinstance(error, MemoryError):
        return Failed("memory", "out of memory: " + _describe(error), _traceback())
    if isinstance(error, wire.NotUnderstood):
        return Failed("protocol", str(error))
    return Failed("other", _describe(error), _traceback())


def _describe(error: BaseException) -> str:
    if isinstance(error, Unsupported):
        return wire.one_line(str(error))
    return wire.one_line(f"{type(error).__name__}: {error}")


def _traceback() -> str:
    return traceback.format_exc()[-wire.MAX_DETAIL :]


def _said(text: str | None) -> str | None:
    return text and wire.one_line(text)


def _spec(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype}
