"""The measure that decides whether a built file computes what the source computes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegreen.errors import ConversionError
from edgegreen.sources.agreement import Comparison, compare, refuse_if_broken

RANDOM = np.random.default_rng(0)


def rows(*columns: Any) -> list[list[Any]]:
    """Arrays with the samples first → one list of (1, …) arrays a sample."""
    return [[np.asarray(column)[i : i + 1] for column in columns] for i in range(len(columns[0]))]


SCORES = RANDOM.normal(size=(50, 12)).astype(np.float32)
MAPS = RANDOM.normal(size=(50, 4, 5)).astype(np.float32)


def test_equal_outputs() -> None:
    assert compare(rows(SCORES, MAPS), rows(SCORES, MAPS)) == Comparison(math.inf, 1.0, 50, None)


@settings(deadline=None)
@given(st.integers(-20, 80))
def test_noise_of_a_known_power(db: int) -> None:
    noise = np.random.default_rng(db % 7).normal(size=SCORES.shape)
    noise *= np.sqrt((SCORES**2).sum() / (noise**2).sum() / 10 ** (db / 10))
    found = compare(rows(SCORES.astype(np.float64)), rows(SCORES + noise))
    assert found.sqnr_db == pytest.approx(db, abs=1e-6)
    assert found.fault is None


def test_the_worst_output_counts() -> None:
    found = compare(rows(SCORES, MAPS), rows(SCORES, MAPS * 0.9))
    assert found.sqnr_db == pytest.approx(20)
    assert found.top1 == 1.0


def test_top1_of_the_first_output_that_classifies() -> None:
    moved = SCORES.copy()
    moved[:10] = np.roll(moved[:10], 1, axis=1)
    assert compare(rows(MAPS, SCORES), rows(MAPS, moved)).top1 == 0.8
    assert compare(rows(MAPS), rows(MAPS)).top1 is None
    assert compare(rows(SCORES[:, :1]), rows(SCORES[:, :1])).top1 is None


@pytest.mark.parametrize(
    ("got", "fault"),
    [
        (np.where(MAPS > 2, np.nan, MAPS), "output 0 has NaN or infinite values"),
        (np.where(MAPS > 2, np.inf, MAPS), "output 0 has NaN or infinite values"),
        (np.broadcast_to(MAPS[:1], MAPS.shape), "output 0 is the same for every sample, the source's is not"),
        (np.moveaxis(MAPS, 1, 2), "output 0 has shape (1, 5, 4), the source's (1, 4, 5)"),
    ],
    ids=["NaN", "infinite", "constant", "shape"],
)
def test_what_is_plainly_wrong(got: Any, fault: str) -> None:
    found = compare(rows(MAPS), rows(got))
    assert found.fault == fault
    with pytest.raises(ConversionError, match="built, but computes something else: output 0"):
        refuse_if_broken(found, -math.inf, "50 samples")


def test_a_constant_near_a_large_mean_has_a_fine_sqnr_and_is_refused() -> None:
    lifted = MAPS + 1000
    found = compare(rows(lifted), rows(np.full_like(lifted, 1000)))
    assert found.sqnr_db is not None
    assert found.sqnr_db > 55
    assert found.fault is not None


def test_an_output_too_many() -> None:
    assert compare(rows(MAPS), rows(MAPS, MAPS)).fault == "it has 2 outputs, the source 1"


def test_extents_of_one_do_not_matter() -> None:
    assert compare(rows(SCORES), rows(SCORES[:, None, None])).sqnr_db == math.inf


def test_where_the_source_itself_gives_no_number_nothing_is_asked() -> None:
    want = MAPS.copy()
    want[3, 1, 1] = np.nan
    assert compare(rows(want), rows(np.nan_to_num(want))).sqnr_db == math.inf


@pytest.mark.parametrize("kind", [np.int64, np.bool_])
def test_numbers_that_are_chosen_have_no_sqnr(kind: Any) -> None:
    classes = RANDOM.integers(0, 9, (50, 1)).astype(kind)
    found = compare(rows(classes), rows(1 - classes))
    assert (found.sqnr_db, found.fault) == (None, None)
    refuse_if_broken(found, 100, "50 samples")


def test_lists_as_long_as_they_happen_to_be_are_not_compared() -> None:
    want = [[np.ones((n, 6), np.float32)] for n in (2, 3, 2)]
    got = [[np.ones((n, 6), np.float32)] for n in (2, 2, 4)]
    assert compare(want, got).fault is None


def test_an_all_zero_source_says_nothing() -> None:
    assert compare(rows(0 * MAPS), rows(MAPS)).sqnr_db is None


def test_below_the_floor() -> None:
    found = compare(rows(MAPS), rows(MAPS * 0.5))
    with pytest.raises(ConversionError, match=r"6\.0 dB SQNR .* on 50 samples, where at least 10 dB"):
        refuse_if_broken(found, 10, "50 samples")
    refuse_if_broken(found, 5, "50 samples")
