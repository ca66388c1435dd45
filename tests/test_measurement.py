"""The statistics of a reading, and the JSON contract (schema 1)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import executed, measurement, run
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edgegreen.measurement import (
    Energy,
    Failure,
    Latency,
    OperatorTime,
    Power,
    Profile,
    Run,
    Tuning,
    median_interval,
)

Series = np.ndarray[Any, Any]


def brute_percentile(times: list[int], share: float) -> float:
    """Linear between order statistics, in milliseconds."""
    ordered = sorted(times)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return (ordered[low] + (ordered[high] - ordered[low]) * (position - low)) / 1e6


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 10**10), min_size=2, max_size=300))
def test_latency_is_what_its_names_say(times: list[int]) -> None:
    found = Latency.of(np.array(times, np.uint64))
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)):
        assert getattr(found, name) == pytest.approx(brute_percentile(times, share))
    mean = sum(times) / len(times)
    assert found.mean == pytest.approx(mean / 1e6)
    assert found.stdev == pytest.approx(
        math.sqrt(sum((t - mean) ** 2 for t in times) / (len(times) - 1)) / 1e6
    )
    assert (found.min, found.max, found.n) == (min(times) / 1e6, max(times) / 1e6, len(times))
    assert found.min <= found.p50 <= found.p90 <= found.p95 <= found.p99 <= found.max
    assert found.ci95[0] <= found.p50 <= found.ci95[1]


def test_milliseconds_to_the_nanosecond() -> None:
    assert Latency.of(np.array([2**53 + 1, 2**53 + 1], np.int64)).p50 == pytest.approx(
        (2**53 + 1) / 1e6, rel=1e-15
    )
    assert Latency.of(np.array([64_123, 64_123], np.uint32)).p50 == 0.064123


def ar1(rng: np.random.Generator, n: int, phi: float) -> Series:
    """Each value remembers the last: a machine whose speed drifts."""
    noise = rng.normal(size=n + 100)
    values = np.empty_like(noise)
    values[0] = noise[0]
    for index in range(1, len(noise)):
        values[index] = phi * values[index - 1] + noise[index]
    return values[100:]


def coverage(draw: Callable[[np.random.Generator], Series], true: float, repeats: int = 400) -> float:
    """Share of intervals that hold the true median. Seeded: the same on every machine."""
    rng = np.random.default_rng(20261122)
    intervals = (median_interval(draw(rng)) for _ in range(repeats))
    return sum(low <= true <= high for low, high in intervals) / repeats


class TestMedianInterval:
    """95 % of the intervals hold the true median; 400 draws tell that from 91 or 99 %."""

    @pytest.mark.parametrize("n", [50, 99, 100, 1000])
    def test_independent_calls(self, n: int) -> None:
        assert 0.92 <= coverage(lambda rng: rng.lognormal(size=n), 1.0) <= 0.985

    def test_skewed_calls(self) -> None:
        assert 0.92 <= coverage(lambda rng: rng.exponential(size=500), math.log(2)) <= 0.985

    def test_calls_that_depend_on_each_other(self) -> None:
        # A naive interval, from n as if independent, would hold the truth in about half of the draws.
        assert 0.92 <= coverage(lambda rng: ar1(rng, 2000, 0.8), 0.0, repeats=200) <= 0.985

    def test_it_narrows_as_calls_are_added(self) -> None:
        rng = np.random.default_rng(0)
        widths = [np.subtract(*reversed(median_interval(rng.normal(size=n)))) for n in (60, 600, 60_000)]
        assert widths == sorted(widths, reverse=True)
        assert widths[-1] < 0.05

    def test_a_drift_widens_it(self) -> None:
        noise = np.random.default_rng(0).normal(size=1000) / 100
        still, drifting = median_interval(noise), median_interval(noise + np.linspace(0, 1, 1000))
        assert drifting[1] - drifting[0] > 10 * (still[1] - still[0])

    def test_few_calls(self) -> None:
        assert median_interval(np.array([2.0, 1.0])) == (1.0, 2.0)
        assert median_interval(np.full(50, 3.0)) == (3.0, 3.0)
        assert median_interval(np.full(500, 3.0)) == (3.0, 3.0)


LATENCY = {"p50", "p90", "p95", "p99", "mean", "stdev", "min", "max", "n", "ci95"}
# The contract, from the design: what scripts read.
RESULT: dict[str, set[str] | None] = {
    "variant": None, "target": None, "format": None, "precision": None,
    "runtime": {"name", "version", "delegate", "fell_back"}, "threads": None,
    "tuning": {"governor", "power_mode"},
    "artifact": {"sha256", "size_bytes", "compressed_bytes", "built_by", "mixed", "compilation"},
    "latency_ms": LATENCY, "end_to_end_ms": LATENCY, "load_ms": None, "first_inference_ms": None,
    "throughput_ips": None, "peak_rss_bytes": None,
    "accuracy": {"metric", "value", "n", "baseline", "change_ci95"},
    "power": {"source", "rail", "scope", "idle_w", "active_w", "n", "n_effective"},
    "energy": {"per_inference_mj", "gross_mj", "ci95_mj"}, "energy_absent": None,
    "conditions": {"board"}, "verdict": None, "reasons": None,
    "execution": {"operators", "delegated", "compute", "conversions", "kinds"},
    "profile": {"runs", "call_ms", "operators_ms", "operators"}, "passes": None,
}  # fmt: skip
FULL = measurement(
    power=Power(
        source="ina3221", rail="VDD_IN", scope="module", idle_w=2, active_w=5, n=140, n_effective=120.5
    ),
    energy=Energy(per_inference_mj=1.5, gross_mj=2.5, ci95_mj=(1.4, 1.6)),
    energy_absent=None,
    conditions={"board": {"machine": "aarch64"}},
    execution=executed(("CONV_2D", "i8", True, 5), ("SOFTMAX", None, False, 1)),
    profile=Profile(
        runs=10,
        call_ms=1.0,
        operators_ms=0.5,
        operators=(OperatorTime(name="conv", type="Convolution", precision="i8", ms=0.5, share=0.5),),
    ),
    tuning=Tuning(governor="powersave"),
)
FAILED = Failure(target="pi5", variant="lean", stage="measure", error="it died", exit_code=5)


class TestJson:
    """Schema 1."""

    def test_exactly_the_keys_of_the_contract(self) -> None:
        document = json.loads(run(FULL, failures=(FAILED,)).to_json())
        assert set(document) == {
            "schema",
            "run_id",
            "recipe",
            "started_at",
            "edgegreen",
            "results",
            "failures",
            "baseline",
            "higher_is_better",
            "budgets",
            "regression",
            "footprint",
            "origin",
            "planned",
        }
        assert document["schema"] == 1
        result = document["results"][0]
        assert set(result) == set(RESULT)
        for key, inner in RESULT.items():
            if inner is not None:
                assert set(result[key]) == inner, key
        assert document["failures"] == [
            {"target": "pi5", "variant": "lean", "stage": "measure", "error": "it died", "setting": None}
        ]

    def test_what_is_absent_is_null_and_stands_there(self) -> None:
        bare = measurement(
            accuracy=None, peak_rss_bytes=None, precision=None, runtime=("openvino", "2026", None)
        )
        result = json.loads(run(bare).to_json())["results"][0]
        assert set(result) == set(RESULT)
        for key in (
            "accuracy",
            "peak_rss_bytes",
            "precision",
            "tuning",
            "power",
            "energy",
            "execution",
            "profile",
        ):
            assert result[key] is None
        assert result["runtime"]["delegate"] is None

    def test_read_back_it_is_the_same_run(self) -> None:
        before = run(FULL, measurement(accuracy=None), failures=(FAILED,))
        after = Run.model_validate_json(before.to_json())
        assert after.results == before.results
        assert after.started_at == before.started_at
        assert after.to_json() == before.to_json()

    def test_times_are_to_the_bit(self) -> None:
        before = measurement(latency_ms=Latency.of(np.array([1, 3, 7], np.int64)), load_ms=0.1 + 0.2)
        after = Run.model_validate_json(run(before).to_json()).results[0]
        assert after == before

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_what_json_does_not_have_is_no_reading(self, value: float) -> None:
        for field in ("load_ms", "first_inference_ms", "throughput_ips"):
            with pytest.raises(ValidationError, match="finite"):
                measurement(**{field: value})
        with pytest.raises(ValidationError, match="finite"):
            measurement(accuracy={"metric": "mse", "value": value, "n": 1, "baseline": None})

    def test_the_text_is_strict_json_whatever_the_conditions_hold(self) -> None:
        text = run(measurement(conditions={"sqnr_db": math.inf, "load": math.nan})).to_json()
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"schema": 2}, "Input should be 1"),
            ({"results": [{}]}, "Field required"),
            ({"extra": 1}, "Extra inputs"),
        ],
    )
    def test_another_schema_is_not_misread(self, change: dict[str, Any], reason: str) -> None:
        document = json.loads(run(FULL).to_json()) | change
        with pytest.raises(ValidationError, match=reason):
            Run.model_validate(document)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        FULL.load_ms = 0.0  # type: ignore[misc]
