"""What a search has tried, and the best of it: the Pareto front, and the winner within a limit. Pure.

Names are those of variants; `Tried` of the recipe's own variants and of the search's candidates are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegreen.judging.objectives import Objective, Score
from edgegreen.measurement import Measurement
from edgegreen.recipe import Variant

HAIR = 1e-12  # a drop of 0.01 in floats may be a hair more than 0.01


@dataclass(frozen=True)
class Tried:
    """Something tried, and what came of it. `given`: the recipe's own variant, not the search's.

    `what` says in words what it is. Exactly one of `score` and `reason` is there: how it counts, or why not.
    """

    name: str
    what: str
    variant: Variant
    given: bool
    measurement: Measurement | None
    score: Score | None
    reason: str | None


@dataclass(frozen=True)
class Outcome:
    """All that was tried, in order, for one objective. `limit` is the largest loss of accuracy wished."""

    tried: tuple[Tried, ...]
    objective: Objective
    limit: float

    @property
    def front(self) -> tuple[Tried, ...]:
        """Those that no other dominates, the smallest value of the objective first; one of equals."""
        found: list[Tried] = []
        for one in sorted(self._scored(), key=_by_value):
            score = one.score
            assert score is not None
            if not found or score.drop < min(other.score.drop for other in found if other.score):
                found.append(one)
        return tuple(found)

    @property
    def best(self) -> Tried | None:
        """The smallest value of the objective within the limit; None when nothing keeps to it.

        Of those that cannot be told apart from it, the one with the fewest passes: none of them has been seen
        to win anything.
        """
        within = [one for one in self._scored() if one.score and self.keeps(one.score)]
        smallest = min(within, key=_by_value, default=None)
        if smallest is None:
            return None
        return min(
            [smallest, *self._like(smallest)], key=lambda one: (len(one.variant.passes), *_by_value(one))
        )

    @property
    def alike(self) -> tuple[Tried, ...]:
        """Those within the limit that cannot be told apart from the best: their intervals overlap."""
        best = self.best
        return self._like(best) if best else ()

    def _like(self, best: Tried) -> tuple[Tried, ...]:
        if best.score is None or best.score.interval is None:
            return ()
        low, high = best.score.interval
        return tuple(
            one
            for one in self._scored()
            if one is not best and one.score and self.keeps(one.score)
            and one.score.interval and one.score.interval[0] <= high and low <= one.score.interval[1]
        )  # fmt: skip

    def fate(self, one: Tried) -> str:
        """What became of it, in words."""
        if one.score is None:
            return one.reason or ""
        if one is self.best:
            return "the best within the limit"
        if one in self.front:
            return "on the front"
        better = [other for other in self.front if other.score and dominates(other.score, one.score)]
        return f"dominated by {better[0].name}" if better else f"equal to {self._equal(one).name}"

    def _equal(self, one: Tried) -> Tried:
        """The one of the front that does the same."""
        assert one.score is not None
        mine = (one.score.drop, one.score.value)
        return next(
            other for other in self.front if other.score and (other.score.drop, other.score.value) == mine
        )

    def keeps(self, score: Score) -> bool:
        """Whether its loss is within the limit."""
        return score.drop <= self.limit + HAIR

    def _scored(self) -> list[Tried]:
        return [one for one in self.tried if one.score is not None]


def dominates(one: Score, other: Score) -> bool:
    """Whether `one` is better in something and worse in nothing."""
    return (
        one.drop <= other.drop
        and one.value <= other.value
        and (one.drop < other.drop or one.value < other.value)
    )


def _by_value(one: Tried) -> tuple[float, float]:
    assert one.score is not None
    return one.score.value, one.score.drop
