"""Power of known truth, and meters that read it badly: what energy's intervals are proven on.

Run as a program it prints how often the truth lay in the interval, for docs/energy.md:

    python tests/power_signals.py [repetitions]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from edgegreen.statistics import energy
from edgegreen.statistics.energy import EnergyReading, Windows
from edgegreen.statistics.trace import Counter, Meter, Readings, Window

Floats = NDArray[np.float64]

BOOT_NS = 7 * 10**17  # a monotonic clock may stand anywhere
GRID_S = 0.01  # the truth is piecewise constant on this
PER_SECOND = 50  # inferences
LEAD_S = 3.0  # the record begins so long before the first window, and ends so long after the last


@dataclass(frozen=True)
class Drawn:
    """One record of a meter, and the energy that was really spent per inference."""

    seen: Readings | Counter
    windows: Windows
    inferences: int
    meter: Meter
    above_idle_mj: float
    gross_mj: float

    def measure(self) -> EnergyReading:
        return energy.measure(self.seen, self.windows, self.inferences, self.meter)


@dataclass(frozen=True)
class Scenario:
    """A board that draws about `idle_w` idle and `added_w` more while it runs, and a meter; as told below.

    The model's power is a square wave of `square_s` (None: constant). Idle power moves by `drift_w` from
    the first window to the last, in a straight line or, if `bent`, along a random power of time.
    Noise: standard deviation `noise_w`, correlated over `correlation_s`, Student's t with 3 degrees of
    freedom if `heavy`. `late_s`: how far the meter's clock may be off. `gaps`: how many times the sampler
    misses 0.6–1 s while the model runs. `told_step`, `told_times`: whether the meter's resolution,
    and its averaging and update times, are known.
    """

    idle_w: float = 3.0
    added_w: float = 2.0
    idle_s: float = 10.0
    active_s: float = 60.0
    pause_s: float = 1.0  # between the windows
    period_s: float = 0.1
    jitter: float = 0.1
    averaging_s: float = 0.0
    update_s: float = 0.0
    step_w: float = 0.0
    told_step: bool = True
    told_times: bool = True
    noise_w: float = 0.1
    correlation_s: float = 0.0
    heavy: bool = False
    square_s: float | None = None
    drift_w: float = 0.0
    bent: bool = False
    late_s: float = 0.0
    gaps: int = 0
    counter_range_j: float | None = None

    def draw(self, rng: np.random.Generator) -> Drawn:
        """One record."""
        start_s = self.idle_s + self.pause_s
        end_s = start_s + self.active_s
        last_s = end_s + self.pause_s + self.idle_s
        grid_s = np.arange(-2 * LEAD_S, last_s + LEAD_S, GRID_S)  # left edges
        on = (grid_s > start_s - GRID_S / 2) & (grid_s < end_s - GRID_S / 2)
        idle_w = self.idle_w + rng.uniform(-0.05, 0.05) + self._drift(rng, grid_s / last_s)
        added_w = (self.added_w + rng.uniform(-0.05, 0.05)) * self._square(rng, grid_s) * on
        spent_j = np.concatenate(([0.0], np.cumsum(idle_w + added_w) * GRID_S))
        edges_s = np.append(grid_s, grid_s[-1] + GRID_S)

        t_s = np.arange(-LEAD_S + rng.uniform(0, self.period_s), last_s + LEAD_S - 1, self.period_s)
        t_s += rng.uniform(-self.jitter, self.jitter, len(t_s)) * self.period_s
        seen = self._read(rng, t_s, lambda at_s: np.interp(at_s, edges_s, spent_j))
        kept = np.ones(len(t_s), dtype=bool)
        for _ in range(self.gaps):
            from_s = rng.uniform(start_s, end_s)
            kept &= (t_s < from_s) | (t_s > from_s + rng.uniform(0.6, 1.0))
        t_ns = _ns(t_s[kept] + rng.uniform(-self.late_s, self.late_s))
        record = (
            Readings(t_ns, seen[kept])
            if self.counter_range_j is None
            else Counter(t_ns, seen[kept] % self.counter_range_j, self.step_w or 1e-6, self.counter_range_j)
        )
        mj_per_w = 1e3 / PER_SECOND
        windows = Windows(
            _window(0, self.idle_s), _window(start_s, end_s), _window(last_s - self.idle_s, last_s)
        )
        return Drawn(
            record, windows, round(self.active_s * PER_SECOND), self.meter,
            above_idle_mj=float(added_w[on].mean()) * mj_per_w,
            gross_mj=float((added_w + idle_w)[on].mean()) * mj_per_w,
        )  # fmt: skip

    @property
    def meter(self) -> Meter:
        step_w = self.step_w if self.told_step else None
        return Meter(
            "synthetic",
            "VDD_IN",
            "module",
            self.period_s,
            self.averaging_s if self.told_times else None,
            self.update_s if self.told_times else None,
            step_w,
            self.late_s,
        )

    def _drift(self, rng: np.random.Generator, share: Floats) -> Floats:
        power = np.exp(rng.uniform(-1.2, 1.2)) if self.bent else 1.0
        return self.drift_w * rng.choice((-1, 1)) * np.clip(share, 0, 1) ** power

    def _square(self, rng: np.random.Generator, t_s: Floats) -> Floats:
        """Twice the power half of the time."""
        if self.square_s is None:
            return np.ones(len(t_s))
        phase = (t_s + rng.uniform(0, self.square_s)) % self.square_s
        return np.where(phase < self.square_s / 2, 2.0, 0.0)

    def _read(self, rng: np.random.Generator, t_s: Floats, spent_j: Callable[[Floats], Floats]) -> Floats:
        """What the meter shows at `t_s`: watts, or joules of a counter that has not wrapped yet."""
        if self.counter_range_j is not None:
            noise_j = self._noise(rng, t_s) * np.diff(t_s, prepend=t_s[0])
            energy_j = spent_j(t_s) + np.cumsum(noise_j) + rng.uniform(0, self.counter_range_j)
            return np.maximum.accumulate(np.floor(energy_j / 1e-6) * 1e-6)
        mean_s = self.averaging_s or GRID_S / 100
        if self.update_s:
            updates_s = np.arange(
                -2 * LEAD_S + mean_s + rng.uniform(0, self.update_s), t_s[-1], self.update_s
            )
            shown = np.searchsorted(updates_s, t_s, side="right") - 1
        else:
            updates_s, shown = t_s, np.arange(len(t_s))
        power_w = (spent_j(updates_s) - spent_j(updates_s - mean_s)) / mean_s + self._noise(rng, updates_s)
        if self.step_w:
            power_w = np.round(power_w / self.step_w) * self.step_w
        return power_w[shown]

    def _noise(self, rng: np.random.Generator, t_s: Floats) -> Floats:
        """First-order autoregressive, stationary from the start."""
        n, burn_in = len(t_s), 300
        fresh = (
            rng.standard_t(3, n + burn_in) / np.sqrt(3) if self.heavy else rng.standard_normal(n + burn_in)
        )
        keeps = np.exp(-np.median(np.diff(t_s)) / self.correlation_s) if self.correlation_s else 0.0
        return self.noise_w * lfilter([np.sqrt(1 - keeps**2)], [1, -keeps], fresh)[burn_in:]


def _ns(t_s: Floats) -> NDArray[np.int64]:
    return (t_s * 1e9).astype(np.int64) + BOOT_NS


def _window(start_s: float, end_s: float) -> Window:
    return Window(round(start_s * 1e9) + BOOT_NS, round(end_s * 1e9) + BOOT_NS)


JETSON = Scenario(averaging_s=0.43, update_s=0.43)
PLUG = Scenario(idle_s=20, period_s=1.0, averaging_s=1.0, update_s=1.0, step_w=0.1, noise_w=0.1)

# Scenarios in which the interval is to hold the truth 95 times in 100, and does 90–99 times.
EXACT = {
    "white noise": Scenario(),
    "white noise, heavy tails": Scenario(heavy=True),
    "AR(1) noise, 0.5 s": Scenario(correlation_s=0.5),
    "AR(1) noise, 1 s": Scenario(correlation_s=1.0),
    "AR(1) noise, 1 s, heavy tails": Scenario(correlation_s=1.0, heavy=True),
    "timestamps jitter by 45 %": Scenario(jitter=0.45),
    "square wave of 0.37 s": Scenario(square_s=0.37),
    "square wave of 0.1 s, read at random": Scenario(square_s=0.1, jitter=0.5),
    "430 ms means, read every 0.1 s": JETSON,
    "430 ms means, read every 1 s": replace(JETSON, period_s=1.0),
    "430 ms means, read every 0.43 s": replace(JETSON, period_s=0.43),
    "430 ms means, rolling": replace(JETSON, update_s=0.0),
    "430 ms means, AR(1) noise, 1 s": replace(JETSON, correlation_s=1.0),
    "430 ms means, square wave of 1.1 s": replace(JETSON, square_s=1.1, noise_w=0.03),
    "430 ms means, steps of 40 mW, no noise": replace(JETSON, step_w=0.04, noise_w=0.0),
    "430 ms means, steps of 40 mW, noise of 40 mW": replace(JETSON, step_w=0.04, noise_w=0.04),
    "wall plug, 1 s, steps of 0.1 W, clock off by 0.5 s": replace(PLUG, late_s=0.5),
    "clock off by 50 ms": Scenario(late_s=0.05),
    "two gaps": Scenario(gaps=2),
    "two gaps, AR(1) noise, 0.5 s": Scenario(gaps=2, correlation_s=0.5),
    "10 s, idle 5 s": Scenario(idle_s=5, active_s=10),
    "10 s, idle 5 s, AR(1) noise, 0.25 s": Scenario(idle_s=5, active_s=10, correlation_s=0.25),
    "10 s, idle 5 s, 430 ms means": replace(JETSON, idle_s=5, active_s=10),
    "energy counter, wraps twice": Scenario(counter_range_j=200.0),
    "energy counter, AR(1) noise, 1 s": Scenario(counter_range_j=200.0, correlation_s=1.0),
}

# Scenarios in which nobody knows how slow the meter is, but for what its record shows. Without a pause, what
# was before a window is in it at its fullest.
UNTOLD = {
    "430 ms means, read every 0.1 s, not told": replace(JETSON, told_times=False, pause_s=0.0),
    "430 ms means, rolling, not told": replace(JETSON, update_s=0.0, told_times=False, pause_s=0.0),
    "430 ms means, steps of 40 mW, noise of 12 mW, not told": replace(
        JETSON, step_w=0.04, noise_w=0.012, told_times=False, pause_s=0.0
    ),
    "3 s means every 1 s, read every 1 s, idle 40 s, not told": Scenario(
        idle_s=40, period_s=1.0, averaging_s=3.0, update_s=1.0, told_times=False, pause_s=0.0
    ),
    "3 s means, read every 1 s, idle 40 s, 120 s, not told": Scenario(
        idle_s=40, active_s=120, period_s=1.0, averaging_s=3.0, update_s=3.0, told_times=False, pause_s=0.0
    ),
    "instantaneous, read every 0.1 s, not told": Scenario(told_times=False, pause_s=0.0),
    "instantaneous, steps of 0.1 W, noise of 20 mW, not told": Scenario(
        step_w=0.1, noise_w=0.02, told_times=False, pause_s=0.0
    ),
}

# Scenarios in which the truth is bounded by something that is not random: the interval is wider than 95 %.
CAUTIOUS = {
    "idle drifts by 0.15 W, straight": Scenario(drift_w=0.15),
    "idle drifts by 0.15 W, bent": Scenario(drift_w=0.15, bent=True),
    "430 ms means, idle drifts by 0.15 W, bent": replace(JETSON, drift_w=0.15, bent=True),
    "430 ms means, steps of 40 mW, noise of 12 mW": replace(JETSON, step_w=0.04, noise_w=0.012),
    "430 ms means, steps of 40 mW, not told": replace(JETSON, step_w=0.04, noise_w=0.02, told_step=False),
    "430 ms means, square wave of 7 s": replace(JETSON, square_s=7.0, noise_w=0.03),
    "wall plug, 1 s, steps of 0.1 W, noise of 30 mW": replace(PLUG, noise_w=0.03),
}


@dataclass(frozen=True)
class Coverage:
    """How measuring a scenario again and again went; shares, and mJ relative to the truth."""

    covered: float
    bias: float
    gross_bias: float
    deviation: float
    half_width: float
    absent: float
    doubted: float


def coverage(scenario: Scenario, repetitions: int, seed: int = 5) -> Coverage:
    """Draw and measure a scenario many times."""
    rng = np.random.default_rng(seed)
    errors, gross_errors, widths, inside, doubted, absent = [], [], [], 0, 0, 0
    for _ in range(repetitions):
        drawn = scenario.draw(rng)
        reading = drawn.measure()
        if reading.energy is None:
            absent += 1
            continue
        low, high = reading.energy.ci95_mj
        inside += low <= drawn.above_idle_mj <= high
        doubted += bool(reading.reasons)
        errors.append(reading.energy.per_inference_mj / drawn.above_idle_mj - 1)
        gross_errors.append(reading.energy.gross_mj / drawn.gross_mj - 1)
        widths.append((high - low) / 2 / drawn.above_idle_mj)
    measured = max(1, len(errors))
    return Coverage(
        inside / measured, float(np.mean(errors)), float(np.mean(gross_errors)), float(np.std(errors)),
        float(np.mean(widths)), absent / repetitions, doubted / measured,
    )  # fmt: skip


def main(repetitions: int) -> None:
    say = sys.stdout.write
    say("| scenario | truth inside | bias | spread | interval | doubted |\n|---|---|---|---|---|---|\n")
    for name, scenario in (EXACT | CAUTIOUS | UNTOLD).items():
        found = coverage(scenario, repetitions)
        assert found.absent == 0, name
        figures = (
            f"{100 * found.covered:.1f} %", f"{100 * found.bias:+.2f} %", f"{100 * found.deviation:.2f} %",
            f"±{100 * found.half_width:.2f} %", f"{100 * found.doubted:.1f} %",
        )  # fmt: skip
        say(f"| {name} | {' | '.join(figures)} |\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
