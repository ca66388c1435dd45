"""Numbers as small bars: whole, in scale, honest about what is steady and what is absent."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgegreen.report import sparkline


def test_least_and_largest() -> None:
    assert sparkline.line(np.array([1.0, 2.0, 4.0, 8.0])) == "▁▂▄█"


def test_what_is_steady_looks_steady() -> None:
    assert sparkline.line(np.array([100.0, 100.5, 100.0])) == "▁▁▁"
    assert sparkline.line(np.array([100.0, 111.0])) == "▁█"
    assert sparkline.line(np.zeros(3)) == "▁▁▁"


def test_gaps_are_gaps() -> None:
    assert sparkline.line(np.array([1.0, np.nan, 2.0])) == "▁ █"
    assert sparkline.line(np.array([np.nan, np.nan])) == "  "


@given(arrays.arrays(float, st.integers(0, 50), elements=st.floats(-1e300, 1e300)))
def test_a_character_each(values: np.ndarray) -> None:
    shown = sparkline.line(values)
    assert len(shown) == len(values)
    assert set(shown) <= set(sparkline.BARS)
    if len(values):
        assert shown[int(values.argmin())] == "▁"


def test_a_histogram_shows_two_humps() -> None:
    values = np.array([1.0] * 90 + [2.0] * 45)
    assert sparkline.histogram(values, 5, 1.0, 2.0) == "█   ▅"


def test_medians_keep_the_order_and_lose_the_spikes() -> None:
    values = np.array([1.0, 1.0, 9.0, 5.0, 5.0, 5.0])
    assert sparkline.medians(values, 2).tolist() == [1.0, 5.0]
    assert sparkline.medians(values, 99).tolist() == values.tolist()


def test_means_between_edges() -> None:
    t, values = np.array([0, 1, 2, 9]), np.array([1.0, 3.0, np.nan, 7.0])
    found = sparkline.means(t, values, np.array([0.0, 3.0, 6.0, 9.0]))
    assert found[0] == 2.0
    assert np.isnan(found[1])
    assert found[2] == 7.0
