"""Many boards in one table."""

from __future__ import annotations

import io
from typing import Any

from builders import accuracy, measurement, run
from rich.console import Console

from edgegreen.judging import comparison
from edgegreen.measurement import Failure, Run
from edgegreen.report import fleet, terminal


def shown(of: Run) -> str:
    out = io.StringIO()
    fleet.show(of, comparison.of(of), Console(file=out, width=100))
    return out.getvalue()


def boards(count: int, **fields: Any) -> list[Any]:
    return [measurement(target=f"pi-{number}", **fields) for number in range(count)]


def test_two_boards_are_read_side_by_side() -> None:
    assert shown(run(*boards(2))) == ""


def test_row_a_variant_over_all_boards() -> None:
    text = shown(run(*boards(3, variant="fp32"), *boards(3, variant="int8")))

    rows = [line.split()[:2] for line in text.splitlines()]
    assert ["fp32", "3/3"] in rows
    assert ["int8", "3/3"] in rows


def test_two_boards_are_summed_up_where_they_are_not_read_side_by_side() -> None:
    of = run(*boards(2, p50=2.0), measurement(target="pi-9", p50=8.0, verdict="invalid", reasons=("hot",)))
    found = fleet.of(of, comparison.of(of))
    assert found is not None
    assert (found.headings, found.marks) == (("Boards", "lowest accuracy", "p50 ms"), ("?",))
    assert found.lines == (fleet.Line("int8-tflite", ("2/3", "90.2 % (−1.1)", "2.00"), (1,)),)
    assert fleet.of(run(*boards(1)), comparison.of(run(*boards(1)))) is None


def test_the_worst_score_is_the_highest_where_less_is_better() -> None:
    scored = [
        measurement(target=f"pi-{n}", accuracy=accuracy(value, None, metric="mse"))
        for n, value in enumerate((0.11, 0.50, 0.105))
    ]
    doubted = {"outputs_doubted": ["not those of the host"]}
    scored[1] = scored[1].model_copy(update={"conditions": doubted, "verdict": "invalid"})
    of = run(*scored, higher_is_better=False)
    found = fleet.of(of, comparison.of(of))
    assert found is not None
    assert (found.headings[1], found.lines[0].cells[1]) == ("highest mse", "0.110")


def test_rows_not_to_be_trusted_are_counted_and_not_summed_up() -> None:
    bad = measurement(target="pi-9", verdict="invalid", reasons=("throttled",))

    text = shown(run(*boards(3), bad))

    assert "3/4" in text
    assert "?" in text


def test_boards_without_results_are_named() -> None:
    lost = [Failure(target=f"x-{n}", variant=None, stage="connect", error="off") for n in range(10)]

    text = shown(run(*boards(3), failures=tuple(lost)))

    assert "10 of 13 boards have no results: x-0, x-1, x-2, x-3, x-4, x-5, x-6, x-7 and 2 more" in text


def test_boards_lost_alike_share_a_line() -> None:
    def failure(name: str, error: str) -> Failure:
        return Failure(target=name, variant=None, stage="connect", error=error)

    lost = [failure("a", "10.0.0.1:22: off"), failure("b", "10.0.0.2:22: off"), failure("c", "refused")]
    out = io.StringIO()

    terminal.show_failures(lost, Console(file=out, width=100))

    assert out.getvalue().splitlines() == [
        "✗ a, b (connect, the first): 10.0.0.1:22: off",
        "✗ c (connect): refused",
    ]
