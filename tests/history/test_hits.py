"""Which samples were right: a bit each and back, in a run's series; and whose may be paired."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.errors import InputError
from edgegreen.history import hits, series
from edgegreen.history.hits import Hits
from edgegreen.history.series import Series

TIMES = np.array([1, 2])
BITS = st.lists(st.booleans(), max_size=70)


def behind(found: Hits | None) -> Series:
    return Series(TIMES, TIMES, {}, hits=found)


@given(BITS, st.text("0123456789abcdef", min_size=64, max_size=64))
def test_they_come_back_with_their_series(right: list[bool], samples: str) -> None:
    found = series.unpack(series.pack(behind(Hits(np.array(right, bool), samples))), "here").hits
    assert found is not None
    assert (found.right.tolist(), found.samples) == (right, samples)
    assert found.right.dtype == bool


def test_a_bit_a_sample_and_no_more() -> None:
    packed = hits.packed(Hits(np.ones(100_000, bool), "a" * 64))
    assert packed[hits.RIGHT].nbytes == 12_500


def test_series_kept_before_there_were_hits_have_none() -> None:
    old = series.pack(behind(None))
    with np.load(io.BytesIO(old)) as arrays:
        assert not any(name.startswith("hits") for name in arrays)
    assert series.unpack(old, "here").hits is None


@pytest.mark.parametrize(
    "changed",
    [
        {"hits.n": np.array(17)},
        {"hits.n": np.array(-1)},
        {"hits.n": np.array([9, 1])},
        {"hits.samples": None},
        {"hits.right": np.array(1.0)},
        {"hits.right": np.array([0.5, 1.0])},
    ],
)
def test_hits_that_do_not_fit_are_no_series(changed: dict[str, Any]) -> None:
    with np.load(io.BytesIO(series.pack(behind(Hits(np.ones(16, bool), "a"))))) as arrays:
        whole = dict(arrays) | changed
    packed = io.BytesIO()
    np.savez(packed, **{name: array for name, array in whole.items() if array is not None})
    with pytest.raises(InputError, match="no series that this edgegreen can read"):
        series.unpack(packed.getvalue(), "here")


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_that_flipped_is_no_traceback(at: int, bit: int) -> None:
    packed = bytearray(series.pack(behind(Hits(np.ones(16, bool), "a"))))
    packed[at % len(packed)] ^= 1 << bit
    with suppress(InputError):
        series.unpack(bytes(packed), "here")


def test_only_the_same_samples_are_paired() -> None:
    one = Hits(np.array([True, False]), hits.digest("5f" * 32, 2, None))
    assert hits.pair(one, one) is not None
    assert hits.pair(one, None) is None
    assert hits.pair(one, Hits(one.right, hits.digest("6f" * 32, 2, None))) is None
    assert hits.pair(one, Hits(one.right, hits.digest("5f" * 32, 2, 4))) is None  # two others of the file
    assert hits.pair(one, Hits(np.ones(1, bool), one.samples)) is None
    nothing = Hits(np.ones(0, bool), one.samples)
    assert hits.pair(nothing, nothing) is None


def test_they_are_those_of_their_score() -> None:
    one = Hits(np.array([True, False, True]), "a")
    assert one.are_of("top5", 2 / 3, 3)
    assert not one.are_of("top1", 1 / 3, 3)
    assert not one.are_of("top1", 2 / 3, 6)
    assert not one.are_of("auc", 2 / 3, 3)
