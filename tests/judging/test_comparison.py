"""Budgets, marks and speed-ups: what a reader of the table decides by."""

from __future__ import annotations

from typing import Any

import pytest
from builders import accuracy, measurement

from edgegreen.config.limitkeys import Budgets, Limits
from edgegreen.judging import choice, comparison
from edgegreen.judging.comparison import Row
from edgegreen.judging.limits import LIMITED, missed
from edgegreen.measurement import Energy, Measurement, Power


def rows(*items: Measurement, baseline: str = "fp32", **changes: Any) -> list[Row]:
    return comparison.rows(items, baseline, changes.pop("budgets", Budgets()), **changes)


def energy(mj: float) -> Energy:
    return Energy(per_inference_mj=mj, gross_mj=2 * mj, ci95_mj=(mj, mj))


def power(active_w: float) -> Power:
    return Power(
        source="ina3221", rail=None, scope="module", idle_w=1, active_w=active_w, n=100, n_effective=50
    )


class TestBudgets:
    """Met at the limit, missed above it, and missed by what was not measured."""

    CASES = [
        ({"accuracy_drop_max": 0.01}, {"accuracy": accuracy(0.903)}, {"accuracy": accuracy(0.902)}),
        ({"accuracy_drop_max": 0}, {"accuracy": accuracy(0.95)}, {"accuracy": accuracy(0.9129)}),
        ({"latency_p50_ms_max": 1}, {"p50": 1}, {"p50": 1.0001}),
        ({"latency_p95_ms_max": 10}, {"p95": 10}, {"p95": 10.01}),
        ({"size_bytes_max": 53_168}, {"size_bytes": 53_168}, {"size_bytes": 53_169}),
        ({"peak_rss_bytes_max": 10**6}, {"peak_rss_bytes": 10**6}, {"peak_rss_bytes": 10**6 + 1}),
        ({"latency_p99_ms_max": 15}, {"p50": 10}, {"p50": 10.01}),
        ({"first_inference_ms_max": 20}, {"first_inference_ms": 20}, {"first_inference_ms": 20.01}),
        ({"energy_mj_max": 5}, {"energy": energy(5)}, {"energy": energy(5.001)}),
        ({"power_w_max": 4}, {"power": power(4)}, {"power": power(4.001)}),
    ]

    @pytest.mark.parametrize(("budget", "good", "bad"), CASES, ids=[next(iter(case[0])) for case in CASES])
    def test_at_the_limit(self, budget: Any, good: Any, bad: Any) -> None:
        assert missed(measurement(**good), Budgets(**budget)) == ()
        (said,) = missed(measurement(**bad), Budgets(**budget))
        shown, _, limit = said.partition(" > ")
        assert limit
        assert shown.split()[-1 if "accuracy" in said else -2] != limit.split()[0]
        assert "e+" not in said
        assert "e-" not in said

    def test_all_of_them_are_covered(self) -> None:
        assert {key for case in self.CASES for key in case[0]} == set(Limits.model_fields) - {"valid"}
        assert set(LIMITED) == set(Limits.model_fields) - {"valid"}

    def test_a_reading_that_has_to_be_valid(self) -> None:
        assert missed(measurement(verdict="invalid"), Budgets()) == ()
        assert missed(measurement(), Budgets(valid=True)) == ()
        (said,) = missed(measurement(verdict="invalid"), Budgets(valid=True))
        assert "not valid" in said

    @pytest.mark.parametrize("key", sorted(set(LIMITED) - {"size_bytes_max", "accuracy_drop_max"}))
    def test_a_reading_that_is_not_to_be_trusted_keeps_to_none(self, key: str) -> None:
        given = {"power": power(4), "energy": energy(5), "reasons": ("a busy board",)}
        budgets = Budgets(**{key: 10**9})  # type: ignore[arg-type]
        assert missed(measurement(**given), budgets) == ()
        (said,) = missed(measurement(verdict="invalid", **given), budgets)
        assert said.endswith(", but not to be trusted")

    def test_an_unsteady_board_spoils_neither_size_nor_accuracy_and_wrong_outputs_do(self) -> None:
        budgets = Budgets(size_bytes_max=10**6, accuracy_drop_max=0.5)
        assert missed(measurement(verdict="invalid", reasons=("a busy board",)), budgets) == ()
        doubted = {"outputs_doubted": ["something else than the host"]}
        (said,) = missed(measurement(verdict="invalid", conditions=doubted), budgets)
        assert said == "accuracy drop 0.011 is within 0.5, but not to be trusted"

    def test_a_target_of_its_own(self) -> None:
        own = Limits(latency_p95_ms_max=20, energy_mj_max=None)
        budgets = Budgets(latency_p95_ms_max=10, energy_mj_max=5, targets={"pi3": own})
        items = [measurement(target=target, p95=15) for target in ("pi5", "pi3", "replay:pi3", "replay:pi5")]
        assert [len(row.missed) for row in rows(*items, budgets=budgets)] == [2, 0, 0, 2]
        assert Budgets.model_validate_json(budgets.model_dump_json()) == budgets
        assert Budgets.model_validate_json(budgets.model_dump_json()).on("pi3") == budgets.on("pi3")
        assert budgets.on("pi3").energy_mj_max is None

    def test_in_words(self) -> None:
        budgets = Budgets(accuracy_drop_max=0.01, latency_p95_ms_max=10, size_bytes_max=50_000)
        item = measurement(p95=14.812345, accuracy=accuracy(0.8, 0.913))
        assert missed(item, budgets) == (
            "accuracy drop 0.113 > 0.01",
            "p95 14.81 ms > 10 ms",
            "size 53,168 bytes > 50,000 bytes",
        )

    def test_figures_that_round_alike_are_told_apart(self) -> None:
        assert missed(measurement(p95=10.000123), Budgets(latency_p95_ms_max=10)) == (
            "p95 10.0001 ms > 10 ms",
        )
        assert missed(measurement(p50=0.00002), Budgets(latency_p50_ms_max=0.00001)) == (
            "p50 0.00002 ms > 0.00001 ms",
        )

    def test_a_drop_of_exactly_a_point_is_a_point_in_spite_of_floats(self) -> None:
        assert 0.91 - 0.9 > 0.01
        assert missed(measurement(accuracy=accuracy(0.9, 0.91)), Budgets(accuracy_drop_max=0.01)) == ()

    @pytest.mark.parametrize(
        ("budgets", "absent", "what"),
        [
            (Budgets(energy_mj_max=5), {"energy": None}, "energy"),
            (Budgets(accuracy_drop_max=0.5), {"accuracy": None}, "accuracy drop"),
            (Budgets(accuracy_drop_max=0.5), {"accuracy": accuracy(0.9, None)}, "accuracy drop"),
            (Budgets(peak_rss_bytes_max=10**9), {"peak_rss_bytes": None}, "memory"),
        ],
    )
    def test_what_was_not_measured_is_not_met(self, budgets: Budgets, absent: Any, what: str) -> None:
        (said,) = missed(measurement(**absent), budgets)
        assert said.startswith(f"{what} was not measured")

    def test_why_there_is_no_energy_is_told_with_it(self) -> None:
        (said,) = missed(measurement(energy_absent="the board has no meter"), Budgets(energy_mj_max=5))
        assert said == "energy was not measured, and the budget wants ≤ 5 mJ: the board has no meter"

    def test_zero_is_a_reading(self) -> None:
        assert missed(measurement(peak_rss_bytes=0), Budgets(peak_rss_bytes_max=1)) == ()
        assert missed(measurement(accuracy=accuracy(0.0, 0.0)), Budgets(accuracy_drop_max=0)) == ()

    def test_of_an_error_a_rise_is_the_drop(self) -> None:
        worse = measurement(accuracy=accuracy(0.30, 0.20, "mse"))
        assert missed(worse, Budgets(accuracy_drop_max=0.05), higher_is_better=False) == (
            "accuracy drop 0.1 > 0.05",
        )
        better = measurement(accuracy=accuracy(0.10, 0.20, "mse"))
        assert missed(better, Budgets(accuracy_drop_max=0.05), higher_is_better=False) == ()


class TestBest:
    """No other valid row of the target is better."""

    def best(self, *items: Measurement, **changes: Any) -> list[set[str]]:
        return [set(row.best) for row in rows(*items, **changes)]

    def test_each_column_on_its_own(self) -> None:
        fast = measurement("fast", p50=1, size_bytes=900, accuracy=accuracy(0.8))
        small = measurement("small", p50=2, size_bytes=500, accuracy=accuracy(0.9))
        assert self.best(fast, small) == [{"p50", "p95", "first"}, {"size", "accuracy"}]

    def test_equals_share_it_and_all_equal_is_no_best(self) -> None:
        a, b, c = (measurement(name, p50=p50) for name, p50 in (("a", 1), ("b", 1), ("c", 2)))
        assert self.best(a, b, c) == [{"p50", "p95", "first"}, {"p50", "p95", "first"}, set()]
        assert self.best(a, b) == [set(), set()]
        assert self.best(a) == [set()]

    def test_an_invalid_row_is_never_the_best_and_takes_it_from_nobody(self) -> None:
        wrong = measurement("wrong", p50=0.1, verdict="invalid", reasons=("the outputs differ",))
        a, b = measurement("a", p50=1), measurement("b", p50=2)
        assert self.best(wrong, a, b) == [set(), {"p50", "p95", "first"}, set()]

    def test_of_energies_the_lowest(self) -> None:
        few, many = (Energy(per_inference_mj=mj, gross_mj=mj, ci95_mj=(mj, mj)) for mj in (1.0, 2.0))
        found = self.best(measurement("a", energy=many), measurement("b", energy=few), measurement("c"))
        assert ["energy" in columns for columns in found] == [False, True, False]

    def test_targets_do_not_compete(self) -> None:
        slow = [measurement(name, p50=p50, target="pi3") for name, p50 in (("a", 10), ("b", 20))]
        fast = [measurement(name, p50=p50, target="x86") for name, p50 in (("a", 1), ("b", 2))]
        assert self.best(*slow, *fast) == [{"p50", "p95", "first"}, set()] * 2

    def test_absent_is_not_best(self) -> None:
        none = measurement("none", accuracy=None, peak_rss_bytes=None)
        one = measurement("one", accuracy=accuracy(0.1), peak_rss_bytes=5)
        two = measurement("two", accuracy=accuracy(0.2), peak_rss_bytes=4)
        assert self.best(none, one, two) == [set(), set(), {"accuracy", "memory"}]

    def test_of_an_error_the_lowest(self) -> None:
        a, b = (measurement(name, accuracy=accuracy(v, None, "mse")) for name, v in (("a", 0.1), ("b", 0.2)))
        assert self.best(a, b, higher_is_better=False) == [{"accuracy"}, set()]


class TestSpeedup:
    """Against the baseline on the same target, with as many threads."""

    def speedups(self, *items: Measurement) -> list[float | None]:
        return [row.speedup for row in rows(*items)]

    def test_the_baselines_median_over_this_ones(self) -> None:
        assert self.speedups(measurement("fp32", p50=3), measurement("int8", p50=1.5)) == [1, 2]

    def test_like_with_like(self) -> None:
        items = [
            measurement(name, p50=p50, threads=threads, target=target)
            for target, threads, pair in (("pi", 1, (8, 4)), ("pi", 4, (3, 2)), ("x86", 1, (2, 0.2)))
            for name, p50 in zip(("fp32", "int8"), pair, strict=True)
        ]
        assert self.speedups(*items) == [1, 2, 1, 1.5, 1, 10]

    def test_the_same_runtime_goes_before_another(self) -> None:
        tfr, litert = ("tflite-runtime", "2.14.0", None), ("litert", "2.3.0", None)
        items = [
            measurement(name, p50=p50, runtime=runtime)
            for name, runtime, p50 in (
                ("fp32", litert, 2), ("fp32", tfr, 4), ("int8", tfr, 20), ("int8", litert, 1),
            )
        ]  # fmt: skip
        assert self.speedups(*items) == [1, 1, 0.2, 2]
        ir = measurement("ir", p50=1, runtime=("openvino", "2026.4.1", None))
        assert self.speedups(*items, ir)[-1] == 2  # the first there is

    @pytest.mark.parametrize(
        "baseline",
        [
            [],
            [measurement("fp32", threads=4)],
            [measurement("fp32", target="x86")],
        ],
    )
    def test_none_without_such_a_baseline(self, baseline: list[Measurement]) -> None:
        assert self.speedups(*baseline, measurement("int8"))[-1] is None

    def test_a_valid_baseline_goes_before_one_that_is_not(self) -> None:
        doubtful = measurement("fp32", p50=8, verdict="invalid", reasons=("a busy board",))
        assert self.speedups(doubtful, measurement("int8", p50=2))[-1] == 4
        assert self.speedups(doubtful, measurement("fp32", p50=6), measurement("int8", p50=2))[-1] == 3


def test_the_change_is_against_the_float_model_on_the_host() -> None:
    found = rows(
        measurement(accuracy=accuracy(0.9, 0.5)),
        measurement(accuracy=accuracy(0.9, None)),
        measurement(accuracy=None),
    )
    assert [row.accuracy_change for row in found] == [0.4, None, None]


def test_the_order_is_kept_and_nothing_is_lost() -> None:
    items = [measurement(str(n), p50=p50) for n, p50 in enumerate((3, 1, 2))]
    assert [row.measurement for row in rows(*items)] == items
    assert rows() == []


def test_rows_of_an_emulated_board_are_compared_in_nothing_that_depends_on_speed() -> None:
    board = {"board": {"emulated": True}}
    slow, fast = (
        measurement(name, p50=p50, energy=energy(p50), size_bytes=size, conditions=board)
        for name, p50, size in (("slow", 9, 100), ("fast", 1, 200))
    )
    first, second = rows(slow, fast, baseline="slow")
    assert (first.speedup, second.speedup) == (None, None)
    assert (first.best, second.best) == ({"size"}, set())
    assert choice.least_energy([first, second]) is None
