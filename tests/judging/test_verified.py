"""A run and its repetition: what reproduces, what does not, what cannot be told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import BOARD, accuracy, earlier, latency, measurement, metered, run

from edgegreen.history.series import nowhere
from edgegreen.judging import verified
from edgegreen.judging.against import Source
from edgegreen.judging.verified import Check, Verified
from edgegreen.measurement import ArtifactUsed, Latency, Measurement

NOWHERE = nowhere
OTHER_FILE = ArtifactUsed(sha256="ab" * 32, size_bytes=53_168, compressed_bytes=26_584, built_by="test 1.0")
EMULATED = {"conditions": {"board": BOARD | {"emulated": True}}}


def found(
    before: Measurement, *after: Measurement, more: tuple[Measurement, ...] = (), **how: Any
) -> Verified:
    return verified.of(Source(earlier(before, *more), NOWHERE), Source(run(*after), NOWHERE), **how)


def checks(before: Measurement, after: Measurement, **how: Any) -> dict[str, Check]:
    (trial,) = found(before, after, **how).trials
    return {check.what: check for check in trial.checks}


def wide(p50: float) -> Latency:
    """A median that may as well be a quarter more or less."""
    return latency(p50).model_copy(update={"ci95": (p50 * 0.75, p50 * 1.25)})


def test_the_same_again() -> None:
    result = found(metered(), metered())
    (trial,) = result.trials
    assert result.reproduces is trial.reproduces is True
    assert [(one.what, one.word) for one in trial.checks] == [
        ("file", "the same file"), ("accuracy", "equal"), ("p50", "within 5 %"), ("energy", "within 5 %"),
    ]  # fmt: skip


def test_another_file() -> None:
    result = found(measurement(), measurement(artifact=OTHER_FILE))
    assert result.reproduces is False
    file = result.trials[0].checks[0]
    assert (file.what, file.reproduces, file.files) == ("file", False, ("5f" * 32, "ab" * 32))


@pytest.mark.parametrize(
    ("metric", "now", "word", "reproduces"),
    [
        ("top1", 0.902, "equal", True),
        ("top1", 0.902 - 1 / 900, "one sample fell the other way", True),
        ("top1", 0.902 + 2 / 900, "outputs differ", False),
        ("mse", 0.902 * (1 + 5e-5), "equal but for rounding", True),
        ("mse", 0.902 * (1 + 5e-4), "outputs differ", False),
    ],
)
def test_accuracy(metric: str, now: float, word: str, reproduces: bool) -> None:
    before, after = (measurement(accuracy=accuracy(value, metric=metric)) for value in (0.902, now))
    check = checks(before, after)["accuracy"]
    assert (check.word, check.reproduces, check.values) == (word, reproduces, (0.902, now))


def test_no_evaluation_data_then_and_now_is_nothing_to_check() -> None:
    assert "accuracy" not in checks(measurement(accuracy=None), measurement(accuracy=None))
    assert checks(measurement(), measurement(accuracy=None))["accuracy"].reproduces is None


@pytest.mark.parametrize(
    ("p50", "within", "word", "reproduces"),
    [
        (1.04, 0.05, "within 5 %", True),
        (1 / 1.04, 0.05, "within 5 %", True),
        (1.04, 0.01, "slower", False),
        (1.08, 0.05, "slower", False),
        (0.9, 0.05, "faster", False),
        (1.08, 0.1, "within 10 %", True),
    ],
)
def test_latency(p50: float, within: float, word: str, reproduces: bool) -> None:
    check = checks(measurement(), measurement(p50=p50), within=within)["p50"]
    assert (check.word, check.reproduces) == (word, reproduces)


def test_an_interval_that_holds_1_is_no_difference() -> None:
    check = checks(measurement(latency_ms=wide(1.0)), measurement(latency_ms=wide(1.2)))["p50"]
    assert (check.word, check.reproduces) == ("within its interval", True)


def test_energy() -> None:
    assert checks(metered(mj=4, half=0.05), metered(mj=5, half=0.05))["energy"].word == "more"
    assert checks(metered(), measurement(p50=10))["energy"].reproduces is None


@pytest.mark.parametrize(
    "after",
    [
        measurement(verdict="invalid", reasons=("throttled",)),
        measurement(runtime=("litert", "2.4.0", "XNNPACK")),
    ],
)
def test_what_cannot_be_compared(after: Measurement) -> None:
    result = found(measurement(), after)
    assert result.reproduces is None
    assert {check.what: check.reproduces for check in result.trials[0].checks}["p50"] is None


def test_a_difference_is_compared_by_force() -> None:
    assert found(measurement(), measurement(threads=4), force=True).reproduces is True


def test_another_file_is_said_though_the_rest_cannot_be_told() -> None:
    assert found(measurement(), measurement(threads=4, artifact=OTHER_FILE)).reproduces is False


def test_a_trial_that_could_not_be_repeated() -> None:
    result = found(measurement(), measurement(), more=(measurement("lost"),))
    assert result.reproduces is None
    assert [one.variant for one in result.absent] == ["lost"]


def test_an_emulated_board_has_files_and_accuracies() -> None:
    assert set(checks(measurement(**EMULATED), measurement(p50=9.0, **EMULATED))) == {"file", "accuracy"}


def test_json() -> None:
    told = json.loads(found(measurement(), measurement(p50=2.0)).to_json())
    assert (told["schema"], told["within"], told["reproduces"]) == (1, 0.05, False)
    assert [check["what"] for check in told["trials"][0]["checks"]] == ["file", "accuracy", "p50"]
    assert told["trials"][0]["compared"]["latency"]["ratio"] == pytest.approx(2.0)
