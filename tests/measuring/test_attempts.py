"""Repeating what may have been spoilt by chance; the measuring itself is stood in for."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from builders import measurement

from edgegreen.client import Job
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.errors import DeviceError
from edgegreen.history.series import Series
from edgegreen.measurement import Measurement
from edgegreen.measuring import attempts
from edgegreen.measuring.attempts import Attempt, Station
from edgegreen.measuring.results import Result
from edgegreen.plan import Trial


class Outcome:
    """An Evaluation that went well; nothing else of it is asked here."""

    error = None


class Case:
    """Trials that end as told, one after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: tuple[str, ...] | Exception) -> None:
        self.ends, self.notes = list(ends), list[str]()
        self.evaluated: list[bool] = []
        self.kept: list[Measurement] = []
        monkeypatch.setattr(attempts, "_once", self.once)

    def once(self, _at: Station, attempt: Attempt, job: Job) -> Result:
        self.evaluated.append(job.evaluate)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        made = measurement(p50=1.0 + len(self.ends), reasons=end, verdict="invalid" if end else "valid")
        behind = Series(np.array([len(self.ends)]), np.empty(0), {})
        return Result(made, behind, tuple(reason for reason in end if reason not in self.lasting))

    def run(self, retry_invalid: int, *lasting: str) -> Measurement:
        self.lasting = lasting
        job = Job("litert", ("m",), 1, (0,), (0,), 0.5, 10, 1.0, 50, "x.npz", True, 0.0, None)
        trial = cast("Trial", type("T", (), {"variant_name": "int8"}))
        attempt = Attempt(
            trial, cast("Any", None), job, cast("Any", Outcome()),
            Benchmark(retry_invalid=retry_invalid), lambda *_: None, self.notes.append,
        )  # fmt: skip
        attempts.measure(cast("Station", None), attempt, self.keep)
        (kept,) = self.kept
        return kept

    def keep(self, item: Measurement, behind: Series) -> None:
        assert item.latency_ms.p50 == 1.0 + behind.invoke_ns[0]  # the series are those of the one kept
        self.kept.append(item)


def test_a_good_reading_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch, ())
    assert "attempts" not in case.run(5).conditions
    assert case.notes == []


def test_a_spoilt_one_is_until_it_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch, ("throttled", "busy"), ("busy",), (), ())
    kept = case.run(5)
    assert kept.verdict == "valid"
    assert [(one["reasons"], one["kept"]) for one in kept.conditions["attempts"]] == [
        (("throttled", "busy"), False), (("busy",), False), ((), True),
    ]  # fmt: skip
    assert case.notes == ["int8: throttled; measuring again (1)", "int8: busy; measuring again (2)"]
    assert case.evaluated == [True, False, False]  # the outputs were seen


def test_the_best_is_kept_when_none_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Case(monkeypatch, ("a", "b"), ("b",), ("b", "c")).run(2)
    assert kept.reasons == ("b",)
    assert [one["kept"] for one in kept.conditions["attempts"]] == [False, True, False]


def test_what_chance_does_not_mend_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch, ("outputs differ",), ())
    assert case.run(5, "outputs differ").verdict == "invalid"
    assert len(case.ends) == 1


def test_a_repetition_that_fails_costs_itself_only(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch, ("busy",), DeviceError("it died"))
    with pytest.raises(DeviceError, match="it died"):
        case.run(1)
    assert [one.reasons for one in case.kept] == [("busy",)]
