"""The mean of a stretch of power, and how well it is known: noise, resolution, gaps, clocks. Pure.

Readings follow one another and are not independent, and a meter polled faster than it updates repeats
itself: n of them say less than n. So the noise is estimated where the mean lives, at frequency zero, from
the slowest cosines of the series (equal-weighted cosine estimator: Lazarus, Lewis, Stock & Watson 2018,
J. Business & Economic Statistics 36:541–559). To those it does not matter how often the meter was read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgegreen.measurement import BATCHES
from edgegreen.statistics.trace import Floats, Stretch, Trace, Unusable

FEWEST_INDEPENDENT = 5  # readings with nothing in common that a window must have
COSINES = (3, 8)  # fewest and most that estimate the noise
DITHERED = 0.55  # standard deviation, in steps of the meter, from which on noise averages the steps away


@dataclass(frozen=True)
class Noise:
    """What strays from a steady drift: `area_j` (noise × width, J) at `position` (0 … 1).

    The stretch is `length_s` long, of which `covered_s` was seen. `dof` cosines estimate the density.
    """

    area_j: Floats
    position: Floats
    length_s: float
    covered_s: float
    dof: int

    @property
    def density(self) -> float:
        """Power spectral density at frequency zero, two-sided, W²·s, with `dof` degrees of freedom.

        The first cosine is left out: it is nearly a straight line, and the drift has been taken out.
        """
        return self._density(2, self.dof + 1)

    @property
    def band_hz(self) -> tuple[float, float]:
        """The frequencies that `density` is estimated from."""
        return 1 / self.length_s, (self.dof + 1) / (2 * self.length_s)

    def reddening(self, band_hz: tuple[float, float]) -> float:
        """How much denser the noise is at frequency zero than in a band further up; at least 1."""
        first = max(2, math.ceil(2 * self.length_s * band_hz[0] - 1e-9))
        last = max(first, math.floor(2 * self.length_s * band_hz[1] + 1e-9))
        there = self._density(first, last)
        return max(1.0, self.density / there) if there > 0 else 1.0

    def _density(self, first: int, last: int) -> float:
        """Mean square of Λⱼ = √(2/T)·∫ noise(t)·cos(πjt/T) dt over j = first … last."""
        orders = np.arange(first, last + 1)
        projections = np.cos(np.pi * np.outer(orders, self.position)) @ self.area_j
        return float(np.mean(projections**2)) * 2 / self.covered_s


@dataclass(frozen=True)
class Level:
    """Mean power over a window, W, and what it may be off by.

    `variance` (W²) is that of the mean by noise alone; `certain_u_w` the standard uncertainty left by gaps
    and clocks, `resolution_u_w` by the meter's steps. `batches_w` are the means of twenty parts, None when
    there is too little for that. `spacing_s` is the median time between readings.
    """

    mean_w: float
    centre_s: float
    variance: float
    resolution_u_w: float
    certain_u_w: float
    n: int
    n_effective: float
    spacing_s: float
    noise: Noise
    batches_w: Floats | None


def of(part: Stretch, trace: Trace, name: str) -> Level:
    """Mean and uncertainties of what `trace` says of one window, called `name`. Raises Unusable."""
    width_s, meter = part.width_s, trace.meter
    covered_s, spacing_s = float(width_s.sum()), float(np.median(width_s))
    apart_s = max(meter.separation_s, spacing_s)
    independent = covered_s / apart_s
    if independent < FEWEST_INDEPENDENT:
        needed_s = FEWEST_INDEPENDENT * apart_s + meter.memory_s + 2 * meter.alignment_s
        raise Unusable(f"too few readings of {name}: this meter needs {needed_s:.1f} s at least")
    mean_w = float(part.power_w @ width_s) / covered_s
    centre_s = float(part.middle_s @ width_s) / covered_s
    away_s, away_w = part.middle_s - centre_s, part.power_w - mean_w
    slope = float((away_w * width_s) @ away_s / (width_s @ away_s**2))
    noise = _noise(part, (away_w - slope * away_s) * width_s, covered_s, independent)
    variance = noise.density / covered_s
    seen_w = part.readings_w if len(part.readings_w) else part.power_w
    spread = max(0.0, float(seen_w.var() - slope**2 * away_s.var()))
    return Level(
        mean_w=mean_w,
        centre_s=centre_s,
        variance=variance,
        resolution_u_w=_resolution(part, trace, covered_s),
        certain_u_w=math.hypot(part.missing * seen_w.std(), slope * meter.alignment_s / math.sqrt(3)),
        n=part.n,
        n_effective=_effective(spread, variance, independent, mean_w),
        spacing_s=spacing_s,
        noise=noise,
        batches_w=_batches(part) if independent >= 2 * BATCHES else None,
    )


def _effective(spread: float, variance: float, independent: float, mean_w: float) -> float:
    """How many independent readings of variance `spread` have a mean of this variance.

    Not more than could be had. Readings that are all the same tell nothing of it.
    """
    told = variance > (1e-9 * mean_w) ** 2
    return min(independent, spread / variance) if told else independent


def _noise(part: Stretch, area_j: Floats, covered_s: float, independent: float) -> Noise:
    start_s = part.middle_s[0] - part.width_s[0] / 2
    length_s = float(part.middle_s[-1] + part.width_s[-1] / 2 - start_s)
    dof = int(np.clip(round(0.4 * independent ** (2 / 3)), *COSINES))
    return Noise(area_j, (part.middle_s - start_s) / length_s, length_s, covered_s, dof)


def _batches(part: Stretch) -> Floats:
    edges = np.linspace(0, len(part.power_w), BATCHES, endpoint=False).astype(int)
    energy_j = np.add.reduceat(part.power_w * part.width_s, edges)
    means: Floats = energy_j / np.add.reduceat(part.width_s, edges)
    return means


def _resolution(part: Stretch, trace: Trace, covered_s: float) -> float:
    """Standard uncertainty of the mean by the meter's steps, W.

    A level between two steps is off by up to half a step, however often it is read: step/√12 (GUM F.2.2.1).
    Noise of half a step and more averages that away (Widrow & Kollár, Quantization Noise, 2008).
    Several levels far apart are off independently of each other. A counter is off at two readings.
    """
    if not len(part.readings_w):
        return trace.step_j / math.sqrt(6) / covered_s
    step_w = trace.step_w
    ordered = np.sort(part.readings_w)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(ordered) > 1.5 * step_w) + 1))
    counts = np.diff(starts, append=len(ordered))
    means = np.add.reduceat(ordered, starts) / counts
    squares = np.add.reduceat((ordered - np.repeat(means, counts)) ** 2, starts)
    fixed = counts[squares < counts * (DITHERED * step_w) ** 2] / len(ordered)
    return step_w / math.sqrt(12) * float(np.linalg.norm(fixed))
