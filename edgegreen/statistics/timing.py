"""How slow a meter is, learned from its record where nobody told: how often it updates, how long it settles.

A meter that is slower than it is taken for lets the power before a window leak into it. What is learned here
is only ever longer than what was taken. Not for counters: what they count, they have counted. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgegreen.statistics.trace import STUCK_STEPS, Floats, Meter, Trace, Window

FEWEST_REPEATS = 4  # stretches of equal readings, from which on the shortest tell of the meter
MANY_REPEATS = 20  # from which on they do so even where readings jump by single steps
SHORTEST = 0.05  # quantile that stands for the shortest
SLOW_PERIODS = 10  # a meter slower than so many of its readings is worth a word
TOLD_MAX = 2.0  # times what the meter was taken to need
SETTLED = 0.8  # of the way from one level to the next; power may rise by a few percent more as a board warms
CLEAR = 10.0  # standard deviations between two levels, from which on the edge can be timed


@dataclass(frozen=True)
class Learned:
    """A meter with the times that its record shows, and why these should not be trusted."""

    meter: Meter
    reasons: tuple[str, ...]


def learn(record: Trace, before: Window, active: Window, after: Window) -> Learned:
    """The meter of this record; `before` and `after` are the idle windows."""
    meter, reasons = record.meter, []
    if not len(record.readings_w):
        return Learned(meter, ())
    spacing_s = max(meter.period_s, float(np.median(np.diff(record.t_s))))
    update_s = _update(record, spacing_s)
    if update_s is not None and update_s > TOLD_MAX * (meter.update_s or 0.0):
        if meter.update_s is not None or update_s > SLOW_PERIODS * spacing_s:
            told = "not known" if meter.update_s is None else f"said to be {meter.update_s:.3g} s"
            reasons.append(
                f"the meter is slow: readings every {spacing_s:.3g} s repeat for about {update_s:.3g} s, "
                f"and its update time is {told}"
            )
        meter = replace(meter, update_s=update_s)
    if meter.averaging_s is None or meter.update_s is None:
        settling_s = max(_settling(record, before, active), _settling(record, active, after))
        if settling_s > max(TOLD_MAX * meter.memory_s, SLOW_PERIODS * spacing_s):
            reasons.append(
                f"power took {settling_s:.3g} s to settle, and the meter's averaging time is not known"
            )
        meter = _lengthened(meter, settling_s)
    return Learned(meter, tuple(reasons))


def _update(record: Trace, spacing_s: float) -> float | None:
    """How long readings stay the same at the least; None when that tells nothing.

    A meter that updates seldom never changes sooner. One whose steps are coarse may show one value for long,
    but then now and then it changes back at once, or there are few changes, by single steps.
    """
    jumps_w = np.diff(record.readings_w)
    apart_s = np.diff(record.t_s[1:][jumps_w != 0])
    if len(apart_s) < FEWEST_REPEATS:
        return None
    single_steps = np.median(np.abs(jumps_w[jumps_w != 0])) < STUCK_STEPS * record.step_w
    if single_steps and (len(apart_s) < MANY_REPEATS or record.meter.update_s is not None):
        return None
    shortest_s = float(np.quantile(apart_s, SHORTEST))
    # Either change came up to one reading before it was seen.
    return shortest_s + spacing_s if shortest_s > 1.5 * spacing_s else None


def _settling(record: Trace, past: Window, window: Window) -> float:
    """How long after the start of `window` its readings still tell of `past`, s; 0 when that is not clear."""
    past_w = _readings(record, past)[1]
    t_s, seen_w = _readings(record, window)
    if len(past_w) < 4 or len(seen_w) < 4:
        return 0.0
    old_w, new_w = past_w[len(past_w) // 2 :], seen_w[len(seen_w) // 2 :]
    step_w = float(new_w.mean() - old_w.mean())
    if abs(step_w) < CLEAR * max(float(old_w.std()), float(new_w.std())):
        return 0.0
    arrived = (seen_w - old_w.mean()) / step_w >= SETTLED if step_w else np.ones(len(seen_w), dtype=bool)
    first = int(np.argmax(arrived))
    return float(t_s[first]) / SETTLED if first else 0.0


def _readings(record: Trace, window: Window) -> tuple[Floats, Floats]:
    """Seconds since the window began, and the readings."""
    since_s = record.t_s - (window.start_ns - record.origin_ns) / 1e9
    low, high = np.searchsorted(since_s, (0.0, window.duration_s)).tolist()
    return since_s[low:high], record.readings_w[low:high]


def _lengthened(meter: Meter, settling_s: float) -> Meter:
    """The meter with a memory of `settling_s` at least: the time that is not known is that much longer."""
    if settling_s <= meter.memory_s:
        return meter
    if meter.averaging_s is not None:
        return replace(meter, update_s=settling_s - meter.averaging_s)
    update_s = meter.period_s if meter.update_s is None else meter.update_s
    return replace(meter, update_s=update_s, averaging_s=max(update_s, settling_s - update_s))
