"""Inferences that trtexec makes and times, for a trial: see `Timing`."""

from __future__ import annotations

import math
import os
import statistics
from array import array
from typing import Any, Callable, NamedTuple, Sequence, TypeVar

from .. import bench, execution, system, wire
from ..runtimes.contract import Memory, Tick
from ..runtimes.operators import OTHER, Operator
from ..wire import Failed
from . import engines, exports, flags, log, process
from .order import Order
from .program import Program

START_S = 600.0  # for a process to begin, load the engine and end, beside the time that was asked for
PERIODS_WARMUP_MS = 200.0
PROFILE_S, PROFILE_RUNS = 1.0, 10
# What the exported times may differ from the summary by: it is rounded, and leaves the first calls out.
SAME_MEDIAN = 0.05
EDGE_NS = 2_000_000_000  # between the last inference and the report of it
TIMES, OUTPUTS, LAYERS, PROFILE = "times.json", "outputs.json", "layers.json", "profile.json"
T = TypeVar("T")


class Timed(NamedTuple):
    """Calls of one process, and its window on this machine's clock."""

    calls: list[exports.Call]
    start_ns: int
    end_ns: int
    rss_bytes: int

    def window(self, times_ms: Sequence[float]) -> bench.Window:
        """These times as those of the window's calls."""
        kept = times_ms[:: -(-len(times_ms) // wire.MAX_LATENCIES)]  # an even sample
        times_ns = array("q", (max(1, round(one * 1e6)) for one in kept))
        return bench.Window(self.start_ns, self.end_ns, len(self.calls), memoryview(times_ns))


class Calls:
    """One engine's inferences, on the inputs that lie in its folder."""

    def __init__(self, program: Program, engine: engines.Engine, order: Order) -> None:
        self.program, self.engine, self.order = program, engine, order
        self._load_ms = self._warmup_ms = self._first_ms = 0.0
        self._peak = program.idle_rss_bytes

    def infer(self) -> dict[str, exports.Output]:
        """One inference; its outputs by name. Raises Failed."""
        self._run(0.0, 0.0, 1, ["--exportOutput=" + OUTPUTS])
        return self._read(OUTPUTS, exports.outputs)

    def first_ns(self) -> int:
        """See `Timing`. Also finds out how long loading takes, and which layers there are."""
        more = ["--exportTimes=" + TIMES]
        if "--exportLayerInfo" in self.program.options:
            more.append("--exportLayerInfo=" + LAYERS)
        ended = self._run(0.0, 0.0, 1, more)
        self._load_ms = _load_ms(ended)
        self._first_ms = self._times(0.0)[0].latency_ms
        return round(self._first_ms * 1e6)

    def load_ms(self) -> float:
        """See `Timing`."""
        return self._load_ms

    def warm_up(self, *, seconds: float, min_runs: int, tick: Tick) -> None:  # noqa: ARG002
        """See `Timing`. It is the process of `calls` that has to be warm: this only says for how long."""
        self._warmup_ms = max(seconds * 1000, min_runs * self._first_ms)

    def calls(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:  # noqa: ARG002
        """See `Timing`. A call's time is NVIDIA's latency: inputs sent, computed, outputs received."""
        timed = self._timed(self._warmup_ms, seconds, min_runs, tick)
        self._peak = timed.rss_bytes
        return timed.window([call.latency_ms for call in timed.calls])

    def end_to_end(self, room: array[int], *, seconds: float, min_runs: int, tick: Tick) -> bench.Window:  # noqa: ARG002
        """See `Timing`. From one call to the next: what the host does for each is in it."""
        timed = self._timed(PERIODS_WARMUP_MS, seconds, min_runs + 1, tick)
        starts = [call.compute_start_ms for call in timed.calls]
        return timed.window([after - before for before, after in zip(starts, starts[1:])])

    def memory(self) -> Memory:
        """See `Timing`: trtexec's, above what it holds without a model. The GPU's own is not in it."""
        return Memory(self.program.idle_rss_bytes, self._peak)

    def profile(self, tick: Tick) -> dict[str, Any] | None:
        """See `Timing`. Layers are timed in a second pass, which does not slow the calls of the first."""
        wanted = ["--separateProfileRun", "--dumpProfile"]
        more = [flag for flag in wanted if flag in self.program.options]
        more += ["--exportProfile=" + PROFILE, "--exportTimes=" + TIMES]
        try:
            self._run(PERIODS_WARMUP_MS, PROFILE_S, PROFILE_RUNS, more, tick)
            runs, layers = self._read(PROFILE, exports.profile)
            call_ms = statistics.mean(call.compute_ms for call in self._times(PERIODS_WARMUP_MS))
        except Failed:
            return None
        known = {one.name: one for one in self.operators()}
        timed = [
            known.get(layer.name, Operator(layer.name, "layer", None, None, OTHER))._replace(ms=layer.ms)
            for layer in layers
        ]
        return execution.profiled(timed, runs, call_ms)

    def operators(self) -> list[Operator]:
        """The engine's layers; none where trtexec does not tell."""
        try:
            return self._read(LAYERS, exports.operators)
        except Failed:
            return []

    def _timed(self, warmup_ms: float, seconds: float, min_runs: int, tick: Tick) -> Timed:
        """Calls for so long. Raises Failed, also when what was exported is not what trtexec reports."""
        ended = self._run(warmup_ms, seconds, min_runs, ["--exportTimes=" + TIMES], tick)
        made = self._times(warmup_ms)
        if len(made) < 2:
            told = "trtexec made {} inference after its warm-up".format(len(made))
            raise Failed("invoke", told, engines.tail(ended.lines))
        _check_median(made, ended.lines)
        return Timed(made, *_edges(made, ended), ended.rss_bytes)

    def _run(
        self,
        warmup_ms: float,
        seconds: float,
        min_runs: int,
        more: Sequence[str],
        tick: Tick = lambda _: None,
    ) -> process.Ended:
        """Run the engine on its inputs, until it has ended. Raises Failed."""
        for path in map(self._path, (TIMES, OUTPUTS, PROFILE)):
            if os.path.exists(path):
                os.remove(path)  # what is read afterwards is of this run
        inputs = ["{}:{}".format(port.name, input_file(n)) for n, port in enumerate(self.order.inputs)]
        command = [self.program.path, "--loadEngine=" + self.engine.path, "--loadInputs=" + ",".join(inputs)]
        command += flags.run(self.program, warmup_ms=warmup_ms, seconds=seconds, min_runs=min_runs)
        wanted_s = seconds + warmup_ms / 1000
        kills_before = system.oom_kills()
        ended = process.run(
            [*command, *more],
            self.engine.folder,
            START_S + 2 * wanted_s,
            tick=lambda elapsed_s, _: tick(min(1.0, elapsed_s / wanted_s) if wanted_s else 0.0),
        )
        if not ended.in_time:
            told = "trtexec did not end within {:g} s".format(START_S + 2 * wanted_s)
            raise Failed("invoke", told, engines.tail(ended.lines))
        engines.check(ended, "run the engine", kills_before)
        return ended

    def _times(self, warmup_ms: float) -> list[exports.Call]:
        made = self._read(TIMES, lambda text: exports.times(text, warmup_ms))
        if not made:
            raise Failed("invoke", "trtexec timed no inference after its warm-up")
        return made

    def _read(self, name: str, parse: Callable[[str], T]) -> T:
        try:
            with open(self._path(name), encoding="utf-8", errors="replace") as stream:
                return parse(stream.read())
        except (OSError, exports.Garbled) as error:
            told = "trtexec's {} cannot be read: {}".format(name, error)
            raise Failed("invoke", told) from None

    def _path(self, name: str) -> str:
        return os.path.join(self.engine.folder, name)


def input_file(number: int) -> str:
    """The file in an engine's folder that holds an input."""
    return "input{}.bin".format(number)


def _load_ms(ended: process.Ended) -> float:
    """Reading and deserializing the engine; where trtexec does not say, until inference begins."""
    told = [log.took_s(ended.lines, what) for what in ("loaded", "deserialized")]
    known = [one for one in told if one is not None and math.isfinite(one) and one >= 0]
    if known:
        return sum(known) * 1000
    begins_ns = _begins_ns(ended, log.STARTS)
    return ended.took_s * 1000 if begins_ns is None else (begins_ns - ended.start_ns) / 1e6


def _begins_ns(ended: process.Ended, *beginnings: str) -> int | None:
    """When the first line that begins so was read."""
    heard = (one.t_ns for one in ended.heard if log.said(one.text).text.startswith(beginnings))
    return next(heard, None)


def _check_median(made: Sequence[exports.Call], lines: list[str]) -> None:
    """Raise Failed when the exported times are not those of trtexec's own summary."""
    told = log.summary(lines).get("Latency", {}).get("median")
    ours = statistics.median(call.latency_ms for call in made)
    if told is not None and abs(ours - told) > SAME_MEDIAN * told:
        words = "trtexec's exported times have a median of {:g} ms, its summary says {:g} ms"
        raise Failed("invoke", words.format(ours, told), engines.tail(lines))


def _edges(made: Sequence[exports.Call], ended: process.Ended) -> tuple[int, int]:
    """The window of the calls on this machine's clock. Raises Failed when they cannot be placed there.

    It counts from a moment just after it says that inference starts, and reports just after the last call.
    Where its clock ran ahead of that report, the window ends with it.
    """
    starts_ns, reports_ns = _begins_ns(ended, log.STARTS), _begins_ns(ended, *log.REPORTS)
    first_ns, last_ns = (round(ms * 1e6) for ms in (made[0].start_ms, max(call.end_ms for call in made)))
    if starts_ns is not None and reports_ns is not None and abs(reports_ns - last_ns - starts_ns) < EDGE_NS:
        zero_ns = min(starts_ns, reports_ns - last_ns)
        return zero_ns + first_ns, zero_ns + last_ns
    told = "trtexec's calls cannot be placed on this board's clock"
    raise Failed("invoke", told, engines.tail(ended.lines))
