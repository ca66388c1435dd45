"""Energy of one inference from a meter's record, with its uncertainty; or the reason why there is none.

Mean power while the model ran, less the mean power while idle, times the time it ran over the number of
inferences. The interval follows the GUM (JCGM 100:2008): standard uncertainties are added in quadrature,
and effective degrees of freedom give the factor for 95 %. It speaks of what the record cannot know: noise,
resolution, gaps, clocks, and how the idle power moved meanwhile; not of the meter's calibration. Formulas
and their sources: docs/energy.md. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgegreen.measurement import Energy, Power
from edgegreen.statistics import level, stability, timing, trace
from edgegreen.statistics.level import Level
from edgegreen.statistics.trace import Counter, Meter, Readings, Unusable, Window

FEWEST_EFFECTIVE = 10.0  # samples while the model ran; below it the interval itself is a guess
DRIFT_MAX = 0.10  # of idle power from before to after, as a share of what the model adds
UNSTEADY_MAX = 0.10  # of power while the model ran, as a share of what the model adds
PACE_MAX = 2.0  # times the period that the sampler may take


@dataclass(frozen=True)
class Windows:
    """When the board idled, ran the model, and idled again. In this order, not overlapping."""

    idle_before: Window
    active: Window
    idle_after: Window

    def __post_init__(self) -> None:
        if self.idle_before.end_ns > self.active.start_ns or self.active.end_ns > self.idle_after.start_ns:
            raise ValueError(f"windows overlap or are out of order: {self}")


@dataclass(frozen=True)
class EnergyReading:
    """Power and energy, or None for both and why not.

    `reasons` say in words why the figures should not be trusted; empty when they can be.
    """

    power: Power | None
    energy: Energy | None
    absent: str | None
    reasons: tuple[str, ...]


def measure(seen: Readings | Counter, windows: Windows, inferences: int, meter: Meter) -> EnergyReading:
    """Energy per inference, of `inferences` that filled `windows.active`, from one meter's record.

    `ci95_mj` is the 95 % interval of `per_inference_mj`, the energy above idle. The record should begin
    before the first window and end after the last.
    """
    if inferences < 1:
        raise ValueError(f"{inferences} inferences have no energy")
    slow: tuple[str, ...] = ()
    try:
        record = trace.read(seen, meter)
        learned = timing.learn(record, windows.idle_before, windows.active, windows.idle_after)
        record, slow = replace(record, meter=learned.meter), learned.reasons
        before = _level(record, windows.idle_before, "the idle time before the model ran")
        active = _level(record, windows.active, "the time the model ran")
        after = _level(record, windows.idle_after, "the idle time after the model ran")
    except Unusable as reason:
        return EnergyReading(None, None, "; ".join([str(reason), *slow]), ())
    idle = _Idle.between(before, after, active)
    added_w = active.mean_w - idle.mean_w
    reach_w = _reach(
        [(active.variance, active.noise.dof), *idle.noise],
        active.resolution_u_w**2 + active.certain_u_w**2 + idle.certain,
    )
    power = Power(
        source=meter.source, rail=meter.rail, scope=meter.scope,
        idle_w=idle.mean_w, active_w=active.mean_w, n=active.n, n_effective=active.n_effective,
    )  # fmt: skip
    mj_per_w = 1e3 * windows.active.duration_s / inferences
    energy = Energy(
        per_inference_mj=added_w * mj_per_w,
        gross_mj=active.mean_w * mj_per_w,
        ci95_mj=((added_w - reach_w) * mj_per_w, (added_w + reach_w) * mj_per_w),
    )
    reasons = (
        *slow,
        *_doubts(active, meter),
        *_unsteady(added_w, active),
        *_unlike_idle(added_w, reach_w, before, after),
    )
    return EnergyReading(power, energy, None, reasons)


def _level(record: trace.Trace, window: Window, name: str) -> Level:
    return level.of(record.within(window, name), record, name)


@dataclass(frozen=True)
class _Idle:
    """Idle power while the model ran, which nobody saw: between what it was before and after.

    `noise` are variances (W²) with their degrees of freedom, `certain` is variance without noise.
    """

    mean_w: float
    noise: list[tuple[float, int]]
    certain: float

    @classmethod
    def between(cls, before: Level, after: Level, active: Level) -> _Idle:
        """A straight line from the middle of one idle window to that of the other.

        How the idle power really went is not known: anything between the two levels is possible, and the
        straight line the likeliest: a triangular distribution, variance drift²/24 (GUM 4.3.9).
        A short idle window cannot see slow noise; the active one, being longer, shows how much more of it
        there is than of the noise that both can see, and the idle variances are raised by that.
        """
        late = (active.centre_s - before.centre_s) / (after.centre_s - before.centre_s)
        drift_w = after.mean_w - before.mean_w
        noise, certain = [], drift_w**2 / 24
        for idle, share in ((before, 1 - late), (after, late)):
            red = active.noise.reddening(idle.noise.band_hz)
            noise.append((share**2 * idle.variance * red, idle.noise.dof))
            certain += (share * idle.certain_u_w) ** 2
        # The meter rounds the same level the same way both times: these add up before they are squared.
        certain += ((1 - late) * before.resolution_u_w + late * after.resolution_u_w) ** 2
        return cls(before.mean_w + late * drift_w, noise, certain)


def _reach(noise: list[tuple[float, int]], certain: float) -> float:
    """Half the 95 % interval of a sum: variances with their degrees of freedom, and some without.

    Effective degrees of freedom after Welch and Satterthwaite (GUM G.4.1).
    """
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    total = sum(variance for variance, _ in noise) + certain
    if total == 0:
        return 0.0
    dof = 1 / max(1e-9, sum((variance / total) ** 2 / dof for variance, dof in noise))
    return float(stdtrit(dof, 0.975)) * math.sqrt(total)


def _doubts(active: Level, meter: Meter) -> list[str]:
    """Why the power while the model ran should not be trusted."""
    reasons = []
    if active.spacing_s > PACE_MAX * meter.period_s:
        took, asked = f"{active.spacing_s:.3g} s", f"{meter.period_s:.3g} s"
        reasons.append(f"the power sampler fell behind: a reading every {took} instead of {asked}")
    if active.n_effective < FEWEST_EFFECTIVE:
        reasons.append(f"too few effective samples of power: {active.n_effective:.1f}, measure longer")
    return reasons


def _unsteady(added_w: float, active: Level) -> list[str]:
    """Why the power while the model ran was not that of the model alone, which adds `added_w`.

    What came or went meanwhile is in the mean, and idle power does not tell of it: like the drift of that, it
    is weighed against what the model adds, and must be more than the noise makes of it (`stability.change`).
    """
    moved = stability.change(active.batches_w, long_humps=True) if active.batches_w is not None else None
    if moved is None or abs(moved.after - moved.before) <= UNSTEADY_MAX * abs(added_w):
        return []
    share = f": {100 * abs(moved.after - moved.before) / added_w:.0f} % of what the model adds"
    words = f"power changed while the model ran: {moved.before:.3f} → {moved.after:.3f} W"
    return [words + (share if added_w > 0 else "")]


def _unlike_idle(added_w: float, reach_w: float, before: Level, after: Level) -> list[str]:
    """Why what the model adds to idle power, `added_w` ± `reach_w`, should not be trusted."""
    reasons = []
    if added_w <= reach_w:
        reasons.append(f"power cannot be told from idle: it adds {added_w:.3f} ± {reach_w:.3f} W")
    drift_w = after.mean_w - before.mean_w
    noise_w = _reach([(part.variance, part.noise.dof) for part in (before, after)], 0.0)
    if abs(drift_w) > max(noise_w, DRIFT_MAX * abs(added_w)):
        share = f": {100 * abs(drift_w) / added_w:.0f} % of what the model adds" if added_w > 0 else ""
        reasons.append(f"idle power drifted from {before.mean_w:.3f} to {after.mean_w:.3f} W{share}")
    return reasons
