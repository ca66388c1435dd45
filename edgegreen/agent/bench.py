"""Timing of calls, and nothing else: no runtime, no file, no output. The clock is injected."""

from __future__ import annotations

import gc
import time
from array import array
from contextlib import contextmanager
from typing import Any, Callable, Iterator, NamedTuple

Clock = Callable[[], int]
TICK_NS = 1_000_000_000


class Window(NamedTuple):
    """A timed window. `runs` calls were made; `times_ns` holds every one, or one in a power of two.

    `times_ns` is a view of the room it was recorded in (a copy would count as the model's memory): use it
    before the next window is recorded there.
    """

    start_ns: int
    end_ns: int
    runs: int
    times_ns: memoryview


def buffer(capacity: int) -> array[int]:
    """Room for times, its memory touched now and not during the window. `capacity` must be even."""
    return array("q", bytes(8 * capacity))


def timed(call: Callable[[], Any], clock: Clock = time.monotonic_ns) -> int:
    """Nanoseconds of one call."""
    start = clock()
    call()
    return clock() - start


def idle(
    seconds: float,
    *,
    clock: Clock = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
    tick: Callable[[float], None] = lambda _: None,
) -> tuple[int, int]:
    """Do nothing for `seconds`; when that began and ended. `tick` is told the share done each second."""
    start = now = clock()
    deadline = start + int(seconds * 1e9)
    while now < deadline:
        sleep(min(deadline - now, TICK_NS) / 1e9)
        now = clock()
        tick(min(1.0, (now - start) / (seconds * 1e9)))
    return start, now


def warm_up(
    invoke: Callable[[], Any],
    *,
    seconds: float,
    min_runs: int,
    clock: Clock = time.monotonic_ns,
    tick: Callable[[float], None] = lambda _: None,
) -> int:
    """Call until both `seconds` and `min_runs` are reached; the number of calls made."""
    start = now = clock()
    told, runs = start, 0
    while now - start < seconds * 1e9 or runs < min_runs:
        invoke()
        runs += 1
        now = clock()
        if now - told >= TICK_NS:
            tick(_done(now - start, seconds, runs, min_runs))
            told = now
    return runs


def measure(
    invoke: Callable[[], Any],
    room: array[int],
    *,
    seconds: float,
    min_runs: int,
    own_ns: Callable[[], int] | None = None,
    clock: Clock = time.monotonic_ns,
    tick: Callable[[float], None] = lambda _: None,
) -> Window:
    """Time single calls of `invoke` until both `seconds` and `min_runs` are reached.

    One rule: a call's time is the difference of the clock read right before and right after it, or what
    `own_ns` says of it where the runtime clocks its own calls. Between the two readings there is
    nothing but the call; garbage collection is off. About once a second, between two calls, `tick` is
    told the share done.

    The times go to `room`. When that is full, every second one is dropped and every second call from
    there on is not kept (then every fourth, …): a long window of a fast model keeps an even sample.
    """
    recorder = _Recorder(invoke, room, own_ns, clock)
    with _quiet():
        start = end = clock()
        deadline = start + int(seconds * 1e9)
        while end < deadline or recorder.runs < min_runs:
            if end < deadline:
                end = recorder.record(min(deadline, end + TICK_NS), len(room))
            else:
                end = recorder.record(end + TICK_NS, min_runs - recorder.runs)
            tick(_done(end - start, seconds, recorder.runs, min_runs))
    return Window(start, end, recorder.runs, memoryview(room)[: recorder.kept])


class _Recorder:
    """Times calls into `room`: `kept` of the `runs` calls made so far."""

    def __init__(
        self, invoke: Callable[[], Any], room: array[int], own_ns: Callable[[], int] | None, clock: Clock
    ) -> None:
        self.invoke, self.room, self.own_ns, self.clock = invoke, room, own_ns, clock
        self.kept = self.runs = self.skip = 0

    def record(self, until_ns: int, calls: int) -> int:
        """Time calls until `until_ns`, at most about `calls` of them; the end of the last."""
        if self.kept == len(self.room):
            self._thin_out()
        invoke, room, own_ns, clock, skip = self.invoke, self.room, self.own_ns, self.clock, self.skip
        first = kept = self.kept
        full = min(len(room), kept + -(-calls // (skip + 1)))
        while True:
            for _ in range(skip):
                invoke()
            start = clock()
            invoke()
            end = clock()
            took = end - start
            if own_ns is not None:
                own = own_ns()
                # A wall clock set meanwhile gives nonsense; a call never outlasts what surrounds it.
                took = own if 0 < own <= took else took
            room[kept] = took
            kept += 1
            if end >= until_ns or kept == full:
                break
        self.kept = kept
        self.runs += (kept - first) * (skip + 1)
        return end

    def _thin_out(self) -> None:
        self.kept //= 2
        self.room[: self.kept] = self.room[::2]
        self.skip = 2 * self.skip + 1


def _done(elapsed_ns: int, seconds: float, runs: int, min_runs: int) -> float:
    in_time = elapsed_ns / (seconds * 1e9) if seconds else 1.0
    return min(1.0, in_time, runs / min_runs if min_runs else 1.0)


@contextmanager
def _quiet() -> Iterator[None]:
    """No garbage collection inside the block."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
