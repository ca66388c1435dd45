"""What is heard of one trial, put together: from its events to a RawResult.

Events are checked one by one in `messages`; here it is checked that they follow from one another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent import wire
from edgegreen.artifact import TensorSpec
from edgegreen.client.messages import (
    Accelerator,
    Board,
    Clock,
    Event,
    ExecutedOperators,
    Failed,
    Holding,
    Latencies,
    Measured,
    Outputs,
    Profiled,
    Progress,
    Refusal,
    TensorInfo,
    TrialWindow,
    Tuned,
)
from edgegreen.client.observed import (
    MeterFound,
    Observations,
    Observed,
    Poll,
    PowerRecords,
    Sampled,
    Snapshot,
)
from edgegreen.client.wirefields import senseless

FROM_SAMPLER = (MeterFound, PowerRecords, Poll, Snapshot, Sampled)
OnProgress = Callable[[str, float], None]
OnOutputs = Callable[[int, list[NDArray[Any]]], None]


@dataclass(frozen=True)
class Job(wire.Job):
    """One trial for the agent, and what the host wants of it.

    A trial without any news (other than being alive) for `timeout_s` has hung. `n_samples` is how many
    samples the evaluation data hold; as many outputs must come back. None: not checked.
    """

    timeout_s: float = 600.0
    n_samples: int | None = None


@dataclass(frozen=True)
class RawResult:
    """What a trial measured, as the board told it.

    `invoke_ns` and `end_to_end_ns` are the times of single calls in the order they were made; of more
    than a million, an even sample. `window_ns` are the edges of the latency window on the board's
    monotonic clock, `runs` the calls made in it. `peak_rss_bytes` is what loading and running the model
    added to the process. `fed` says what the timed calls ran on. `windows` are the edges of `active` and,
    if the trial idled, of `idle_before` and `idle_after`. `observed` is what a sampler said meanwhile; None
    when there was to be none. `executed` and `profile` are what the runtime tells of its own work; None
    where it does not, or was not asked. `accelerator` is what ran the model beside the CPU, if anything did.
    """

    load_ms: float
    first_inference_ms: float
    peak_rss_bytes: int
    runtime_name: str
    runtime_version: str
    runtime_delegate: str | None
    runtime_fell_back: str | None
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    fed: str
    invoke_ns: NDArray[np.int64]
    end_to_end_ns: NDArray[np.int64]
    window_ns: tuple[int, int]
    runs: int
    windows: dict[str, tuple[int, int]]
    observed: Observed | None
    executed: tuple[ExecutedOperators, ...] | None
    profile: Profiled | None
    accelerator: Accelerator | None = None

    @property
    def throughput_ips(self) -> float:
        """Inferences per second over the latency window, with whatever passed between two calls."""
        start, end = self.window_ns
        return self.runs / ((end - start) / 1e9)


class Readings:
    """One trial's events, as they are heard; `on_progress` and `on_outputs` are called in between."""

    def __init__(self, trial_id: str, job: Job, on_progress: OnProgress, on_outputs: OnOutputs) -> None:
        self.id, self._job = trial_id, job
        self._on_progress, self._on_outputs = on_progress, on_outputs
        self._times: dict[str, list[NDArray[np.int64]]] = {"invoke": [], "end_to_end": []}
        self._windows: dict[str, tuple[int, int, int]] = {}
        self._edges: dict[str, tuple[int, int]] = {}
        self._observations = Observations()
        self._evaluated = 0
        self._progress: Progress | None = None
        self._news_at = time.monotonic()
        self.last_word: Measured | Failed | None = None

    @property
    def stage(self) -> str:
        """What the trial was last known to be doing."""
        return self._progress.stage if self._progress else "load"

    def silent_s(self) -> float:
        """For how long there has been nothing but signs of life."""
        return time.monotonic() - self._news_at

    def take(self, event: Event) -> None:
        """Take the next event. Raises DeviceError when it cannot follow, and what the callbacks raise."""
        if isinstance(event, Board | Clock | Holding | Tuned | Refusal) or event.id != self.id:
            raise senseless(f"{type(event).__name__.lower()} came instead of news of trial {self.id}")
        if event != self._progress and not isinstance(event, FROM_SAMPLER):  # which lives when a trial hangs
            self._news_at = time.monotonic()
        match event:
            case Progress():
                self._progress = event
                self._on_progress(event.stage, event.done)
            case TrialWindow():
                self._edges[event.name] = (event.start_ns, event.end_ns)
            case Latencies():
                self._take_latencies(event)
            case Outputs():
                self._on_outputs(event.start, self._take_outputs(event))
            case Measured() | Failed():
                self.last_word = event
            case MeterFound() | PowerRecords() | Poll() | Snapshot() | Sampled():
                self._observations.take(event)

    def result(self) -> RawResult:
        """The whole, when the last word was `measured`. Raises DeviceError when a part is missing."""
        last = self.last_word
        assert isinstance(last, Measured)
        missing = [stage for stage, parts in self._times.items() if not parts]
        if missing:
            raise senseless(f"no latencies of {missing[0]} came")
        expected = self._job.n_samples if self._job.evaluate else 0
        if expected is not None and self._evaluated != expected:
            raise senseless(f"outputs of {self._evaluated} samples came instead of {expected}")
        start, end, runs = self._windows["invoke"]
        self._check_edges(start, end)
        return RawResult(
            load_ms=last.load_ms,
            first_inference_ms=last.first_inference_ms,
            peak_rss_bytes=last.peak_rss_bytes,
            runtime_name=last.runtime.name,
            runtime_version=last.runtime.version,
            runtime_delegate=last.runtime.delegate,
            runtime_fell_back=last.runtime.fell_back,
            inputs=_specs(last.inputs),
            outputs=_specs(last.outputs),
            fed=last.fed,
            invoke_ns=np.concatenate(self._times["invoke"]),
            end_to_end_ns=np.concatenate(self._times["end_to_end"]),
            window_ns=(start, end),
            runs=runs,
            windows=self._edges,
            observed=None if self._job.meter is None else self._observations.whole(),
            executed=None if last.executed is None else tuple(last.executed),
            profile=last.profile,
            accelerator=last.accelerator,
        )

    def _check_edges(self, start_ns: int, end_ns: int) -> None:
        """Raise DeviceError unless every window came, in order, and the active one is that of the calls."""
        names = ("idle_before", "active", "idle_after") if self._job.idle_s else ("active",)
        edges = [edge for name in names for edge in self._edges.get(name, ())]
        complete = set(self._edges) == set(names) and self._edges["active"] == (start_ns, end_ns)
        if not complete or edges != sorted(edges):
            raise senseless(
                f"the windows of the trial are {self._edges}, its calls from {start_ns} to {end_ns}"
            )

    def _take_latencies(self, event: Latencies) -> None:
        window = (event.start_ns, event.end_ns, event.runs)
        if self._windows.setdefault(event.stage, window) != window or event.end_ns <= event.start_ns:
            raise senseless(f"the window of {event.stage} has impossible edges")
        parts = self._times[event.stage]
        parts.append(event.times_ns())
        if sum(len(part) for part in parts) > min(event.runs, wire.MAX_LATENCIES):
            raise senseless(f"more latencies of {event.stage} than calls were made")

    def _take_outputs(self, event: Outputs) -> list[NDArray[Any]]:
        wanted = self._job.n_samples if self._job.evaluate else 0
        if event.start != self._evaluated or len(event.tensors) != len(self._job.output_order):
            raise senseless(f"{len(event.tensors)} outputs of sample {event.start} came out of turn")
        self._evaluated += event.n
        if wanted is not None and self._evaluated > wanted:
            raise senseless(f"outputs of {self._evaluated} samples came, and there are {wanted}")
        return event.arrays()


def _specs(tensors: list[TensorInfo]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(tensor.name, tuple(tensor.shape), tensor.dtype) for tensor in tensors)
