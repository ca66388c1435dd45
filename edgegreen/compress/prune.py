"""Unstructured pruning: the smallest weights of each kernel become zero, gradually, while others are trained.

The share of zeros rises as Zhu & Gupta (2017, arXiv:1710.01878, eq. 1) have it: s·(1 − (1 − t/T)³) at step t
of T. Magnitude decides (Han et al. 2015, arXiv:1506.02626; N:M: Mishra et al. 2021, arXiv:2104.08378).
Kernels with few weights are left alone: they cost little and lose much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress.constraints import Zeros, kept, kernels
from edgegreen.compress.training import Training, steps
from edgegreen.passes import Prune

RAMP_SHARE = 0.5  # of the epochs, while the share of zeros rises; the rest is fine-tuning
UPDATES = 50  # of the masks, over the ramp
SMALLEST = 64  # weights; kernels below are not pruned


def apply(model: Any, parameters: Prune, training: Training) -> Any:
    """The model with its kernels pruned, in place."""
    import tensorflow as tf

    chosen = [kernel for kernel in kernels(model) if np.prod(kernel.shape) >= SMALLEST]
    masks = {kernel.path: tf.Variable(mask_of(kernel.numpy(), parameters, 0.0)) for kernel in chosen}
    ramp = max(1, round(RAMP_SHARE * parameters.epochs)) if parameters.epochs else 0
    last = steps(training, parameters, ramp)

    def prune_at(step: int) -> None:
        if step % max(1, last // UPDATES) == 0 or step >= last - 1:
            for kernel in chosen:
                mask = mask_of(kernel.numpy(), parameters, min(1.0, (step + 1) / last) if last else 1.0)
                masks[kernel.path].assign(mask)
                kernel.assign(kernel.numpy() * mask)

    penalised = [(kernel, kernel.regularizer) for kernel in chosen]
    for kernel in chosen:
        kernel.regularizer = _l1(parameters.l1) if parameters.l1 else kernel.regularizer
    try:
        with kept(chosen, lambda kernel: Zeros(masks[kernel.path])):
            training.fit(model, parameters, epochs=ramp, stop_early=False, on_batch=prune_at)
            prune_at(last)
            training.fit(model, parameters, epochs=parameters.epochs - ramp)
    finally:
        for kernel, regularizer in penalised:
            kernel.regularizer = regularizer
    return model


def mask_of(weights: NDArray[Any], parameters: Prune, progress: float) -> NDArray[np.float32]:
    """1 where a weight is kept, when `progress` (0 … 1) of the schedule is over; of the weights' shape.

    What is zero already stays so. With an N:M pattern the groups run along the inputs of each output, and the
    pattern is complete when the schedule is.
    """
    reached = 1 - (1 - progress) ** 3
    if parameters.pattern:
        return _grouped(weights, parameters.pattern, reached)
    count = round(parameters.sparsity * reached * weights.size)
    mask = np.ones(weights.size, np.float32)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[:count]] = 0
    return (
        mask.reshape(weights.shape) * (weights != 0).astype(np.float32)
        if reached == 1
        else mask.reshape(weights.shape)
    )


def _grouped(weights: NDArray[Any], pattern: str, reached: float) -> NDArray[np.float32]:
    """N of M kept in each group of inputs; a last group that is not whole keeps up to N."""
    n, m = map(int, pattern.split(":"))
    by_output = np.abs(weights.reshape(-1, weights.shape[-1]))  # (inputs, outputs)
    rows = -(-len(by_output) // m) * m
    padded = np.full((rows, by_output.shape[1]), -1.0)
    padded[: len(by_output)] = by_output
    groups = padded.reshape(rows // m, m, -1)
    rank = np.argsort(np.argsort(-groups, axis=1, kind="stable"), axis=1, kind="stable")
    kept_ = n + round((1 - reached) * (m - n))
    mask = (rank < kept_).reshape(rows, -1)[: len(by_output)]
    return mask.reshape(weights.shape).astype(np.float32)


def _l1(weight: float) -> Any:
    import keras

    return keras.regularizers.L1(weight)
