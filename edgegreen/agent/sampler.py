"""Reads a meter again and again, in a process of its own, so that the measured one is not disturbed.

Every reading has its own time: the middle between right before and right after it, on the monotonic
clock that the trial's windows are measured with. A meter that does not average is read at a random moment
of each period: on a fixed grid it would see a load of the same rhythm always in one phase. The sampler
says of itself what it cost and where it fell behind. It ends when its stdin closes, or on SIGTERM.
"""

from __future__ import annotations

import base64
import gc
import json
import math
import os
import random
import resource
import select
import signal
import struct
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from . import conditions, meters, system, wire
from .meters.base import POWER, Meter
from .meters.tree import Unreadable
from .watcher import Watcher

RECORD = struct.Struct("<qId")  # when (ns), how long the reading took (ns), watts or joules; NaN: it failed
BATCH_S = 1.0  # each batch wakes the process that passes it on
BATCH_RECORDS = 4096
GAPS_KEPT = 100
GAP_PERIODS = 1.5
GAP_PERIODS_AT_RANDOM = 2.1  # two readings at random moments may be two periods apart
SEED = 1  # the same moments in every trial: which ones they are must not make a difference between two
NO_METER = "none"
DEFAULT_PERIOD_S = 0.1
COST_MAX = 0.01  # of one core: the period is made longer until reading costs less
ROOM = 1.25  # periods per reading, for drivers that wait for the sensor's next conversion
WATCH_S = 1.0
TRIES = 3

Clock = Callable[[], int]
Emit = Callable[..., None]
Wait = Callable[[float], bool]


class Record(NamedTuple):
    """One reading: the middle of it, how long it took, and watts or joules (NaN when it failed)."""

    t_ns: int
    took_ns: int
    value: float


@dataclass
class Summary:
    """What a sampler says of its own work.

    `n` readings, of which `failed`; `missed` were due and could not be taken in time. `gaps` are the
    first GAPS_KEPT stretches of more than 1.5 periods (2.1 where it reads at random) without a reading,
    [start_ns, end_ns] each, of `gap_count`. `cpu_s` is the CPU time of this process and the commands it
    ran, over `wall_s`.
    """

    period_s: float
    n: int = 0
    failed: int = 0
    missed: int = 0
    gap_count: int = 0
    longest_gap_s: float = 0.0
    read_ms_mean: float = 0.0
    read_ms_max: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    error: str | None = None
    gaps: list[list[int]] = field(default_factory=list)


def sample(
    meter: Meter,
    period_s: float,
    emit: Emit,
    wait: Wait,
    *,
    watch: Callable[[], None] = lambda: None,
    clock: Clock = time.monotonic_ns,
) -> Summary:
    """Read `meter` every `period_s` until `wait` says to end; a `power` event about once a second.

    Periods are counted from the start, so lateness does not add up. A reading is due at the start of each,
    or at a random moment of it (see `at_random`); one that could not be taken in its period is left out
    and counted. `wait(seconds)` is false when it is time to end. `watch` is called once a second, right
    after a reading. What is held in memory is bounded by BATCH_RECORDS and GAPS_KEPT.
    """
    summary, batch = Summary(period_s), bytearray()
    cpu_s, start = _cpu_s(), clock()
    period_ns, turn, sent, watched, last = int(period_s * 1e9), start, start, start, 0
    moments = random.Random(SEED) if at_random(meter, period_s) else None  # noqa: S311
    gap_ns = (GAP_PERIODS_AT_RANDOM if moments else GAP_PERIODS) * period_ns
    while wait(max(0, _due(turn, period_ns, moments) - clock()) / 1e9):
        record = _read(meter, summary, clock)
        batch += RECORD.pack(record.t_ns, min(record.took_ns, 0xFFFFFFFF), record.value)
        if record.value == record.value:
            _note_gap(summary, last, record.t_ns, gap_ns)
            last = record.t_ns
        now = clock()
        if now - watched >= WATCH_S * 1e9:
            watch()
            watched = now
        if now - sent >= BATCH_S * 1e9 or len(batch) >= BATCH_RECORDS * RECORD.size:
            emit("power", **pack(batch))
            sent, batch = now, bytearray()
        late = max(0, clock() - turn) // period_ns
        if late and moments:
            late -= 1  # of a reading late in its period, the end may well lie in the next
        summary.missed += late
        turn += (late + 1) * period_ns
    if batch:
        emit("power", **pack(batch))
    summary.cpu_s, summary.wall_s = _cpu_s() - cpu_s, (clock() - start) / 1e9
    return summary


def at_random(meter: Meter, period_s: float) -> bool:
    """Whether it matters when in a period a meter is read.

    Not to a counter, nor to one that averages for as long: they see what happens in between.
    """
    return meter.about.quantity == POWER and (meter.about.averaging_s or 0.0) < period_s


def _due(turn: int, period_ns: int, moments: random.Random | None) -> int:
    return turn + int(moments.random() * period_ns) if moments else turn


def _read(meter: Meter, summary: Summary, clock: Clock) -> Record:
    before = clock()
    try:
        value = meter.read()
    except Unreadable as error:
        summary.failed += 1
        summary.error = wire.one_line(str(error))
        value = math.nan
    after = clock()
    summary.n += 1
    took_ms = (after - before) / 1e6
    summary.read_ms_mean += (took_ms - summary.read_ms_mean) / summary.n
    summary.read_ms_max = max(summary.read_ms_max, took_ms)
    return Record((before + after) // 2, after - before, value)


def _note_gap(summary: Summary, last_ns: int, now_ns: int, gap_ns: float) -> None:
    if last_ns and now_ns - last_ns > gap_ns:
        summary.gap_count += 1
        summary.longest_gap_s = max(summary.longest_gap_s, (now_ns - last_ns) / 1e9)
        if len(summary.gaps) < GAPS_KEPT:
            summary.gaps.append([last_ns, now_ns])


def pack(records: bytearray) -> dict[str, Any]:
    """The fields of a `power` event."""
    data = base64.b64encode(zlib.compress(bytes(records), 1)).decode("ascii")
    return {"n": len(records) // RECORD.size, "data": data}


def unpack(n: int, data: str) -> Iterator[Record]:
    """The readings in a `power` event. Raises ValueError, also when they are more or fewer than `n`."""
    size = n * RECORD.size
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(data, validate=True), size + 1)
    except zlib.error as error:
        raise ValueError("readings cannot be unpacked ({})".format(error)) from None
    if len(packed) != size:
        raise ValueError("readings of {} bytes instead of {}".format(len(packed), size))
    return map(Record._make, RECORD.iter_unpack(packed))


def pace(meter: Meter, asked_s: float | None) -> float:
    """The period to read a meter with: what was asked, but not faster than it pays.

    Nothing new comes before the sensor's update, a reading must fit in, and readings may not cost more
    than COST_MAX of a core. Raises Unreadable.
    """
    costs_s, times_s = [], []
    for _ in range(TRIES):
        cpu_s, start_s = _cpu_s(), time.monotonic()
        meter.read()
        costs_s.append(_cpu_s() - cpu_s)
        times_s.append(time.monotonic() - start_s)
    asked_s = DEFAULT_PERIOD_S if asked_s is None else asked_s
    return max(asked_s, meter.about.update_s or 0.0, ROOM * min(times_s), min(costs_s) / COST_MAX)


def _cpu_s() -> float:
    """CPU time of this process and of the commands it ran."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Ending:
    """Waits that end early when stdin closes or SIGTERM comes."""

    def __init__(self, stdin: int = 0) -> None:
        self._stdin = stdin
        self._signals, wake = os.pipe()
        for fd in (self._signals, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def wait(self, seconds: float) -> bool:
        """Wait; false when it is time to end."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._stdin, self._signals], [], [], left)
            if self._signals in ready or (self._stdin in ready and not os.read(self._stdin, 4096)):
                return False
            if not left:
                return True


@dataclass(frozen=True)
class Spec:
    """What a sampler is to do.

    `watch`: also follow the board's conditions. `ours`: processes that are, with their children, not
    foreign; without any, the one that started this. `meter` may be NO_METER: then there is only watching.
    """

    root: str = "/"
    family: str = "linux"
    meter: str = meters.AUTO
    rail: str | None = None
    scope: str | None = None
    period_s: float | None = None
    watch: bool = True
    ours: Sequence[int] = ()


def main(spec: str) -> None:
    """Sample as the JSON object `spec` (a Spec's fields) says, events on stdout. Does not return.

    First the board's conditions, `snapshot` (if it is to watch), and `meter`: what is read, why, and how
    often; `about` is None where there is none. From then on it samples: `power` and `conditions` (see
    watcher.Watcher) come about once a second, and at the end another `snapshot`, and `sampled`, the
    Summary. `error` instead when the spec is not understood.
    """
    out = wire.take_stdout()
    system.die_with_parent(os.getppid())

    def say(event: str, **fields: Any) -> None:
        out.write(wire.encode(dict(event=event, **fields)))
        out.flush()

    try:
        try:
            _serve(Spec(**json.loads(spec)), Ending(), say)
        except (TypeError, ValueError) as error:
            say("error", error=wire.one_line("sampler: {}".format(error)))
    except OSError:
        pass  # nobody listens any more
    os._exit(0)


def _serve(spec: Spec, ending: Ending, say: Emit) -> None:
    ours = spec.ours or [os.getppid()]
    if spec.watch:
        say("snapshot", when="before", **conditions.snapshot(spec.root, ours=ours))
    meter, why, period_s = _meter(spec)
    say("meter", about=asdict(meter.about) if meter else None, why=wire.one_line(why), period_s=period_s)
    watcher = Watcher(spec.root, ours=ours) if spec.watch else None

    def watch() -> None:
        if watcher:
            say("conditions", **watcher.poll())

    summary: Summary | None = None
    gc.collect()
    gc.disable()
    if meter and period_s:
        summary = sample(meter, period_s, say, ending.wait, watch=watch)
    else:
        while ending.wait(WATCH_S):
            watch()
    if spec.watch:
        say("snapshot", when="after", **conditions.snapshot(spec.root, ours=ours))
    say("sampled", summary=asdict(summary) if summary else None, error=None)


def _meter(spec: Spec) -> tuple[Meter | None, str, float | None]:
    """The meter, why this one, and the period; or None, and why there is none."""
    if spec.meter == NO_METER:
        return None, "no meter was asked for", None
    choice = meters.choose(spec.root, spec.family, kind=spec.meter, rail=spec.rail, scope=spec.scope)
    if choice.meter is None:
        return None, choice.why, None
    try:
        return choice.meter, choice.why, pace(choice.meter, spec.period_s)
    except Unreadable as error:
        return None, str(error), None
