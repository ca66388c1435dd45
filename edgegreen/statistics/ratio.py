"""How many times as much one reading is as another, with a 95 % interval; what change would be seen. Pure.

The two come from different runs, and are taken to be independent of each other. What differs from one
process to the next (where its memory lies, what the board did before) is in neither of two runs: only
several starts of either tell, `of_starts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.measurement import BATCHES, T_975_19DF

Floats = NDArray[np.float64]

FEWEST = 50  # calls in either series; of fewer a bootstrap says little
SHORTEST_BLOCK = 5  # calls
BLOCKS = 12  # of a series; with more and shorter ones, intervals are too narrow where neighbours are alike
PIECES = 20 * BLOCKS  # a block begins at any of these
LEVELS = 1001  # at which counts are kept; most of them near the median
DRAWS = 2000
POWER = 0.8  # the chance at which a change counts as detectable


@dataclass(frozen=True)
class Ratio:
    """`value` is after over before. `detectable` is the least relative change that would probably be seen.

    Where it is the true one, the interval leaves out 1 in 8 cases of 10.
    """

    value: float
    ci95: tuple[float, float]
    detectable: float

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1."""
        return self.ci95[0] > 1 or self.ci95[1] < 1


@dataclass(frozen=True)
class Reading:
    """A figure and its 95 % interval."""

    value: float
    ci95: tuple[float, float]


def of_medians(before: NDArray[Any], after: NDArray[Any]) -> Ratio:
    """The ratio of the medians of two series of call times, each in its order; all above 0.

    Circular block bootstrap of either (Politis & Romano 1992, in LePage & Billard, Exploring the Limits of
    Bootstrap, 263–270; moving blocks: Künsch 1989, Annals of Statistics 17:1217–1241): calls that follow
    one another are drawn together, a twelfth of the series at a time, so what they have in common stays.
    The interval is that of percentiles of the logarithm, taken further out as Student's t with so few
    blocks asks for ("expanded percentiles": Hesterberg 2015, American Statistician 69:371–386). The draws
    are the same every time. Raises ValueError for series of fewer than FEWEST calls.
    """
    for series in (before, after):
        if len(series) < FEWEST or not (series > 0).all():
            raise ValueError(f"a series of {len(series)} calls, or of times that are none, has no ratio")
    from scipy.special import ndtr, stdtrit  # type: ignore[import-untyped]

    # The same two series have the same interval, whenever and wherever they are compared.
    random = np.random.default_rng(0)
    drawn = [_medians(series.astype(np.float64), random) for series in (before, after)]
    variances = [float(medians.var()) * count / (count - 1) for medians, count in drawn]
    dof = _dof(variances, [count - 1 for _, count in drawn])
    expanded = math.sqrt(BLOCKS / (BLOCKS - 1)) * float(stdtrit(dof, 0.975))
    low, high = np.quantile(drawn[1][0] - drawn[0][0], (ndtr(-expanded), ndtr(expanded)))
    centre = math.log(float(np.median(after)) / float(np.median(before)))
    return Ratio(
        math.exp(centre),
        (math.exp(min(float(low), centre)), math.exp(max(float(high), centre))),
        _detectable(math.sqrt(sum(variances)), dof),
    )


def of_intervals(before: Reading, after: Reading) -> Ratio:
    """The ratio of two readings of which no more is known than their own 95 % intervals, all above 0.

    On the logarithms, by the recovery of variances from the limits (MOVER: Zou & Donner 2008, Statistics in
    Medicine 27:1693–1702). The intervals are taken to have 19 degrees of freedom, as those of medians have.
    Raises ValueError for a reading or a lower limit that is not above 0.
    """
    if min(before.value, before.ci95[0], after.value, after.ci95[0]) <= 0:
        raise ValueError("what may be nothing has no ratio")
    centre = math.log(after.value / before.value)
    down = math.hypot(math.log(after.value / after.ci95[0]), math.log(before.ci95[1] / before.value))
    up = math.hypot(math.log(after.ci95[1] / after.value), math.log(before.value / before.ci95[0]))
    return Ratio(
        math.exp(centre),
        (math.exp(centre - down), math.exp(centre + up)),
        _detectable((down + up) / 2 / T_975_19DF, BATCHES - 1),
    )


def of_starts(before: Sequence[Reading], after: Sequence[Reading]) -> Ratio:
    """The ratio of what was read in several starts of either; three or more in all, all readings above 0.

    Each start counts as one reading, which is how what differs between starts enters (Kalibera & Jones
    2013, Rigorous benchmarking in reasonable time, ISMM, 63–74). The interval is that of the difference of
    two means of logarithms with unequal variances (Welch 1947, Biometrika 34:28–35), so the value is a
    ratio of geometric means. A side that was started once is taken to differ from start to start as the
    other does. No side's variance is taken to be less than what the readings' own intervals say: two
    starts may agree by chance. Raises ValueError for a reading or a lower limit that is not above 0.
    """
    for one in (*before, *after):
        if min(one.value, one.ci95[0]) <= 0:
            raise ValueError("what may be nothing has no ratio")
    from scipy.special import stdtrit

    logs = [np.log([one.value for one in side]) for side in (before, after)]
    repeated = [side for side in logs if len(side) > 1]
    if not repeated:
        raise ValueError("one start of either says nothing of others")
    variances = []
    for side, readings in zip(logs, (before, after), strict=True):
        between = float((side if len(side) > 1 else repeated[0]).var(ddof=1))
        within = float(np.mean([_error_of(one) ** 2 for one in readings]))
        variances.append(max(between, within) / len(side))
    dofs = [len(side) - 1 for side in repeated]
    dof = _dof(variances, dofs) if len(repeated) > 1 else float(dofs[0])
    centre, error = float(logs[1].mean() - logs[0].mean()), math.sqrt(sum(variances))
    reach = float(stdtrit(dof, 0.975)) * error
    return Ratio(
        math.exp(centre), (math.exp(centre - reach), math.exp(centre + reach)), _detectable(error, dof)
    )


def _error_of(one: Reading) -> float:
    """The standard error of its logarithm, by its interval."""
    return math.log(one.ci95[1] / one.ci95[0]) / 2 / T_975_19DF


def _detectable(error: float, dof: float) -> float:
    """The relative change that is seen in POWER of the cases, by the standard error of the logarithm.

    Minimum detectable effect: (t₀.₉₇₅ + t₀.₈)·error (Bloom 1995, Evaluation Review 19:547–556).
    """
    from scipy.special import stdtrit

    return math.expm1(float(stdtrit(dof, 0.975) + stdtrit(dof, POWER)) * error)


def _dof(variances: list[float], dofs: list[int]) -> float:
    """Effective degrees of freedom of the sum of independent variances, after Welch and Satterthwaite."""
    total = sum(variances)
    if total == 0:
        return float(min(dofs))
    return 1 / sum((variance / total) ** 2 / dof for variance, dof in zip(variances, dofs, strict=True))


def _medians(series: Floats, random: np.random.Generator) -> tuple[Floats, int]:
    """Logarithms of the medians of DRAWS resamples, and of how many blocks each was made.

    A median is where half of the calls are below. So a block is known by how many of its calls are below
    each of some levels, and a resample by their sums: a million calls take as long as a thousand.
    """
    pieces = min(PIECES, len(series))
    ordered = np.sort(series)
    near_the_middle = 0.5 + 0.5 * np.linspace(-1, 1, LEVELS) ** 3
    levels = np.unique(ordered[np.rint(near_the_middle * (len(series) - 1)).astype(int)])
    below = np.array(
        [np.searchsorted(np.sort(piece), levels, "right") for piece in np.array_split(series, pieces)]
    )
    length = max(pieces // BLOCKS, SHORTEST_BLOCK)
    count = round(pieces / length)
    starts = (np.arange(pieces)[:, None] + np.arange(length)) % pieces
    blocks = below[starts].sum(axis=1)
    chosen = random.integers(pieces, size=(DRAWS, count))
    half = blocks[chosen, -1].sum(axis=1) / 2
    lower = levels[_reaching(np.ceil(half), blocks, chosen)]
    upper = levels[_reaching(np.floor(half) + 1, blocks, chosen)]
    return np.log((lower + upper) / 2), count


def _reaching(wanted: Floats, blocks: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each resample the first level with so many calls at or below it; bisection, all at once."""
    low = np.zeros(len(chosen), np.int64)
    high = np.full(len(chosen), blocks.shape[1] - 1)
    while (low < high).any():
        middle = (low + high) // 2
        reached = blocks[chosen, middle[:, None]].sum(axis=1) >= wanted
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return low
