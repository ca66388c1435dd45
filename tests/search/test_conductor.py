"""The search's course, with Optuna and its journal, on a board that is a formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import accuracy, measurement

from edgegreen.config.searchkeys import Between
from edgegreen.judging.front import Outcome
from edgegreen.judging.objectives import OBJECTIVES
from edgegreen.measurement import Failure, Run
from edgegreen.plan import Trial
from edgegreen.recipe import Recipe, Variant
from edgegreen.search.conductor import TOGETHER, Budget, Conductor
from edgegreen.search.measuring import Round
from edgegreen.search.space import Knob, Space, Way
from edgegreen.search.study import Study
from edgegreen.target import Target

LITERT = ("litert", "tflite-runtime")
SPACE = Space(
    (Way("tflite", "int8", LITERT), Way("tflite", "fp32", LITERT)),
    Knob.of((1, 2)),
    {"prune": {"sparsity": Knob.of(Between(min=0.1, max=0.9)), "epochs": Knob.of(1)}},
)
RECIPE = Recipe(name="r", model=Path("m.keras"))
BOARD = Target(host="board.test").called("board")
GIVEN = (Trial("mine", Variant(format="tflite", precision="fp32"), BOARD, LITERT, 1),)


@dataclass
class Formula:
    """Stands in for Measuring: sparser is smaller, and past a half less accurate. `before` may interfere."""

    run: Run | None = None
    before: Callable[[int], dict[str, Any]] = lambda _: {}
    rounds: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def measure(self, trials: Sequence[Trial], following: Sequence[Trial] = ()) -> Round:
        self.rounds.append(([one.variant_name for one in trials], [one.variant_name for one in following]))
        changes = {"skip": 0, "interrupted": False, "failures": ()} | self.before(len(self.rounds))
        made = [self._measured(one) for one in trials[: len(trials) - changes["skip"]]]
        results = (*(self.run.results if self.run else ()), *made)
        self.run = Run(
            run_id="20261122-040000-abc123", recipe="r.search", started_at=datetime.now(UTC),
            edgegreen="0.1.0", results=results, failures=changes["failures"],
        )  # fmt: skip
        return Round(results, changes["failures"], changes["interrupted"])

    @staticmethod
    def _measured(trial: Trial) -> Any:
        sparsity = trial.variant.passes[0].parameters.sparsity if trial.variant.passes else 0.0
        value = 0.9 - max(0.0, sparsity - 0.5)
        size = round((50_000 if trial.variant.precision == "int8" else 200_000) * (1.1 - sparsity))
        return measurement(
            trial.variant_name,
            size_bytes=size,
            accuracy=accuracy(value, 0.9),
            threads=trial.threads,
            target="board",
        )


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., Conductor]:
    """A conductor over one study; called again, the study is taken up again."""

    def begin(formula: Formula, seed: int = 0) -> Conductor:
        study = Study(tmp_path, SPACE, seed, 0.01)
        study.begin(list(SPACE.seeds()))
        measuring: Any = formula
        return Conductor(RECIPE, BOARD, study, measuring, objective=OBJECTIVES["size"], limit=0.01)

    return begin


def go(conductor: Conductor, trials: int, seconds: float | None = None, **more: Any) -> Outcome:
    conductor.run(GIVEN, Budget(trials, seconds), more.get("refused", lambda _: None), lambda _: None)
    return conductor.outcome


def test_it_finds_what_no_given_variant_dominates(begun: Callable[..., Conductor]) -> None:
    found = go(begun(formula := Formula()), 25)
    assert sum(not one.given for one in found.tried) == 25
    assert [one.name for one in found.tried if one.given] == ["mine"]
    best = found.best
    assert best is not None
    assert best.score is not None
    assert 0.4 <= best.variant.passes[0].parameters.sparsity <= 0.52
    assert best.variant.precision == "int8"
    # The board is elsewhere: while a round is measured, the next one is known and can be built.
    own, (first, ahead), (second, _), *_ = formula.rounds
    assert own == (["mine"], [])
    assert ahead == second
    assert len(first) == len(second) == TOGETHER


def test_each_candidate_is_tried_once(begun: Callable[..., Conductor]) -> None:
    found = go(begun(Formula()), 30)
    assert len({one.what for one in found.tried}) == len(found.tried)


def test_the_same_seed_tries_the_same(begun: Callable[..., Conductor], tmp_path: Path) -> None:
    one = [each.what for each in go(begun(Formula()), 14).tried]
    (tmp_path / "study.log").unlink()
    assert [each.what for each in go(begun(Formula()), 14).tried] == one


def test_a_small_space_ends_the_search(begun: Callable[..., Conductor]) -> None:
    found = go(begun(Formula()), 10_000, refused=lambda one: "no" if one.variant.passes else None)
    assert sorted(one.what for one in found.tried if not one.given) == [
        "fp32 tflite, 2 threads", "int8 tflite, 1 thread", "int8 tflite, 2 threads",
    ]  # fmt: skip


def test_no_candidate_is_asked_for_when_the_time_is_over(begun: Callable[..., Conductor]) -> None:
    found = go(begun(formula := Formula()), 50, seconds=0.0)
    assert [one.name for one in found.tried] == ["mine"]
    assert formula.rounds == [(["mine"], [])]


def test_interrupted_it_keeps_what_was_measured_and_goes_on_with_the_rest(
    begun: Callable[..., Conductor],
) -> None:
    def third(round_: int) -> dict[str, Any]:
        return {"skip": 4, "interrupted": True} if round_ == 3 else {}

    first = begun(formula := Formula(before=third))
    go(first, 20)
    assert first.interrupted
    assert first.count == TOGETHER + TOGETHER - 4
    asked = {name for names, _ in formula.rounds for name in names}
    second = begun(Formula(run=formula.run))
    found = go(second, 20)
    assert second.count == 20
    assert [one.what for one in found.tried][: first.count + 1] == [one.what for one in first.outcome.tried]
    assert len({one.what for one in found.tried}) == 21
    assert asked


def test_killed_between_measuring_and_telling_nothing_is_lost(begun: Callable[..., Conductor]) -> None:
    def second(round_: int) -> dict[str, Any]:
        if round_ == 3:
            raise SystemExit
        return {}

    formula = Formula(before=second)
    with pytest.raises(SystemExit):
        go(begun(formula), 20)
    assert formula.run is not None
    names = len(formula.run.results)
    found = go(begun(again := Formula(run=formula.run)), 20)
    assert len(found.tried) == 21
    assert again.run is not None
    assert len(again.run.results) == 21
    assert names == 1 + TOGETHER


def test_a_board_that_is_gone_ends_it_and_one_variant_s_failure_does_not(
    begun: Callable[..., Conductor],
) -> None:
    failed = Failure(target=None, variant="trial-000", stage="convert", error="does not fit", exit_code=3)
    gone = Failure(target="board", variant=None, stage="measure", error="gone", exit_code=4)

    def before(round_: int) -> dict[str, Any]:
        return {2: {"failures": (failed,), "skip": 0}, 3: {"failures": (gone,), "skip": TOGETHER}}.get(
            round_, {}
        )

    conductor = begun(Formula(before=before))
    go(conductor, 20)
    assert conductor.broken == gone
    assert conductor.count == TOGETHER


def test_a_failure_is_told_with_its_reason(begun: Callable[..., Conductor]) -> None:
    failed = Failure(target=None, variant="trial-005", stage="convert", error="does not fit", exit_code=3)

    def before(round_: int) -> dict[str, Any]:
        return {"failures": (failed,), "skip": 1} if round_ == 2 else {}

    formula = Formula(before=before)
    found = go(begun(formula), 12)
    last = next(one for one in found.tried if one.name == formula.rounds[1][0][-1])
    assert last.score is None
    assert last.reason == ("does not fit" if last.name == "trial-005" else "it was not measured")
    assert last.reason in found.fate(last)
