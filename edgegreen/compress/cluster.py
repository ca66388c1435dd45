"""Weight sharing: each kernel is left with a few distinct values, found by k-means, and these are fine-tuned.

After Han et al. (2016, arXiv:1510.00149, section 3): one-dimensional k-means over a kernel's weights, its
centroids spread evenly over their range at first ("linear"), which serves the few large weights best; then
training moves whole clusters. Zeros an earlier pass made are a cluster of their own that never moves.
Kernels with few weights are left alone: they cost little and lose much.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress.constraints import FEW_ZEROS, LEAST_SHARING, Clusters, kept
from edgegreen.compress.kernels import kernels
from edgegreen.compress.training import Training
from edgegreen.config.passes import Cluster

ROUNDS = 300  # of k-means, which in one dimension comes to rest long before


def apply(model: Any, parameters: Cluster, training: Training) -> Any:
    """The model with its kernels clustered, in place."""
    left = 0
    with ExitStack() as stack:
        for kernel in kernels(model):
            weights = kernel.numpy()
            if weights.size < LEAST_SHARING * parameters.clusters:
                left += 1
                continue
            shared, rule = clustered(weights, parameters.clusters)
            kernel.assign(shared)
            stack.enter_context(kept(kernel, rule))
        training.fit(model, parameters)
    done = len(kernels(model)) - left
    training.note(
        f"at most {parameters.clusters} values in each of {done} kernel{'s' * (done != 1)}"
        + (f"; {left} with fewer than {LEAST_SHARING} weights a value left alone" if left else "")
    )
    return model


def clustered(weights: NDArray[Any], clusters: int) -> tuple[NDArray[np.float32], Clusters]:
    """The weights with at most `clusters` distinct values, zero among them if it was frequent; the rule."""
    zeros = weights == 0
    zero_apart = zeros.mean() >= FEW_ZEROS
    values = weights[~zeros] if zero_apart else weights.reshape(-1)
    centroids = k_means(values, clusters - int(zero_apart))
    edges = (centroids[1:] + centroids[:-1]) / 2
    numbers = np.searchsorted(edges, weights, side="right").astype(np.int32)
    if zero_apart:
        numbers[zeros] = len(centroids)
        centroids = np.append(centroids, 0.0)
    return centroids.astype(np.float32)[numbers], Clusters(
        numbers, len(centroids) - 1 if zero_apart else None
    )


def k_means(values: NDArray[Any], k: int) -> NDArray[np.float64]:
    """At most `k` centroids, ascending, by Lloyd's rounds on the sorted values; empty clusters are dropped.

    In one dimension a cluster is a run of sorted values, so that a round takes k searches and differences of
    running sums, whatever the number of values.
    """
    ordered = np.sort(values.reshape(-1).astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.linspace(ordered[0], ordered[-1], k)
    for _ in range(ROUNDS):
        edges = (centroids[1:] + centroids[:-1]) / 2
        cuts = np.concatenate([[0], np.searchsorted(ordered, edges), [len(ordered)]])
        sizes = np.diff(cuts)
        means = np.diff(sums[cuts])[sizes > 0] / sizes[sizes > 0]
        if len(means) == len(centroids) and np.array_equal(means, centroids):
            break
        centroids = means
    return centroids
