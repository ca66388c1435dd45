"""The search's report: the front and its plot, the best marked, everybody else's fate."""

from __future__ import annotations

from typing import Any

import pytest
from builders import accuracy, measurement

from edgegreen.judging.front import Outcome, Tried
from edgegreen.judging.objectives import OBJECTIVES, ObjectiveName, Score
from edgegreen.recipe import Variant
from edgegreen.report import search, terminal

VARIANT = Variant(format="tflite", precision="int8")


def tried(name: str, drop: float, value: float, *, given: bool = False, **changes: Any) -> Tried:
    item = measurement(name, accuracy=accuracy(0.95 - drop, 0.95), **changes)
    return Tried(
        name, f"what of {name}", VARIANT, given, item, Score(drop, value, (value * 0.99, value * 1.01)), None
    )


def outcome(*more: Tried, objective: ObjectiveName = "latency") -> Outcome:
    own = tried("fp32", 0.0, 2.0, given=True)
    return Outcome((own, *more), OBJECTIVES[objective], 0.01)


FAILED = Tried("trial-009", "x", VARIANT, False, None, None, "does not fit [red]x")
WHOLE = outcome(
    tried("trial-001", 0.005, 1.0), tried("trial-002", 0.02, 0.5), tried("trial-003", 0.02, 1.5),
    tried("trial-004", 0.6, 0.1), tried("trial-005", 0.006, 1.005), FAILED,
)  # fmt: skip


def text(found: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    search.show(found, terminal.console())
    search.show_all(found, terminal.console())
    return capsys.readouterr().out


def test_the_front_the_best_and_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    shown = text(WHOLE, capsys)
    front = [line for line in shown.split("Front", 1)[1].splitlines() if line.startswith(("trial", "fp32"))]
    assert [line.split()[0] for line in front[:4]] == ["trial-004", "trial-002", "trial-001", "fp32"]
    assert "trial-001 ★" in shown
    assert "best within a loss of 1.0 points: trial-001, what of trial-001" in shown
    assert "not to be told apart from it: trial-005" in shown
    assert "2 of 7 tried are dominated" in shown
    assert "trial-009: does not fit [red]x" in shown
    assert "dominated by trial-002" in shown
    assert "validation data" in shown


def test_the_plot_has_every_kind_and_counts_what_is_far_off(capsys: pytest.CaptureFixture[str]) -> None:
    plot = text(WHOLE, capsys).split("Front", 1)[0]
    assert all(mark in plot for mark in "·○●★")
    assert "(1 lie further below)" in plot
    assert "p50 ms" in plot
    assert "\x1b" not in plot


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_can_be_shown(objective: ObjectiveName, capsys: pytest.CaptureFixture[str]) -> None:
    shown = text(outcome(tried("trial-001", 0.0, 1.0), objective=objective), capsys)
    assert OBJECTIVES[objective].heading in shown


def test_nothing_within_the_limit_and_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    bad = Outcome((tried("trial-001", 0.5, 1.0), FAILED), OBJECTIVES["size"], 0.01)
    assert "nothing keeps to a loss of 0.01" in text(bad, capsys)
    assert "nothing keeps to a loss" in text(Outcome((), OBJECTIVES["size"], 0.01), capsys)
    assert search.headline(bad, 9) == "2 of 9 candidates; none within the limit yet"
    assert "best trial-001: p50 ms 1.00, loss 0.5 points" in search.headline(WHOLE, 9)


def test_equal_accuracies_have_a_narrow_axis(capsys: pytest.CaptureFixture[str]) -> None:
    plot = text(outcome(tried("trial-001", 0.0, 1.0)), capsys).split("Front", 1)[0]
    ticks = [float(line.split("%")[0]) for line in plot.splitlines() if "%┤" in line]
    assert ticks
    assert all(94 < tick < 96 for tick in ticks)
