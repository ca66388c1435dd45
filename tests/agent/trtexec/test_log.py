"""What trtexec prints: every recorded log, and what is left of them when they are cut short or garbled."""

from __future__ import annotations

from itertools import chain

import pytest
from fake_trtexec import FIXTURES
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent.trtexec import log

LOGS = sorted(FIXTURES.glob("*.log")) + sorted(FIXTURES.glob("*.txt"))


def lines(name: str) -> list[str]:
    return (FIXTURES / name).read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("run-7.1.log", None), ("run-8.2.log", "8.2.1"), ("run-10.3.log", "10.3.0"),
        ("help-8.5.txt", "8.5.3"), ("help-11.1.txt", "11.1.0"),
    ],
)  # fmt: skip
def test_version(name: str, told: str | None) -> None:
    assert log.version(lines(name)) == told


def test_summary_of_each_generation() -> None:
    newest = log.summary(lines("run-10.3.log"))
    assert newest["Throughput"] == {"qps": 1574.34}
    assert newest["Latency"]["percentile(90%)"] == 1.0
    assert newest["Latency"]["min"] == 0.94249
    assert set(newest) >= {"Latency", "Enqueue Time", "H2D Latency", "GPU Compute Time", "D2H Latency"}
    older = log.summary(lines("run-8.2.log"))
    assert older["Latency"] == {
        "min": 13.7, "max": 14.9, "mean": 13.8, "median": 13.8, "percentile(99%)": 14.8,
    }  # fmt: skip
    assert older["End-to-End Host Latency"]["median"] == 13.8
    oldest = log.summary(lines("run-7.1.log"))
    assert oldest["Latency"] == {"min": 1.64, "max": 6.29, "mean": 1.66, "median": 1.65}
    assert oldest["GPU Compute Time"]["median"] == 1.55
    assert oldest["Throughput"] == {"qps": 604.2}


def test_a_build_from_its_lines() -> None:
    for name, seconds in (("build-8.2.log", 19.2), ("build-10.3.log", 37.6)):
        told = lines(name)
        parsed = next(number for number, line in enumerate(told) if "] Finish" in line)
        assert {log.stage(told[:parsed]), log.stage([])} == {"parse"}
        assert log.stage(told[: parsed + 1]) == log.stage(told) == "build"
        assert log.took_s(told, "built") == seconds
        assert log.passed(told)
        assert log.reason(told) is None
    assert log.took_s(lines("run-10.3.log"), "deserialized") == 0.0318
    assert log.took_s(lines("run-8.2.log"), "deserialized") is None


@pytest.mark.parametrize(
    ("name", "reason", "memory"),
    [
        ("no-operator-8.log", "TensorRT has no operator `GridSample`", False),
        ("no-operator-10.log", "TensorRT cannot read the model's node 7 (`MyOp`)", False),
        ("out-of-memory-10.log", "Error[1]: [defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime "
         "(out of memory)", True),
        ("old-engine-8.log", "Error[1]: [stdArchiveReader.cpp::StdArchiveReader::32] Error Code 1: ", False),
    ],
)  # fmt: skip
def test_why_it_failed(name: str, reason: str, memory: bool) -> None:
    told = lines(name)
    assert not log.passed(told)
    assert (log.reason(told) or "").startswith(reason)
    assert log.wants_memory(told) is memory


def test_a_plugin_that_was_found_is_no_missing_operator() -> None:
    found = "[11/22/2026-14:01:03] [I] [TRT] No importer registered for op: TRTBatchedNMS. Attempting to …"
    wrong = "[11/22/2026-14:01:03] [E] [TRT] Assertion failed: some other thing"
    assert log.reason([found, wrong]) == "Assertion failed: some other thing"
    assert log.reason([found]) is None


def test_general_complaints_are_better_than_none() -> None:
    assert log.reason(["[E] Engine set up failed"]) == "Engine set up failed"


def understood(told: list[str]) -> None:
    """Ask everything of these lines; whatever they are, there is an answer and no exception."""
    log.version(told)
    log.passed(told)
    log.took_s(told, "built")
    log.wants_memory(told)
    assert log.reason(told) != ""
    assert all(isinstance(value, float) for part in log.summary(told).values() for value in part.values())
    assert log.stage(told) in ("parse", "build")


@given(st.sampled_from(LOGS), st.data())
def test_recorded_logs_cut_and_garbled(path, data) -> None:
    text = path.read_text()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    noise = data.draw(st.text(max_size=20))
    understood((text[:start] + noise + text[end:]).splitlines())


@given(st.lists(st.text(max_size=120), max_size=20), st.sampled_from(LOGS))
def test_anything_at_all(made: list[str], path) -> None:
    recorded = path.read_text().splitlines()
    understood(list(chain.from_iterable(zip(made, recorded, strict=False))))
