"""Whether a reading can be trusted: what happened to the board while it was taken. Pure.

What the outputs, the latencies and the power say of themselves is told elsewhere (`trials`, `stability`,
`energy`); here it is put together with the conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent import watcher
from edgegreen.client.observed import Observed, Poll
from edgegreen.meters.record import Record
from edgegreen.statistics import stability

CLOCK_CHANGE_MAX = 0.10  # of the highest clock of the board, while the model ran
FOREIGN_MAX = 0.10  # share of all cores that others used, mean over a window
SWAP_RISE_MAX_BYTES = 1 << 20
APEX_TRIP_C = 85.0  # Coral's first trip point, where the driver does not tell its own
COOLING_MARGIN_C = 1.0  # zones move while the sampler starts
WORDS = {
    "undervoltage": "the board was undervolted",
    "frequency_capped": "the board capped its clocks",
    "throttled": "the board was throttled",
    "soft_temperature_limit": "the board reached its soft temperature limit",
}
IDLE = {
    "idle_before": "while the board idled before the model ran",
    "idle_after": "while the board idled after the model ran",
}
# Counters of a Jetson; `oc3` (peak current) rises by itself on some boards and says nothing alone.
OVERCURRENT = {"oc1": "undervoltage", "oc2": "mean current"}


def of_latency(invoke_ns: NDArray[Any], window_ns: tuple[int, int]) -> tuple[str, ...]:
    """Why these call times, an even sample of this window's, are no steady, well known latency."""
    window_s = (window_ns[1] - window_ns[0]) / 1e9
    return (*stability.instability(invoke_ns, window_s), *stability.imprecision(invoke_ns))


def of_conditions(observed: Observed | None, window_ns: tuple[int, int]) -> tuple[str, ...]:
    """Why the board was in no state to be measured in this window."""
    if observed is None:
        return ()
    polls = during(observed, window_ns)
    return (
        *_throttled(observed, polls),
        *_overcurrent(observed),
        *_clock(polls),
        *_edgetpu(observed, polls),
        *_foreign(observed.polls, window_ns, "while the model ran"),
        *_swap(observed),
    )


def of_idle(observed: Observed | None, windows: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """Why the board did not idle in the windows in which it was to, `idle_before` and `idle_after`.

    Others at work then raise the idle power, which is taken off: the model seems to need less than it does.
    """
    if observed is None:
        return ()
    idle = [(windows[name], words) for name, words in IDLE.items() if name in windows]
    return tuple(reason for edges, words in idle for reason in _foreign(observed.polls, edges, words))


def of_cooling(observed: Observed | None, limit_c: float | None) -> tuple[str, ...]:
    """Why the board was warmer at the start of the trial than the recipe asks for."""
    if limit_c is None or observed is None or observed.before is None:
        return ()
    known = [value for value in observed.before.temperature_c.values() if value is not None]
    if not known:
        return (f"the recipe asks for {limit_c:g} °C at the start, and the board tells no temperature",)
    if max(known) > limit_c + COOLING_MARGIN_C:
        return (f"the board did not cool to {limit_c:g} °C: it began at {max(known):.0f} °C",)
    return ()


def during(observed: Observed, window_ns: tuple[int, int]) -> tuple[Poll, ...]:
    """The looks at the board in this window."""
    return tuple(poll for poll in observed.polls if window_ns[0] <= poll.t_ns <= window_ns[1])


def conditions(
    observed: Observed | None, edges: Mapping[str, tuple[int, int]], record: Record | None
) -> dict[str, Any]:
    """The board before, while and after the model ran, and the meter if one was wanted, as JSON.

    A meter that was wanted is there even when nothing was heard of it: its reason is what a reader looks for.
    """
    meter = _meter(record) if record else None
    if observed is None:
        return {"meter": meter} if meter else {}
    return {
        "before": observed.before.told() if observed.before else None,
        "during": summary(observed, edges["active"]),
        "after": observed.after.told() if observed.after else None,
        "windows_ns": dict(edges),
        "meter": meter,
        "sampler": asdict(record.summary) if record and record.summary else None,
    }


def _meter(record: Record) -> dict[str, Any]:
    """What was read, where, why, how often, and how far its clock may be from that of the windows."""
    return {
        "about": asdict(record.about) if record.about else None,
        "why": record.why,
        "read_on": record.read_on,
        "period_s": record.period_s,
        "alignment_s": record.alignment_s if record.about else None,
    }


def summary(observed: Observed, window_ns: tuple[int, int]) -> dict[str, Any]:
    """What these looks had in common; see watcher.summarize."""
    polls = during(observed, window_ns)
    return watcher.summarize([asdict(poll) for poll in polls]) | {
        "cpu_foreign": _span(_foreign_shares(observed.polls, window_ns))
    }


def _throttled(observed: Observed, polls: Sequence[Poll]) -> Iterator[str]:
    seen = watcher.summarize([asdict(poll) for poll in polls])
    counts = dict(seen["throttled"] or {})
    if seen["undervoltage_polls"]:
        counts["undervoltage"] = max(counts.get("undervoltage", 0), seen["undervoltage_polls"])
    for name, count in counts.items():
        if count:
            yield f"{WORDS[name]} while the model ran ({count} of {len(polls)} looks)"
    for name in _newly_occurred(observed):
        if not counts.get(name):
            yield f"{WORDS[name]} during the trial"
    for name, count in seen["throttle_alerts"].items():
        if count:
            yield f"the board was throttled while the model ran: {name} ({count} of {len(polls)} looks)"


def _newly_occurred(observed: Observed) -> list[str]:
    """What the firmware remembers since boot that it did not before the trial."""
    before, after = (shot and shot.throttled for shot in (observed.before, observed.after))
    if not before or not after or "sysfs" in (before.source, after.source):
        return []  # the kernel's own memory is one of 2 s
    return [name for name in after.occurred if name in WORDS and name not in before.occurred]


def _overcurrent(observed: Observed) -> Iterator[str]:
    before, after = (shot and shot.overcurrent_events for shot in (observed.before, observed.after))
    for name, what in OVERCURRENT.items():
        rise = (after or {}).get(name, 0) - (before or {}).get(name, 0)
        if before and after and rise > 0:
            yield f"over-current protection stepped in {rise}× during the trial: {name} ({what})"


def _clock(polls: Sequence[Poll]) -> Iterator[str]:
    """The highest clock stands for the cores at work: those of idle ones come and go as they like."""
    clocks = [[mhz for mhz in poll.frequency_mhz.values() if mhz is not None] for poll in polls]
    highest = [max(known) for known in clocks if known]
    if highest and min(highest) < (1 - CLOCK_CHANGE_MAX) * max(highest):
        yield f"the CPU clock changed while the model ran: {min(highest):.0f} … {max(highest):.0f} MHz"


def _edgetpu(observed: Observed, polls: Sequence[Poll]) -> Iterator[str]:
    """An Edge TPU on PCIe that grew too warm; a stick has no thermometer that can be asked."""
    trips = observed.before.apex_trip_c if observed.before else {}
    for name, trip_c in trips.items():
        seen = [poll.temperature_c.get(name) for poll in polls]
        hottest_c = max((value for value in seen if value is not None), default=None)
        limit_c = trip_c or APEX_TRIP_C
        if hottest_c is not None and hottest_c >= limit_c:
            clock = f"its clock is lowered from {limit_c:.0f} °C on"
            yield f"the Edge TPU reached {hottest_c:.0f} °C while the model ran: {clock}"


def _foreign(polls: Sequence[Poll], window_ns: tuple[int, int], when: str) -> Iterator[str]:
    shares = _foreign_shares(polls, window_ns)
    if shares and float(np.mean(shares)) > FOREIGN_MAX:
        yield f"other programs used {100 * np.mean(shares):.0f} % of the CPU {when}"


def _foreign_shares(polls: Sequence[Poll], window_ns: tuple[int, int]) -> list[float]:
    """Each is the mean since the poll before, which must be in the window as well."""
    start_ns, end_ns = window_ns
    return [
        poll.cpu_foreign
        for last, poll in pairwise(polls)
        if start_ns <= last.t_ns and poll.t_ns <= end_ns and poll.cpu_foreign is not None
    ]


def _swap(observed: Observed) -> Iterator[str]:
    before, after = (shot.swap_used_bytes if shot else None for shot in (observed.before, observed.after))
    if before is not None and after is not None and after - before > SWAP_RISE_MAX_BYTES:
        yield f"the board swapped out {(after - before) / 1e6:.0f} MB of memory during the trial"


def _span(values: Sequence[float]) -> dict[str, float] | None:
    return {"min": min(values), "max": max(values), "mean": sum(values) / len(values)} if values else None
