from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgegreen.compress.prune import mask_of
from edgegreen.config.passes import Prune

WEIGHTS = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 9), st.integers(1, 5)),
    elements=st.floats(-1, 1, width=32).map(lambda value: value or np.float32(0.5)),
)
SPARSE = WEIGHTS.map(lambda weights: np.where(np.abs(weights) < 0.3, np.float32(0), weights))


@given(weights=WEIGHTS, sparsity=st.floats(0.01, 0.99), progress=st.floats(0, 1))
def test_the_smallest_go_and_never_too_many(weights: np.ndarray, sparsity: float, progress: float) -> None:
    mask = mask_of(weights, Prune(sparsity=sparsity), progress)
    assert mask.shape == weights.shape
    gone, kept = np.abs(weights[mask == 0]), np.abs(weights[mask == 1])
    assert gone.size == 0 or kept.size == 0 or gone.max() <= kept.min()
    assert (mask == 0).sum() <= round(sparsity * weights.size) + (weights == 0).sum()


@given(weights=WEIGHTS)
def test_at_the_end_the_share_is_reached(weights: np.ndarray) -> None:
    zeros = int((mask_of(weights, Prune(sparsity=0.75), 1.0) == 0).sum())
    assert zeros >= round(0.75 * weights.size)


@given(weights=WEIGHTS, pattern=st.sampled_from(["1:2", "2:4", "1:4"]))
def test_a_pattern_holds_along_the_inputs_of_every_output(weights: np.ndarray, pattern: str) -> None:
    n, m = map(int, pattern.split(":"))
    mask = mask_of(weights, Prune(pattern=pattern), 1.0).reshape(-1, weights.shape[-1])
    for start in range(0, len(mask), m):
        assert (mask[start : start + m].sum(axis=0) <= n).all()
    whole = len(mask) // m  # groups that are
    assert mask[: whole * m].sum() == whole * n * weights.shape[-1]


@pytest.mark.parametrize(
    "wrong", [{"pattern": "4:4"}, {"pattern": "2:4", "sparsity": 0.5}, {"sparsity": 1.0}]
)
def test_what_prunes_nothing_or_twice(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"keeps every weight|give either|less than 1"):
        Prune.model_validate(wrong)


@given(weights=SPARSE, progress=st.floats(0, 1), pattern=st.sampled_from([None, "2:4"]))
def test_what_is_zero_stays_so_all_along(weights: np.ndarray, progress: float, pattern: str | None) -> None:
    parameters = Prune(pattern=pattern) if pattern else Prune(sparsity=0.5)
    assert not mask_of(weights, parameters, progress)[weights == 0].any()


def test_a_pattern_runs_along_the_inputs_wherever_they_are() -> None:
    """A transposed convolution has (…, outputs, inputs): one output's four inputs lie side by side there."""
    weights = np.arange(1.0, 9.0, dtype=np.float32).reshape(1, 1, 2, 4)
    mask = mask_of(weights, Prune(pattern="2:4"), 1.0, outputs=(-2,))
    assert mask.reshape(2, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1]]
