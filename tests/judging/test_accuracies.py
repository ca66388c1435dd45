"""Accuracies of two runs compared: paired where both tell of the same samples, and what is said if not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import accuracy, earlier, measurement, run

from edgegreen.config.limitkeys import Budgets, Regression
from edgegreen.history import series
from edgegreen.history.hits import Hits
from edgegreen.history.series import Series
from edgegreen.judging import against, comparison, limits
from edgegreen.judging.against import Source
from edgegreen.judging.compared import Compared
from edgegreen.measurement import Measurement, Run

N = 900
TIMES = np.array([1, 2])


def scored(*wrong: int, metric: str = "top1", **changes: object) -> tuple[Measurement, Hits]:
    """A reading that is wrong on these samples, and which were right."""
    right = np.ones(N, bool)
    right[list(wrong)] = False
    found = accuracy(int(right.sum()) / N, metric=metric)
    return measurement(accuracy=found, **changes), Hits(right, "5f" * 32)


def kept(folder: Path, item: Measurement, hits: Hits | None, made: Callable[..., Run] = run) -> Source:
    series.save(folder, item, Series(TIMES, TIMES, {}, hits=hits))
    return Source(made(item), series.in_folder(folder))


def compared(tmp_path: Path, before: tuple, after: tuple, **limits: float) -> Compared:  # type: ignore[type-arg]
    sides = kept(tmp_path / "a", *before, earlier), kept(tmp_path / "b", *after)
    (one,) = against.compare(*sides, Regression(**limits)).trials
    return one


def of_accuracy(one: Compared) -> list[str]:
    return [note for note in one.notes if note.startswith(("top", "accuracy"))]


# Wrong in both: nine of a hundred.
HARD = range(81)


@pytest.mark.parametrize("metric", ["top1", "top5"])
def test_few_samples_that_part_tell_what_their_number_does_not(tmp_path: Path, metric: str) -> None:
    before, after = scored(*HARD, metric=metric), scored(*HARD, *range(100, 110), metric=metric)
    seen = compared(tmp_path, before, after).accuracy_seen
    assert seen is not None
    assert (seen.word, seen.by, seen.samples, seen.lost, seen.gained) == ("worse", "paired", N, 10, 0)
    back = compared(tmp_path, after, before)
    assert back.accuracy_seen is not None
    assert (back.accuracy_seen.word, back.accuracy_seen.gained) == ("better", 10)
    assert of_accuracy(back) == [f"{metric} paired over {N} samples: 0 right before only, 10 now only"]
    alone = compared(tmp_path, (before[0], None), (after[0], None)).accuracy_seen
    assert alone is not None
    assert (alone.word, alone.by, alone.samples) == ("no difference seen", "unpaired", None)
    assert alone.detectable > 2 * seen.detectable


def test_the_same_answers_are_worth_no_word(tmp_path: Path) -> None:
    one = compared(tmp_path, scored(*HARD), scored(*HARD))
    assert one.accuracy_seen is not None
    assert (one.accuracy_seen.by, one.accuracy_seen.lost, one.accuracy_seen.gained) == ("paired", 0, 0)
    assert of_accuracy(one) == []


def test_others_as_often_right_are_told(tmp_path: Path) -> None:
    one = compared(tmp_path, scored(1, 2, 3), scored(3, 4, 5))
    assert one.accuracy_change == 0
    assert of_accuracy(one) == [f"top1 paired over {N} samples: 2 right before only, 2 now only"]


@pytest.mark.parametrize(
    ("lacking", "of"), [("a", "the run before"), ("b", "this run"), ("ab", "either run")]
)
def test_runs_that_do_not_tell_are_not_paired(tmp_path: Path, lacking: str, of: str) -> None:
    """As runs are that were kept before, and those whose series are gone or of another reading."""
    for how in ("without", "gone", "cut", "of another"):
        items = {"a": scored(*HARD), "b": scored(*HARD, 100)}
        made = {"a": earlier, "b": run}
        sides = {name: kept(tmp_path / how / name, *one, made[name]) for name, one in items.items()}
        for name in lacking:
            folder, item = tmp_path / how / name, items[name][0]
            if how == "gone":
                (folder / series.name_of(item)).unlink()
            elif how == "cut":
                (folder / series.name_of(item)).write_bytes(b"PK\x03\x04 cut")
            else:
                kept(folder, item, scored(*range(300))[1] if how == "of another" else None)
        (one,) = against.compare(sides["a"], sides["b"]).trials
        assert one.accuracy_seen is not None
        assert one.accuracy_seen.by == "unpaired"
        assert of_accuracy(one) == [f"top1 unpaired: which samples were right is not kept of {of}"]


def test_other_samples_are_not_paired(tmp_path: Path) -> None:
    item, hits = scored(*HARD, 100)
    one = compared(tmp_path, scored(*HARD), (item, Hits(hits.right, "6f" * 32)))
    assert one.accuracy_seen is not None
    assert one.accuracy_seen.by == "unpaired"
    assert of_accuracy(one) == ["top1 unpaired: the two were scored on different samples"]


def test_doubted_outputs_have_no_word(tmp_path: Path) -> None:
    doubted = scored(*range(300), conditions={"outputs_doubted": ["they are not the host's"]})
    one = compared(tmp_path, scored(), doubted)
    assert one.accuracy_seen is not None
    assert (one.accuracy_seen.word, one.accuracy_seen.by) == ("not to be trusted", "paired")


def test_a_limit_within_the_interval_is_named_and_judged_all_the_same(tmp_path: Path) -> None:
    one = compared(tmp_path, scored(*HARD), scored(*HARD, *range(100, 110)), accuracy_drop_max=0.01)
    assert one.missed == ("accuracy dropped by 0.01111, and the limit is 0.01",)
    said = f"accuracy drop 0.011 (95 %: 0.0036…0.019): {N} samples do not settle whether it is over 0.01"
    assert said in one.notes
    lax = compared(tmp_path, scored(*HARD), scored(*HARD, *range(100, 110)), accuracy_drop_max=0.03)
    assert not any("settle" in note for note in lax.notes)


@pytest.mark.parametrize(
    ("ci95", "conditions", "told"),
    [
        ((-0.02, 0.001), {}, True),
        ((-0.009, 0.001), {}, False),
        (None, {}, False),
        ((-0.02, 0.001), {"outputs_doubted": ["they are not the host's"]}, False),
    ],
)
def test_a_budget_within_the_interval_is_named(
    ci95: tuple[float, float] | None, conditions: dict[str, object], *, told: bool
) -> None:
    found = accuracy(0.905, 0.913).model_copy(update={"change_ci95": ci95})
    item = measurement(accuracy=found, conditions=conditions)
    (row,) = comparison.rows([item], None, Budgets(accuracy_drop_max=0.01))
    said = f"accuracy drop 0.008 (95 %: −0.001…0.02): {N} samples do not settle whether it is over 0.01"
    assert (said in row.warnings) == told


def test_one_sample_is_one() -> None:
    said = limits.unsettled(-0.01, (-0.02, 0.0), 0.01, 1)
    assert said is not None
    assert said.endswith(": 1 sample does not settle whether it is over 0.01")
