"""Several runs a side, pooled as starts of the same trials; what keeps them from it; accuracy likewise."""

from __future__ import annotations

import pytest
from builders import accuracy, earlier, measurement, metered, run

from edgegreen.config.limitkeys import Regression
from edgegreen.errors import InputError
from edgegreen.history.series import nowhere
from edgegreen.judging import against
from edgegreen.judging.against import Source
from edgegreen.judging.compared import Against
from edgegreen.measurement import ArtifactUsed, Measurement, Run

NOWHERE = nowhere


def kept(number: int, *items: Measurement) -> Run:
    return run(*items).model_copy(update={"run_id": f"20261122-0{number}0000-abc123"})


def side(first: int, *starts: Measurement | tuple[Measurement, ...]) -> Source:
    """A run for each start; their numbers begin at `first`."""
    runs = [
        kept(first + index, *(one if isinstance(one, tuple) else (one,))) for index, one in enumerate(starts)
    ]
    return Source(runs[0], NOWHERE, again=tuple(runs[1:]))


def paced(*medians_ms: float) -> list[Measurement]:
    return [measurement(p50=p50) for p50 in medians_ms]


def test_starts_that_differ_more_than_their_noise_are_no_difference() -> None:
    alone = against.compare(side(1, *paced(1.0)), side(4, *paced(1.07))).trials[0]
    assert alone.latency is not None
    assert alone.latency.word == "slower"
    found = against.compare(side(1, *paced(1.0, 1.08, 0.97)), side(4, *paced(1.07, 0.98, 1.03)))
    (one,) = found.trials
    assert one.latency is not None
    assert (one.latency.word, one.latency.by) == ("no difference seen", "starts")
    assert one.latency.ci95[0] < 0.95
    assert one.latency.ci95[1] > 1.05
    assert one.notes == ("starts that are pooled: 3 before, 3 now",)
    assert found.before.more == ("20261122-020000-abc123", "20261122-030000-abc123")
    assert Against.model_validate_json(found.to_json()) == found


def test_what_is_beyond_them_is_seen() -> None:
    (one,) = against.compare(side(1, *paced(1.0, 1.02, 0.99)), side(4, *paced(1.3, 1.33, 1.31))).trials
    assert one.latency is not None
    assert one.latency.word == "slower"
    assert one.latency.ratio == pytest.approx(1.31, abs=0.01)


def test_energies_of_the_starts_that_have_one() -> None:
    then, now = [metered(mj=mj) for mj in (4.0, 4.1)], [metered(mj=2.0), metered(mj=2.1), measurement(p50=10)]
    (one,) = against.compare(side(1, *then), side(4, *now)).trials
    assert one.energy is not None
    assert (one.energy.word, one.energy.by) == ("less", "starts")
    assert "energy is that of some starts only: 2 before, 2 now" in one.notes


def test_one_start_that_is_not_to_be_trusted_spoils_the_word() -> None:
    hot = measurement(p50=9.0, verdict="invalid", reasons=("throttled",))
    (one,) = against.compare(side(1, *paced(1.0, 1.0)), side(4, *paced(2.0), hot)).trials
    assert one.latency is not None
    assert one.latency.word == "not to be trusted"
    assert one.doubts == ("now, throttled",)


def test_what_are_no_starts_of_the_same_needs_force() -> None:
    other = ArtifactUsed(sha256="ab" * 32, size_bytes=1, compressed_bytes=1, built_by="test 1.0")
    newer = measurement(runtime=("litert", "2.4.0", "XNNPACK"), artifact=other)
    sides = side(1, measurement(), newer), side(4, measurement())
    (one,) = against.compare(*sides).trials
    assert not one.compared
    assert [str(difference) for difference in one.differences] == [
        "runtime among the runs before: litert 2.3.0 + XNNPACK → litert 2.4.0 + XNNPACK",
        "model file among the runs before: 5f5f5f5f5f5f → abababababab",
    ]
    assert against.compare(*sides, force=True).trials[0].latency is not None


def test_a_trial_that_one_of_the_runs_lacks_has_fewer_starts() -> None:
    before = side(1, measurement("a"), (measurement("a"), measurement("b")))
    found = against.compare(before, side(4, (measurement("a"), measurement("b"))))
    assert {one.variant: one.notes[0] for one in found.trials} == {
        "a": "starts that are pooled: 2 before, 1 now",
        "b": "starts that are pooled: 1 before, 1 now",
    }
    assert {one.variant: one.latency.by for one in found.trials if one.latency} == {
        "a": "starts",
        "b": "intervals",
    }


def test_a_run_counts_once() -> None:
    with pytest.raises(InputError, match="run 20261122-010000-abc123 is named twice"):
        against.compare(side(1, *paced(1.0, 1.0)), side(1, *paced(1.0)))


def test_the_limits_are_those_of_the_run_after() -> None:
    strict = Source(run(metered(ips=80), regression=Regression(slower_max=0.1)), NOWHERE)
    lax = Source(earlier(metered(ips=100), regression=Regression(slower_max=9)), NOWHERE)
    assert against.compare(lax, strict).missed
    assert not against.compare(strict, lax).missed
    assert not against.compare(lax, strict, Regression()).missed


@pytest.mark.parametrize(
    ("then", "now", "word"),
    [
        (accuracy(0.902), accuracy(0.899), "no difference seen"),
        (accuracy(0.902), accuracy(0.852), "worse"),
        (accuracy(0.852, metric="top5"), accuracy(0.902, metric="top5"), "better"),
    ],
)
def test_how_sure_a_change_of_accuracy_is(then: object, now: object, word: str) -> None:
    (one,) = against.compare(side(1, measurement(accuracy=then)), side(2, measurement(accuracy=now))).trials
    assert one.accuracy_seen is not None
    assert one.accuracy_seen.word == word
    assert 0.02 < one.accuracy_seen.detectable < 0.06


def test_accuracy_without_an_interval_says_why_and_doubted_outputs_have_no_word() -> None:
    errors = [measurement(accuracy=accuracy(value, metric="mse")) for value in (0.1, 0.2)]
    (one,) = against.compare(side(1, errors[0]), side(2, errors[1])).trials
    assert one.accuracy_seen is None
    assert "mse has no interval of its change, as the samples' own scores are not kept" in one.notes
    (same,) = against.compare(side(1, errors[0]), side(2, errors[0])).trials
    assert not any("mse" in note for note in same.notes)
    doubted = measurement(conditions={"outputs_doubted": "they are not the host's"}, accuracy=accuracy(0.1))
    (other,) = against.compare(side(1, measurement()), side(2, doubted), force=True).trials
    assert other.accuracy_seen is not None
    assert other.accuracy_seen.word == "not to be trusted"
