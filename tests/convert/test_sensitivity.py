"""The search for operators to leave in float, on models that are a rule: no file is built here."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.convert.judge import Judged
from edgegreen.convert.sensitivity import GROUPS_MAX, Bounds, Found, Kept, Operator, search

BOUNDS = Bounds()


@dataclass
class Rule:
    """A model's drop: the harm of operators alone, and of pairs of neighbours unless both are in float."""

    alone: dict[int, float]
    pairs: dict[tuple[int, int], float] = field(default_factory=dict)
    margin: float = 0.0
    count: int = 10
    seconds: float = 0.0
    now_s: float = 0.0
    broken: frozenset[int] = frozenset()

    def drop(self, kept: Kept) -> float:
        single = sum(harm for one, harm in self.alone.items() if one not in kept)
        return single + sum(harm for pair, harm in self.pairs.items() if not kept.issuperset(pair))

    def glance(self, kept: Kept) -> float | None:
        self.now_s += self.seconds
        return None if self.broken - kept else -self.drop(kept)

    def judge(self, kept: Kept) -> Judged | None:
        self.now_s += self.seconds
        return None if self.broken - kept else Judged(self.drop(kept), self.drop(kept) + self.margin)

    def search(self, limit: float, bounds: Bounds = BOUNDS, costs: dict[int, float] | None = None) -> Found:
        self.shares: list[float] = []
        operators = [Operator(f"o{i}", "K", (costs or {}).get(i, 1.0)) for i in range(self.count)]

        def report(stage: str, done: float | None = None) -> None:
            assert stage == "choosing precision"
            self.shares.append(done or 0.0)

        return search(operators, self, limit, bounds=bounds, report=report, clock=lambda: self.now_s)


def test_when_all_may_be_quantised_one_step_is_enough() -> None:
    found = Rule({3: 0.001}).search(0.005)
    assert (found.kept, found.steps, found.stopped) == (frozenset(), 1, None)


def test_the_harmful_ones_stay_in_float_and_no_others() -> None:
    found = Rule({2: 0.04, 7: 0.02, 5: 0.001}).search(0.005)
    assert found.kept == {2, 7}
    assert found.judged == Judged(0.001, 0.001)
    assert found.everything is not None
    assert found.everything.drop == pytest.approx(0.061)


def test_a_value_between_two_operators_takes_both() -> None:
    """One in float at a time would see no difference, and know nothing."""
    assert Rule({}, {(4, 5): 0.1}).search(0.005).kept == {4, 5}


def test_of_two_that_would_do_the_cheaper_one_stays() -> None:
    rule = Rule({1: 0.012, 2: 0.011, 6: 0.011})
    assert rule.search(0.023, costs={1: 1000.0}).kept in ({2}, {6})


def test_the_upper_bound_counts_where_something_keeps_to_it() -> None:
    rule = Rule({1: 0.01, 2: 0.004}, margin=0.003)
    assert rule.search(0.005).kept == {1, 2}
    unsure = Rule({1: 0.01, 2: 0.004}, margin=0.02).search(0.005)
    assert unsure.kept == {1}
    assert unsure.judged == Judged(0.004, 0.024)


def test_what_cannot_be_built_is_passed_by() -> None:
    assert Rule({1: 0.01}, broken=frozenset({8})).search(0.005).kept == {1, 8}
    nothing = Rule({}, broken=frozenset(range(10)), count=10).search(0.005)
    assert nothing.judged is None


def test_an_ending_by_steps_or_time_gives_the_best_so_far() -> None:
    alone = dict.fromkeys(range(40), 0.01)
    for bounds in (Bounds(steps=30), Bounds(seconds=30.0)):
        rule = Rule(alone, count=50, seconds=1.0)
        found = rule.search(0.105, bounds)
        assert found.steps <= 31
        assert found.stopped is not None
        assert found.judged is not None
        assert found.judged.drop < 0.4
        assert rule.shares == sorted(rule.shares)
        assert rule.shares[-1] <= 1.0
    assert Rule(alone, count=50).search(0.105).stopped is None


def test_even_without_any_time_there_is_a_result() -> None:
    found = Rule({1: 0.5}, seconds=100.0).search(0.005, Bounds(seconds=1.0))
    assert (found.kept, found.steps) == (frozenset(), 1)
    assert found.judged == Judged(0.5, 0.5)
    assert "after 100 s" in str(found.stopped)


def test_many_operators_are_ranked_by_groups_of_neighbours() -> None:
    rule = Rule({500: 0.1}, count=1000)
    found = rule.search(0.005)
    assert found.kept == {500}
    assert found.steps < GROUPS_MAX + 60


@given(st.dictionaries(st.integers(0, 9), st.floats(0.0, 0.1)), st.floats(0.001, 0.2))
def test_within_the_limit_and_nothing_to_spare(alone: dict[int, float], limit: float) -> None:
    rule = Rule(alone)
    found = rule.search(limit)
    if found.kept == frozenset() or found.judged is None or found.judged.drop > limit:
        assert rule.drop(found.kept) > limit or found.steps == 1 or not found.kept
        return
    assert rule.search(limit) == found
    assert all(rule.drop(found.kept - {one}) > limit * (1 - 1e-9) for one in found.kept)
