from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgegreen.compress.cluster import clustered, k_means

VALUES = arrays(np.float32, st.integers(2, 60), elements=st.floats(-1, 1, width=32))


def error(values: np.ndarray, centroids: np.ndarray) -> float:
    """Sum of squared distances to the nearest centroid."""
    return float((np.abs(values[:, None].astype(np.float64) - centroids).min(axis=1) ** 2).sum())


@given(values=VALUES, k=st.integers(1, 20))
def test_centroids_are_the_means_of_what_is_nearest(values: np.ndarray, k: int) -> None:
    centroids = k_means(values, k)
    assert 1 <= len(centroids) <= k
    assert (np.diff(centroids) >= 0).all()
    linear = np.linspace(values.min(), values.max(), k)
    assert error(values, centroids) <= error(values, linear) + 1e-9
    assert centroids.min() >= float(values.min()) - 1e-9  # in doubles: a float32 has no room for 1e-9
    assert centroids.max() <= float(values.max()) + 1e-9


def test_groups_that_stand_apart_are_found() -> None:
    values = np.concatenate([np.full(50, -0.5), np.full(3, 0.1), np.full(200, 0.9)]).astype(np.float32)
    assert np.allclose(k_means(values, 3), [-0.5, 0.1, 0.9])


@given(weights=arrays(np.float32, (7, 9), elements=st.floats(-1, 1, width=32)), clusters=st.integers(2, 16))
def test_zeros_are_a_cluster_of_their_own(weights: np.ndarray, clusters: int) -> None:
    weights[:2] = 0
    weights[6, 8] = 0.7
    shared, _ = clustered(weights, clusters)
    assert shared.shape == weights.shape
    assert len(np.unique(shared)) <= clusters
    assert (shared[weights == 0] == 0).all()
    assert not np.signbit(shared[weights == 0]).any()


def test_without_zeros_no_cluster_is_spent_on_them() -> None:
    weights = np.linspace(0.1, 1, 64, dtype=np.float32).reshape(8, 8)
    shared, _ = clustered(weights, 4)
    assert len(np.unique(shared)) == 4
    assert (shared > 0).all()
