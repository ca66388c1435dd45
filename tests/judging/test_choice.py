"""The least energy that keeps to the budgets, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from builders import measurement
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.config.limitkeys import Budgets
from edgegreen.judging import choice, comparison
from edgegreen.judging.comparison import Row
from edgegreen.measurement import Energy, Measurement, Tuning
from edgegreen.report import words


def row(mj: float | None, half: float = 0.1, **changes: Any) -> Measurement:
    energy = None
    if mj is not None:
        energy = Energy(per_inference_mj=mj, gross_mj=mj + 1, ci95_mj=(mj - half, mj + half))
    return measurement(energy=energy, **changes)


def rows(*items: Measurement, **budgets: float) -> list[Row]:
    return comparison.rows(items, "fp32-tflite", Budgets(**budgets))


def answer(*items: Measurement, **budgets: float) -> str:
    """What stands below the table."""
    made = rows(*items, **budgets)
    chosen = choice.least_energy(made)
    assert chosen
    return words.choice(chosen, Budgets(**budgets), made)


LEAN, FAST = Tuning(governor="powersave"), Tuning(governor="performance")
SWEEP = (
    row(3.1, p50=7, p95=8.2, threads=2, tuning=LEAN),
    row(4.0, p50=2, p95=2.5, threads=2, tuning=FAST),
    row(2.0, p50=12, p95=15, threads=1, tuning=LEAN),
    row(4.5, p50=4, p95=4.4, threads=1, tuning=FAST),
)


def test_the_least_of_those_within_the_budget() -> None:
    start = "least energy within the latency budget: int8-tflite, 2 threads, "
    assert answer(*SWEEP, latency_p95_ms_max=10) == start + "powersave: 3.10 ± 0.10 mJ (p95 8.20 ms)"
    assert answer(*SWEEP, latency_p50_ms_max=3) == start + "performance: 4.00 ± 0.10 mJ (p50 2.00 ms)"


def test_without_a_budget_the_least_of_all() -> None:
    assert answer(*SWEEP).startswith("least energy: int8-tflite, 1 thread, powersave: 2.00 ± 0.10 mJ (p95")


def test_other_budgets_count_as_well() -> None:
    cheap = row(0.5, variant="broken", accuracy=None)
    text = answer(cheap, *SWEEP, accuracy_drop_max=0.02, latency_p95_ms_max=20)
    assert text.startswith("least energy within the budgets: int8-tflite, 1 thread")


def test_a_reading_not_to_be_trusted_is_none() -> None:
    doubtful = row(0.5, verdict="invalid", reasons=("the board was throttled",))
    assert "1 thread, powersave: 2.00" in answer(doubtful, *SWEEP)


def test_rows_that_may_be_as_good_are_named() -> None:
    text = answer(row(3.0, 0.2, variant="a"), row(3.3, 0.15, variant="b"), row(9.0, variant="c"))
    assert text == (
        "least energy: a: 3.00 ± 0.20 mJ (p95 1.20 ms). Not to be told apart from it: b (3.30 ± 0.15 mJ)"
    )


def test_when_none_qualifies_it_is_counted_why() -> None:
    invalid = row(1.0, verdict="invalid", reasons=("throttled",))
    text = answer(row(1.0, p95=20), row(2.0, p95=30), invalid, row(None), latency_p95_ms_max=10)
    assert text == (
        "least energy within the latency budget: no row qualifies "
        "(1 is not to be trusted, 2 are over a budget, 1 is without energy)"
    )


@pytest.mark.parametrize("items", [[], [row(1.0)], [row(None), row(None)]], ids=len)
def test_where_there_is_no_choice_nothing_is_said(items: list[Measurement]) -> None:
    assert choice.least_energy(rows(*items)) is None


EACH = st.tuples(
    st.one_of(st.none(), st.floats(-1, 100)), st.floats(0, 10), st.floats(0.1, 20), st.booleans()
)


@given(st.lists(EACH, min_size=2, max_size=8), st.floats(0.1, 20))
def test_nothing_that_qualifies_is_better(
    many: list[tuple[float | None, float, float, bool]], limit: float
) -> None:
    items = [row(mj, half, p50=p50, verdict="valid" if valid else "invalid") for mj, half, p50, valid in many]
    found = choice.least_energy(rows(*items, latency_p50_ms_max=limit))
    able = [
        item.energy for item in items
        if item.energy and item.verdict == "valid" and item.latency_ms.p50 <= limit * (1 + 1e-9) + 1e-12
    ]  # fmt: skip
    if found is None:
        assert not any(item.energy for item in items)
    elif found.best is None:
        assert not able
        assert found.invalid + found.over + found.unmetered == len(items)
    else:
        best = found.best.measurement.energy
        assert best
        assert best.per_inference_mj == min(energy.per_inference_mj for energy in able)
        apart = [energy for energy in able if energy.ci95_mj[0] > best.ci95_mj[1]]
        assert len(found.alike) == len(able) - 1 - len(apart)
