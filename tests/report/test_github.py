"""Annotations of a workflow, escaped, and the step's summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from builders import earlier, measurement, run

from edgegreen.config.limitkeys import Budgets, Regression
from edgegreen.history import series
from edgegreen.judging import against, comparison
from edgegreen.judging.against import Source
from edgegreen.measurement import Failure
from edgegreen.report import github
from edgegreen.report.contents import Contents


def commands(*items: Any, **wanted: Any) -> list[str]:
    of = run(*items, **wanted)
    return github.commands(Contents(of, comparison.of(of), series.nowhere))


def test_each_row_and_failure_is_one_line() -> None:
    missing = measurement("fp32", p50=20, size_bytes=99)
    doubtful = measurement("int8", size_bytes=9, verdict="invalid", reasons=("a busy board", "50 % off"))
    lost = Failure(target="ssh://pi:22", variant="a", stage="measure", error="100 %\r\n::set-output::x")
    budgets = Budgets(size_bytes_max=10, latency_p50_ms_max=10**6)
    assert commands(missing, doubtful, failures=(lost,), budgets=budgets) == [
        "::error title=Budget missed%3A fp32 on pi5::size 99 bytes > 10 bytes",
        "::error title=Budget missed%3A int8 on pi5::p50 1 ms is within 1000000 ms, but not to be trusted",
        "::error title=Failed (measure)%3A a on ssh%3A//pi%3A22::100 %25�%0A::set-output::x",
        "::warning title=Not to be trusted%3A int8 on pi5::a busy board%0A50 %25 off",
    ]


def test_a_comma_does_not_end_the_title() -> None:
    items = [measurement("a", threads=n, verdict="invalid", reasons=("why",)) for n in (1, 4)]
    assert [line.split("::")[1] for line in commands(*items)] == [
        "warning title=Not to be trusted%3A a%2C 1 thread on pi5",
        "warning title=Not to be trusted%3A a%2C 4 threads on pi5",
    ]


def test_no_more_than_github_shows_and_the_last_names_the_others() -> None:
    items = [measurement(f"v{i}", size_bytes=99) for i in range(12)]
    told = commands(*items, budgets=Budgets(size_bytes_max=10))
    assert len(told) == 10
    assert told[-1] == (
        "::error title=And 3 more::Budget missed: v9 on pi5%0ABudget missed: v10 on pi5"
        "%0ABudget missed: v11 on pi5"
    )
    assert len(commands(*items[:10], budgets=Budgets(size_bytes_max=10))) == 10


def test_a_regression_and_what_was_not_compared_are_errors() -> None:
    before = earlier(measurement("a"), measurement("b"))
    after = run(measurement("a", p50=2.0), measurement("b", runtime=("litert", "2.4.0", "XNNPACK")))
    sides = Source(before, series.nowhere), Source(after, series.nowhere)
    found = against.compare(*sides, Regression(slower_max=0.1))
    assert github.commands(Contents(after, comparison.of(after), series.nowhere, found)) == [
        "::error title=Regression%3A a on pi5::p50 +100 %25, and the limit is +10 %25",
        "::error title=Not compared%3A b on pi5::not compared, as they differ in "
        "runtime: litert 2.3.0 + XNNPACK → litert 2.4.0 + XNNPACK",
    ]


def test_nothing_to_say() -> None:
    assert commands(measurement()) == []


def test_the_summary_is_appended(tmp_path: Path) -> None:
    place = tmp_path / "summary"
    place.write_text("before\n")
    github.summarize({"GITHUB_STEP_SUMMARY": str(place)}, "≤\n")
    github.summarize({}, "nowhere")
    assert place.read_text(encoding="utf-8") == "before\n≤\n"


def test_only_there() -> None:
    assert github.is_here({"GITHUB_ACTIONS": "true"})
    assert not github.is_here({})


def test_nothing_to_compare_with_is_an_error() -> None:
    after = run(measurement("b"))
    sides = Source(earlier(measurement("a")), series.nowhere), Source(after, series.nowhere)
    found = against.compare(*sides)
    assert github.commands(Contents(after, comparison.of(after), series.nowhere, found)) == [
        "::error title=Not compared::no trial in common with run 20261121-040000-abc122 (variants: a → b)"
    ]
