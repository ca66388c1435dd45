"""The Pareto front, the winner, and what is said of the rest."""

from __future__ import annotations

from builders import accuracy, measurement
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.config.passes import Pass, Prune
from edgegreen.judging.front import Outcome, Tried, dominates
from edgegreen.judging.objectives import OBJECTIVES, Score, score
from edgegreen.recipe import Variant

VARIANT = Variant(format="tflite", precision="int8")
SCORES = st.lists(
    st.tuples(st.integers(-3, 6).map(lambda n: n / 100), st.integers(1, 9).map(float)), max_size=12
)


def outcome(pairs: list[tuple[float, float]], limit: float = 0.01) -> Outcome:
    tried = [
        Tried(f"t{n}", "", VARIANT, False, measurement(), Score(*pair), None) for n, pair in enumerate(pairs)
    ]
    return Outcome(tuple(tried), OBJECTIVES["latency"], limit)


@given(SCORES)
def test_nothing_dominates_the_front_and_something_of_it_all_the_rest(
    pairs: list[tuple[float, float]],
) -> None:
    found = outcome(pairs)
    scores = [one.score for one in found.tried]
    on = [one.score for one in found.front]
    assert not any(dominates(other, mine) for mine in on for other in scores)
    assert all(any(mine == other or dominates(other, mine) for other in on) for mine in scores)
    assert [one.value for one in on] == sorted({one.value for one in on})
    for one in found.tried:
        fate = found.fate(one)
        assert (one in found.front) == fate.startswith(("on the front", "the best"))


@given(SCORES)
def test_the_best_keeps_to_the_limit_and_nothing_that_does_is_smaller(
    pairs: list[tuple[float, float]],
) -> None:
    found = outcome(pairs)
    within = [value for drop, value in pairs if drop <= 0.01]
    assert (found.best is None) == (not within)
    if found.best and found.best.score:
        assert found.best.score.value == min(within)
        assert found.best in found.front


def test_of_those_that_cannot_be_told_apart_the_plainest_is_the_best() -> None:
    pruned = VARIANT.model_copy(update={"passes": (Pass(prune=Prune()),)})
    rows = (
        (pruned, 1.0, (0.9, 1.1)),
        (VARIANT, 1.05, (1.0, 1.2)),
        (pruned, 0.5, None),
        (VARIANT, 3.0, (2, 4)),
    )
    for count, best in ((2, "1"), (3, "2"), (4, "2")):
        tried = tuple(
            Tried(str(n), "", variant, False, None, Score(0.0, value, interval), None)
            for n, (variant, value, interval) in enumerate(rows[:count])
        )
        assert getattr(Outcome(tried, OBJECTIVES["latency"], 0.01).best, "name", None) == best


def test_intervals_that_overlap_cannot_be_told_apart() -> None:
    scores = (
        Score(0.0, 1.0, (0.9, 1.1)),
        Score(0.0, 1.1, (1.05, 1.2)),
        Score(0.0, 2.0, (1.9, 2.1)),
        Score(0.5, 1.0, (0.9, 1.1)),
    )
    tried = [Tried(str(n), "", VARIANT, False, None, one, None) for n, one in enumerate(scores)]
    found = Outcome(tuple(tried), OBJECTIVES["latency"], 0.01)
    assert [one.name for one in found.alike] == ["1"]


class TestScore:
    def test_a_loss_counts_in_the_metric_s_own_direction(self) -> None:
        item = measurement(accuracy=accuracy(0.9, 0.92), p50=2.0)
        good = score(item, OBJECTIVES["latency"], higher_is_better=True)
        assert isinstance(good, Score)
        assert (round(good.drop, 9), good.value) == (0.02, 2.0)
        mse = score(item, OBJECTIVES["size"], higher_is_better=False)
        assert isinstance(mse, Score)
        assert round(mse.drop, 9) == -0.02
        assert mse.interval is None

    def test_an_invalid_reading_is_not_believed(self) -> None:
        doubted = {"verdict": "invalid", "reasons": ("unstable latency",)}
        item = measurement(**doubted, conditions={"outputs_doubted": []})
        assert (
            score(item, OBJECTIVES["latency"], higher_is_better=True) == "not to be trusted: unstable latency"
        )
        # Of a busy board a size is no less true, unless its outputs are wrong; nor where it is not known.
        assert isinstance(score(item, OBJECTIVES["size"], higher_is_better=True), Score)
        wrong = measurement(**doubted, conditions={"outputs_doubted": ["not finite"]})
        assert score(wrong, OBJECTIVES["size"], higher_is_better=True) == "not to be trusted: not finite"
        assert isinstance(score(measurement(**doubted), OBJECTIVES["size"], higher_is_better=True), str)

    def test_what_is_absent_is_no_score(self) -> None:
        assert score(measurement(), OBJECTIVES["energy"], higher_is_better=True) == "no meter"
        none = score(measurement(accuracy=None), OBJECTIVES["size"], higher_is_better=True)
        assert none == "its accuracy was not measured"
        emulated = measurement(conditions={"board": {"emulated": True}})
        assert (
            score(emulated, OBJECTIVES["latency"], higher_is_better=True)
            == "an emulated board has no latency"
        )
        assert isinstance(score(emulated, OBJECTIVES["compressed"], higher_is_better=True), Score)
