"""Which operators to leave in float so that a model's metric drops by no more than a limit. Knows no format.

1. All operators are quantised: when that keeps to the limit, nothing is left in float.
2. Each operator is quantised alone, all others in float; the outputs' SQNR says how much harm that does. (One
   in float at a time would not tell: a value loses its detail where either of its neighbours is int8.)
3. Bisection over that ranking finds how many of the most harmful have to stay in float.
4. Those are given back one by one, the costliest first, wherever the limit still holds without them; then the
   same from twice as many, so that several cheap ones may stand for a costly one.

The limit holds when the upper 95 % bound of the drop keeps to it, or the search would find the candidate that
chance was kind to; only where nothing keeps to it so, the drop itself counts.

Bounded in steps and time. Cut short, it gives the best that was found until then, and says so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgegreen.convert.judge import Judged
from edgegreen.mixture import within
from edgegreen.workers.report import Report

Kept = frozenset[int]
STAGE = "choosing precision"
GROUPS_MAX = 64  # of neighbours in the graph; each is ranked as one
RANKING_SHARE = 0.5  # of the bounds: the rest is for what the ranking is good for


@dataclass(frozen=True)
class Operator:
    """One that could be quantised. `cost`: its multiplications, or the values it gives where it has none."""

    name: str
    kind: str
    cost: float


@dataclass(frozen=True)
class Bounds:
    """How much a search may take. A step under way is not interrupted."""

    steps: int = 200
    seconds: float = 600.0


class Candidates(Protocol):
    """Builds and judges candidates by the numbers of the operators that are left in float."""

    def glance(self, kept: Kept) -> float | None:
        """The outputs' SQNR in dB on a few samples. None: it cannot be built."""

    def judge(self, kept: Kept) -> Judged | None:
        """On all samples of the choice. None: it cannot be built."""


@dataclass(frozen=True)
class Found:
    """The best of what was tried (None: nothing could be built), and how the search went.

    `everything` is the candidate with all operators quantised; `stopped` is why the search ended early.
    """

    kept: Kept
    judged: Judged | None
    everything: Judged | None
    steps: int
    stopped: str | None


def search(
    operators: Sequence[Operator],
    candidates: Candidates,
    limit: float,
    *,
    bounds: Bounds,
    report: Report,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """The cheapest set of operators to leave in float, of those tried; see above."""
    book = _Book(operators, candidates, limit, bounds, report, clock)
    stopped = None
    try:
        if not book.keeps(frozenset()):
            _mix(book, _rank(book))
    except _Over as over:
        stopped = str(over)
    kept, judged = book.best()
    return Found(kept, judged, book.tried.get(frozenset()), book.steps, stopped or book.cut)


class _Over(Exception):
    """The bounds are reached; says which."""


@dataclass
class _Book:
    """What was tried, and what that has cost. `cut` says that the ranking was cut short, if so.

    While `sure`, the upper bound of a drop has to keep to the limit, else the drop.
    """

    operators: Sequence[Operator]
    candidates: Candidates
    limit: float
    bounds: Bounds
    report: Report
    clock: Callable[[], float]
    sure: bool = True
    tried: dict[Kept, Judged | None] = field(default_factory=dict)
    steps: int = 0
    cut: str | None = None
    started_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.started_s = self.clock()

    def keeps(self, kept: Kept) -> bool:
        """Whether this candidate keeps to the limit. Raises _Over when there may be no more steps."""
        if kept not in self.tried:
            self._step(share=1.0)
            self.tried[kept] = self.candidates.judge(kept)
        judged = self.tried[kept]
        return judged is not None and within(judged.upper if self.sure else judged.drop, self.limit)

    def glance(self, kept: Kept) -> float | None:
        """A quick look. Raises _Over when ranking has had its share."""
        self._step(share=RANKING_SHARE)
        return self.candidates.glance(kept)

    def best(self) -> tuple[Kept, Judged | None]:
        """Of those surely within the limit the cheapest, else of those within, else the smallest drop."""
        built = {kept: judged for kept, judged in self.tried.items() if judged is not None}
        sure = [kept for kept, judged in built.items() if within(judged.upper, self.limit)]
        good = sure or [kept for kept, judged in built.items() if within(judged.drop, self.limit)]
        if good:
            chosen = min(good, key=lambda kept: (self._cost(kept), len(kept), sorted(kept)))
        elif built:
            chosen = min(built, key=lambda kept: (built[kept].drop, self._cost(kept), sorted(kept)))
        else:
            return frozenset(), None
        return chosen, built[chosen]

    def _cost(self, kept: Kept) -> float:
        return sum(self.operators[number].cost for number in kept)

    def _step(self, share: float) -> None:
        """Count a step. The very first is always made: without it there would be no result."""
        seconds = self.clock() - self.started_s
        if self.steps and self.steps >= share * self.bounds.steps:
            raise _Over(f"after {self.steps} steps")
        if self.steps and seconds >= share * self.bounds.seconds:
            raise _Over(f"after {seconds:.0f} s")
        self.steps += 1
        done = max(self.steps / self.bounds.steps, seconds / max(self.bounds.seconds, 1e-9))
        self.report(STAGE, min(1.0, done))


def _rank(book: _Book) -> list[Kept]:
    """Groups of neighbours, the most harmful first; those there was no time to look at come last."""
    count = len(book.operators)
    width = math.ceil(count / GROUPS_MAX) or 1
    groups = [frozenset(range(start, min(start + width, count))) for start in range(0, count, width)]
    everything = frozenset(range(count))
    harm: dict[Kept, float] = {}
    for group in groups:
        try:
            sqnr_db = book.glance(everything - group)
        except _Over as over:
            book.cut = f"{over}, with {len(harm)} of {len(groups)} operators ranked"
            break
        harm[group] = math.inf if sqnr_db is None else -sqnr_db
    return sorted(groups, key=lambda group: (-harm.get(group, -math.inf), min(group)))


def _mix(book: _Book, ranked: Sequence[Kept]) -> None:
    """Find how many of the ranking have to stay in float: surely enough, or else just so."""
    for book.sure in (True, False):
        length = _bisect(book, ranked)
        if length < len(ranked):
            _give_back(book, _head(ranked, length))
            _give_back(book, _head(ranked, min(2 * length, len(ranked) - 1)))
            return


def _bisect(book: _Book, ranked: Sequence[Kept]) -> int:
    """The length of the shortest head of the ranking that keeps to the limit; all when none shorter does."""
    low, high = 0, len(ranked)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if book.keeps(_head(ranked, middle)) else (middle, high)
    return high


def _head(ranked: Sequence[Kept], length: int) -> Kept:
    return frozenset().union(*ranked[:length])


def _give_back(book: _Book, kept: Kept) -> None:
    """Quantise again whatever need not stay in float, the costliest first."""
    for number in sorted(kept, key=lambda number: (-book.operators[number].cost, number)):
        if len(kept) > 1 and book.keeps(kept - {number}):
            kept -= {number}
