"""What a loaded model really executes, and how long each operator takes: asked of the runtime itself.

Nothing here can fail a trial: a runtime that does not tell, or breaks when asked, gives None.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Callable, Iterable, Sequence

from . import bench, runtimes, wire
from .runtimes.contract import Runtime
from .runtimes.operators import Operator

MAX_KINDS = 200
MAX_OPERATORS = 50
MAX_NAME = 120
PROFILE_S, PROFILE_RUNS = 1.0, 10


def told(runtime: Runtime) -> list[dict[str, Any]] | None:
    """The operators that run, counted by what they have in common; at most MAX_KINDS."""
    try:
        operators = runtime.operators()
    except Exception:
        return None
    if not operators:
        return None
    counted = Counter((one.kind, one.precision, one.delegated, one.role) for one in operators)
    return [
        {"type": _cut(kind), "precision": precision, "delegated": delegated, "role": role, "count": count}
        for (kind, precision, delegated, role), count in counted.most_common(MAX_KINDS)
    ]


def profile(
    name: str,
    files: Sequence[str],
    threads: int,
    *,
    feed: Callable[[Runtime], None],
    tick: Callable[[float], None],
    **options: Any,
) -> dict[str, Any] | None:
    """Load the model once more with the runtime's own clocks on, run it for a second, and read them.

    Apart from the timed windows, whose calls those clocks would slow down. `feed` puts a sample in; `options`
    are as in `runtimes.load`. None in a runtime that times no operators.
    """
    entry = runtimes.RUNTIMES[name]
    if not entry.times_operators:
        return None
    seconds, min_runs = (0.0, entry.profiled_runs) if entry.profiled_runs else (PROFILE_S, PROFILE_RUNS)
    try:
        runtime = runtimes.load(name, files, threads, profile=True, **options)
        feed(runtime)
        start = time.monotonic_ns()
        runs = bench.warm_up(runtime.invoke, seconds=seconds, min_runs=min_runs, tick=tick)
        call_ms = (time.monotonic_ns() - start) / 1e6 / runs
        return profiled(runtime.operators() or (), runs, call_ms)
    except Exception:
        return None


def profiled(operators: Iterable[Operator], runs: int, call_ms: float) -> dict[str, Any] | None:
    """The fields of a profile: the mean call, its operators together, the longest ones; None without any."""
    timed = [(one.ms, one) for one in operators if one.ms is not None]
    if not timed:
        return None
    timed.sort(key=lambda pair: -pair[0])
    return {
        "runs": runs,
        "call_ms": call_ms,
        "operators_ms": sum(ms for ms, _ in timed),
        "operators": [
            {"name": _cut(one.name), "type": _cut(one.kind), "precision": one.precision, "ms": ms}
            for ms, one in timed[:MAX_OPERATORS]
        ],
    }


def _cut(text: str) -> str:
    return wire.one_line(text, MAX_NAME)
