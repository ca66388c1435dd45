"""One run against another: by which figures, in which words, and what is held to a limit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import BOARD, accuracy, earlier, latency, measurement, metered, run

from edgegreen.config.limitkeys import Regression
from edgegreen.errors import InputError
from edgegreen.history import series
from edgegreen.history.series import Series
from edgegreen.judging import against, changes
from edgegreen.judging.against import Source
from edgegreen.judging.compared import EMULATED, Against, Compared
from edgegreen.measurement import Latency, Measurement, Origin


def source(folder: Path, *items: Measurement, calls: dict[str, Any] | None = None) -> Source:
    """A run of these; the times of calls of its variants are kept where they are given."""
    for item in items:
        if calls and item.variant in calls:
            times = calls[item.variant]
            series.save(folder, item, Series(times, times, {}))
    made = earlier if folder.name == "a" else run
    return Source(made(*items), series.in_folder(folder))


def compared(before: Measurement, after: Measurement, **limits: float) -> Compared:
    sides = Source(earlier(before), series.nowhere), Source(run(after), series.nowhere)
    found = against.compare(*sides, Regression(**limits))
    (one,) = found.trials
    return one


def timed(seed: int, scale: float = 1.0) -> tuple[Measurement, Any]:
    times = (1e6 * scale * np.exp(0.05 * np.random.default_rng(seed).standard_normal(2000))).astype(np.int64)
    return measurement(latency_ms=Latency.of(times)), times


def both(tmp_path: Path, scale: float) -> Compared:
    (one, one_times), (two, two_times) = timed(1), timed(2, scale)
    found = against.compare(
        source(tmp_path / "a", one, calls={one.variant: one_times}),
        source(tmp_path / "b", two, calls={two.variant: two_times}),
    )
    return found.trials[0]


@pytest.mark.parametrize(("scale", "word"), [(0.97, "faster"), (1.0, "no difference seen"), (1.03, "slower")])
def test_by_the_calls_where_they_are_kept(tmp_path: Path, scale: float, word: str) -> None:
    one = both(tmp_path, scale)
    assert one.latency is not None
    assert (one.latency.word, one.latency.by) == (word, "calls")
    assert one.latency.ratio == pytest.approx(scale, abs=0.005)
    assert one.latency.ci95[0] <= scale <= one.latency.ci95[1]
    assert one.latency.detectable < 0.015
    assert one.notes == (() if word == "no difference seen" else (against.SAME_FILE,))


def spoil(folder: Path, item: Measurement) -> None:
    (folder / series.name_of(item)).write_bytes(b"PK\x03\x04 cut")


def of_another(folder: Path, item: Measurement) -> None:
    times = timed(7, 3.0)[1]
    series.save(folder, item, Series(times, times, {}))


def too_few(folder: Path, item: Measurement) -> None:
    series.save(folder, item, Series(np.array([1, 2]), np.array([1, 2]), {}))


@pytest.mark.parametrize("happened", [spoil, of_another, too_few])
def test_by_the_intervals_where_they_are_not(tmp_path: Path, happened: Any) -> None:
    item, times = timed(1)
    whole = source(tmp_path / "a", item, calls={item.variant: times})
    other = source(tmp_path / "b", item, calls={item.variant: times})
    happened(tmp_path / "b", item)
    (one,) = against.compare(whole, other).trials
    assert one.latency is not None
    assert (one.latency.word, one.latency.by) == ("no difference seen", "intervals")
    assert one.notes == (
        "p50 by the intervals of both medians: the times of single calls are not kept, or too few",
    )


def test_energy_by_its_intervals() -> None:
    less = compared(metered(mj=4.0), metered(mj=3.0)).energy
    assert less is not None
    assert (less.word, less.ratio, less.by) == ("less", 0.75, "intervals")
    alike = compared(metered(mj=4.0), metered(mj=4.1)).energy
    assert alike is not None
    assert alike.word == "no difference seen"


def test_energy_that_one_run_lacks_or_cannot_be_told_from_nothing() -> None:
    one = compared(metered(), measurement(p50=10.0))
    assert one.energy is None
    assert "energy is that of the run before only: no meter" in one.notes
    one = compared(metered(), metered(mj=0.1, half=0.3))
    assert one.energy is None
    assert "energy has no ratio: it cannot be told from nothing in one of the runs" in one.notes


def test_an_invalid_row_is_never_faster_or_slower() -> None:
    hot = {"verdict": "invalid", "reasons": ("throttled",)}
    for before, after in (({}, hot), (hot, {})):
        one = compared(metered(ips=100, **before), metered(ips=300, mj=1.0, **after))
        assert one.latency
        assert one.energy
        assert {one.latency.word, one.energy.word} == {"not to be trusted"}
        assert one.doubts == (("now" if after else "before") + ", throttled",)


def test_an_emulated_board_has_no_speed() -> None:
    item = metered(conditions={"board": BOARD | {"emulated": True}})
    one = compared(item, item.model_copy(update={"latency_ms": latency(9.0)}), slower_max=0.0)
    assert (one.latency, one.energy, one.missed) == (None, None, ())
    assert one.notes == (EMULATED,)
    assert one.compared


def test_another_target_is_told_though_it_is_the_same_board() -> None:
    moved = compared(measurement(target="local"), measurement(target="my-pi"))
    assert moved.compared
    assert "before on local, now on my-pi: another target" in moved.notes
    assert not any("another target" in one for one in compared(measurement(), measurement()).notes)


def test_what_differs_is_not_compared_without_force() -> None:
    sides = [Source(made(measurement(threads=n)), series.nowhere) for made, n in ((earlier, 1), (run, 4))]
    found = against.compare(*sides, Regression(slower_max=0.0, accuracy_drop_max=0.0))
    assert found.withheld
    assert (found.trials[0].latency, found.trials[0].missed) == (None, ())
    forced = against.compare(*sides, force=True)
    assert not forced.withheld
    assert forced.trials[0].latency is not None
    assert [str(one) for one in forced.trials[0].differences] == ["threads: 1 → 4"]


def test_accuracy_and_size_are_differences() -> None:
    one = compared(
        measurement(accuracy=accuracy(0.90), size_bytes=100),
        measurement(accuracy=accuracy(0.91), size_bytes=90),
    )
    assert one.size_change_bytes == -10
    assert one.accuracy_change == pytest.approx(0.01)
    assert compared(measurement(), measurement(accuracy=None)).accuracy_change is None
    assert compared(measurement(), measurement(accuracy=accuracy(0.2, metric="mse"))).accuracy_change is None


@pytest.mark.parametrize(
    ("after", "limits", "missed"),
    [
        (metered(ips=90), {"slower_max": 0.05}, ("p50 +11.1 %, and the limit is +5 %",)),
        (metered(ips=96), {"slower_max": 0.05}, ()),
        (metered(mj=5), {"energy_more_max": 0.2}, ("energy +25 %, and the limit is +20 %",)),
        (metered(mj=4.2), {"energy_more_max": 0.01}, ()),  # more than the limit, but not seen to be more
        (
            measurement(p50=10.0),
            {"energy_more_max": 1.0},
            ("energy was not compared, and the limit is +100 %",),
        ),
        (
            metered(accuracy=accuracy(0.88)),
            {"accuracy_drop_max": 0.02},
            ("accuracy dropped by 0.022, and the limit is 0.02",),
        ),
        (metered(accuracy=accuracy(0.882)), {"accuracy_drop_max": 0.02}, ()),
        (
            metered(accuracy=None),
            {"accuracy_drop_max": 1.0},
            ("accuracy was not compared, and the limit of its drop is 1",),
        ),
        (
            metered(verdict="invalid", reasons=("hot",)),
            {"slower_max": 1.0},
            ("p50 is not to be trusted, and the limit is +100 %",),
        ),
    ],
)
def test_limits(after: Measurement, limits: dict[str, float], missed: tuple[str, ...]) -> None:
    assert compared(metered(), after, **limits).missed == missed


def test_a_limit_finer_than_what_can_be_seen_is_told() -> None:
    one = compared(metered(), metered(mj=4.05), energy_more_max=0.01)
    assert (
        one.notes[-1] == "energy: less than 10 % would hardly be seen, and the limit is 1 %: measure longer"
    )


def test_lower_is_better_for_some_metrics() -> None:
    worse = [measurement(accuracy=accuracy(value, metric="mse")) for value in (0.1, 0.3)]
    sides = [
        Source(made(one, higher_is_better=False), series.nowhere)
        for made, one in zip((earlier, run), worse, strict=True)
    ]
    assert against.compare(*sides, Regression(accuracy_drop_max=0.1)).missed
    assert not against.compare(*sides[::-1], Regression(accuracy_drop_max=0.1)).missed


def test_an_accuracy_of_doubted_outputs_keeps_to_no_limit() -> None:
    told = measurement().conditions | {"outputs_doubted": ["not those of the host"]}
    doubted = {"conditions": told}
    for before, after in (({}, doubted), (doubted, {})):
        one = compared(measurement(**before), measurement(**after), accuracy_drop_max=0.5)
        assert one.missed == ("accuracy is not to be trusted, and the limit of its drop is 0.5",)


def test_runs_with_nothing_in_common() -> None:
    def apart(before: Sequence[Measurement], after: Sequence[Measurement]) -> Against:
        sides = Source(earlier(*before), series.nowhere), Source(run(*after), series.nowhere)
        return against.compare(*sides)

    other = apart([measurement("fp32")], [measurement("int8")])
    why = "no trial in common with run 20261121-040000-abc122 (variants: fp32 → int8)"
    assert (other.trials, other.nothing_common) == ((), why)
    assert other.failed_by(measurement("int8")) == (why,)
    moved = apart(
        [measurement(target=one) for one in "abcdefg"], [measurement(target=one, threads=4) for one in "xy"]
    )
    assert "(targets: a, b, c, d, e and 2 more → x, y; threads: 1 → 4)" in (moved.nothing_common or "")
    assert "(variants: none → int8-tflite;" in (apart([], [measurement()]).nothing_common or "")
    assert apart([measurement()], [measurement()]).nothing_common is None


def test_two_recipes_and_two_models_are_told() -> None:
    def of(model: str) -> Origin:
        return Origin(recipe_file=None, recipe_text=None, files={"model": model}, tools={}, host="", git=None)

    before = earlier(measurement(), origin=of("ab" * 32)).model_copy(update={"recipe": "digits"})
    sides = Source(before, series.nowhere), Source(run(measurement(), origin=of("cd" * 32)), series.nowhere)
    assert against.compare(*sides).notes == (
        "two recipes: digits before, keyword-spotting now",
        "two source models: sha256 abababababab before, cdcdcdcdcdcd now",
    )
    assert not against.compare(Source(earlier(measurement()), series.nowhere), sides[1]).notes


def test_a_run_is_not_compared_with_itself() -> None:
    one = Source(run(measurement()), series.nowhere)
    with pytest.raises(InputError, match="both are one run, 20261122-040000-abc123") as caught:
        against.compare(one, one)
    assert "edgegreen runs" in (caught.value.hint or "")


def test_json_comes_back() -> None:
    sides = Source(earlier(metered(mj=4.0)), series.nowhere), Source(run(metered(mj=3.0)), series.nowhere)
    found = against.compare(*sides)
    assert json.loads(found.to_json())["schema"] == 1
    assert Against.model_validate_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("share", "digits", "said"),
    [(2.5, 2, "250 %"), (0.0254, 2, "2.5 %"), (12.34, 3, "1230 %"), (0.0, 2, "0 %"), (0.1, 3, "10 %")],
)
def test_per_cent_has_no_exponent(share: float, digits: int, said: str) -> None:
    assert changes.per_cent(share, digits) == said
