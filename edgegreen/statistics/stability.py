"""Whether latency, or power, kept to one level: tested, not by eye.

A series is cut into twenty batches. Their medians hardly depend on each other and shrug off single slow
calls. A shape (a drift, a settling, a step, a hump that passes) is reported when it explains more of what
differs between the batches than noise would let it, and is large enough to matter. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.measurement import BATCHES, median_interval

Floats = NDArray[np.float64]
Shape = Literal["drift", "settling", "step", "hump"]

RELEVANT = 0.05  # of p50; less is not worth a word
RELEVANT_TAIL = 0.15  # of p90
# Shares of the variance between batches that a shape, or the two halves, must explain: what noise
# correlated over up to a twentieth of the window reaches in about 3 series of 1000 (docs/energy.md).
EXPLAINED: dict[Shape, float] = {"drift": 0.65, "settling": 0.8, "step": 0.8, "hump": 0.8}
EXPLAINED_HALVES = 0.65
FEWEST = 50  # calls; of fewer nothing can be told
FEWEST_TAIL = 20 * BATCHES  # so that each batch has a 90th percentile
SETTLING_BATCHES = (2.0, 3.0, 4.0)  # time constants of a warm-up


@dataclass(frozen=True)
class Change:
    """How a level changed between `start` and `end`, shares of the series.

    `before` is where it came from (for a hump: what it was outside), `after` where it went.
    """

    shape: Shape
    before: float
    after: float
    start: float
    end: float

    @property
    def relative(self) -> float:
        """Size of the change as a share of the level before."""
        return (self.after - self.before) / self.before if self.before else float("inf")


@dataclass(frozen=True)
class _Shapes:
    """Candidates: what each is, the batches it spans, and its unit vector, shape (candidates, 20)."""

    names: tuple[tuple[Shape, int, int], ...]
    vectors: Floats
    least: Floats


@cache
def _shapes(longest_hump: int) -> _Shapes:
    """A step leaves two batches at least on either side; a hump is three or more long."""
    index = np.arange(BATCHES, dtype=np.float64)
    found: list[tuple[tuple[Shape, int, int], Floats]] = [(("drift", 0, BATCHES), index)]
    found += [(("settling", 0, BATCHES), np.exp(-index / batches)) for batches in SETTLING_BATCHES]
    spans: list[tuple[Shape, int, int]] = [("step", first, BATCHES) for first in range(2, BATCHES - 1)]
    spans += [
        ("hump", first, end)
        for first in range(1, BATCHES - 3)
        for end in range(first + 3, min(first + longest_hump, BATCHES - 1) + 1)
    ]
    found += [(span, np.where((index >= span[1]) & (index < span[2]), 1.0, 0.0)) for span in spans]
    vectors = np.array([vector - vector.mean() for _, vector in found])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(name for name, _ in found)
    return _Shapes(names, vectors, np.array([EXPLAINED[shape] for shape, _, _ in names]))


def change(levels: Floats, *, long_humps: bool = False) -> Change | None:
    """The shape that explains the levels of twenty batches, shape (20,); None when there is none.

    What is explained is R² of the least-squares fit. Whether the change matters is not asked here.
    A hump may last for half of the batches, or with `long_humps` for all but the first and the last.
    """
    shapes = _shapes(BATCHES - 2 if long_humps else BATCHES // 2)
    centred = levels - levels.mean()
    total = float(centred @ centred)
    fits = shapes.vectors @ centred
    enough = fits**2 >= shapes.least * total
    if total == 0 or not enough.any():
        return None
    best = int(np.argmax(np.where(enough, np.abs(fits), 0.0)))
    shape, first, end = shapes.names[best]
    fitted = levels.mean() + fits[best] * shapes.vectors[best]
    after = fitted[first] if shape == "hump" else fitted[-1]
    return Change(shape, float(fitted[0]), float(after), first / BATCHES, end / BATCHES)


def instability(times_ns: NDArray[Any], window_s: float | None = None) -> tuple[str, ...]:
    """Why call times, in the order they were taken, are not those of one steady state; empty if they are.

    The median changed, or differs between the two halves, or else the 90th percentile changed. Changes
    of p50 below 5 % and of p90 below 15 % are not reported. Noise without a change, heavy-tailed and
    correlated over up to a twentieth of the window, gives a reason in fewer than 1 of 100 series. Fewer than
    50 calls never do.

    `window_s` is how long the calls really took, all of them and the loop between them: the times may be
    an even sample. When it is not given, the calls told of followed one another without a pause.
    """
    if len(times_ns) < FEWEST:
        return ()
    times_ms = times_ns.astype(np.float64) / 1e6
    batches = np.array_split(times_ms, BATCHES)
    medians = np.array([np.median(batch) for batch in batches])
    elapsed_s = _elapsed(times_ms, window_s)
    reasons = _changed("p50", medians, elapsed_s, RELEVANT) or _unlike_halves(times_ms, medians)
    if not reasons and len(times_ms) >= FEWEST_TAIL:
        tails = np.array([np.percentile(batch, 90) for batch in batches])
        reasons = _changed("p90", tails, elapsed_s, RELEVANT_TAIL)
    return reasons


def imprecision(times_ns: NDArray[Any]) -> tuple[str, ...]:
    """Why the median of these call times is not known well enough; empty if it is.

    Its 95 % interval reaches 5 % or further from it. At least two times.
    """
    times_ms = times_ns.astype(np.float64) / 1e6
    low, high = median_interval(times_ms)
    p50 = float(np.median(times_ms))
    reach = max(high - p50, p50 - low)
    if reach < RELEVANT * p50:
        return ()
    percent = f" (±{100 * reach / p50:.0f} %)" if p50 else ""
    return (
        f"too few effective samples: p50 is {_figure(p50)} ± {_figure(reach)} ms{percent}, measure longer",
    )


def _elapsed(times_ms: Floats, window_s: float | None) -> Floats:
    """When each call began, and the last one ended: seconds since the first began, shape (n + 1,)."""
    elapsed_s = np.concatenate(([0.0], np.cumsum(times_ms) / 1e3))
    if window_s is not None and elapsed_s[-1] > 0:
        elapsed_s *= window_s / elapsed_s[-1]
    return elapsed_s


def _changed(name: str, levels: Floats, elapsed_s: Floats, relevant: float) -> tuple[str, ...]:
    found = change(levels)
    if found is None or abs(found.relative) < relevant:
        return ()
    start_s, end_s = (elapsed_s[round(share * (len(elapsed_s) - 1))] for share in (found.start, found.end))
    when = {
        "drift": f"drifted over {_figure(end_s)} s",
        "settling": "was still settling: warm up longer",
        "step": f"stepped after {_figure(start_s)} of {_figure(end_s)} s",
        "hump": f"changed for a while, {_figure(start_s)} to {_figure(end_s)} s after the start",
    }[found.shape]
    return (f"unstable latency: {name} {_moved(found.before, found.after)}, {when}",)


def _unlike_halves(times_ms: Floats, medians: Floats) -> tuple[str, ...]:
    centred = medians - medians.mean()
    total = float(centred @ centred)
    between = float(centred[BATCHES // 2 :].sum() - centred[: BATCHES // 2].sum()) ** 2 / BATCHES
    first, second = (float(np.median(half)) for half in np.array_split(times_ms, 2))
    if total == 0 or between < EXPLAINED_HALVES * total or abs(second - first) < RELEVANT * first:
        return ()
    return (f"first half unlike the second: p50 {_moved(first, second)}",)


def _moved(before_ms: float, after_ms: float) -> str:
    percent = f" ({100 * (after_ms - before_ms) / before_ms:+.0f} %)".replace("-", "−") if before_ms else ""
    return f"{_figure(before_ms)} → {_figure(after_ms)} ms{percent}"


def _figure(value: float) -> str:
    """Three digits, or all of those before the point; never in exponent form."""
    return f"{value:#.3g}" if abs(value) < 999.5 else f"{value:.0f}"
