"""Unstructured pruning: the smallest weights of each kernel become zero, gradually, while others are trained.

The share of zeros rises as Zhu & Gupta (2017, arXiv:1710.01878, eq. 1) have it: s·(1 − (1 − t/T)³) at step t
of T. Magnitude decides (Han et al. 2015, arXiv:1506.02626; N:M: Mishra et al. 2021, arXiv:2104.08378).
Kernels with few weights are left alone: they cost little and lose much.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.compress.constraints import Zeros, kept
from edgegreen.compress.kernels import Kernel, kernels_of
from edgegreen.compress.training import Training, steps
from edgegreen.config.passes import Prune

RAMP_SHARE = 0.5  # of the epochs, while the share of zeros rises; the rest is fine-tuning
UPDATES = 50  # of the masks, over the ramp
SMALLEST = 64  # weights; kernels below are not pruned


def apply(model: Any, parameters: Prune, training: Training) -> Any:
    """The model with its kernels pruned, in place."""
    chosen = [
        _Pruned(one, parameters) for one in kernels_of(model) if np.prod(one.variable.shape) >= SMALLEST
    ]
    ramp = max(1, round(RAMP_SHARE * parameters.epochs)) if parameters.epochs else 0
    last = steps(training, parameters, ramp)

    def prune_at(step: int) -> None:
        if step % max(1, last // UPDATES) == 0 or step >= last - 1:
            for kernel in chosen:
                kernel.prune(min(1.0, (step + 1) / last) if last else 1.0)

    with ExitStack() as stack:
        for kernel in chosen:
            stack.enter_context(kernel.kept())
        training.fit(model, parameters, epochs=ramp, stop_early=False, on_batch=prune_at)
        prune_at(last)
        training.fit(model, parameters, epochs=parameters.epochs - ramp)
    training.note(_told(model, chosen))
    return model


def _told(model: Any, chosen: list[_Pruned]) -> str:
    """How many zeros there are now, and in how many kernels."""
    zeros, total = sum(one.zeros for one in chosen), sum(one.size for one in chosen)
    few = len(kernels_of(model)) - len(chosen)
    left = f"; {few} with fewer than {SMALLEST} weights left alone" if few else ""
    return f"{zeros / max(1, total):.1%} zeros in {len(chosen)} kernel{'s' * (len(chosen) != 1)}{left}"


class _Pruned:
    """A kernel with its mask."""

    def __init__(self, kernel: Kernel, parameters: Prune) -> None:
        import tensorflow as tf

        self._kernel, self._variable, self._parameters = kernel, kernel.variable, parameters
        # What an earlier pass made zero stays it from the first step on.
        self._mask = tf.Variable(np.asarray(kernel.variable.numpy() != 0, np.float32))

    @property
    def zeros(self) -> int:
        """How many weights are zero."""
        return int((self._variable.numpy() == 0).sum())

    @property
    def size(self) -> int:
        """How many weights there are."""
        return int(np.prod(self._variable.shape))

    def prune(self, progress: float) -> None:
        """Set to zero what is to be so when `progress` (0 … 1) of the schedule is over."""
        weights = self._variable.numpy()
        mask = mask_of(weights, self._parameters, progress, self._kernel.outputs)
        self._mask.assign(mask)
        self._variable.assign(np.where(mask > 0, weights, np.float32(0)))

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within the block training keeps the zeros, and pays for magnitudes where `l1` asks for it."""
        import keras

        before = self._variable.regularizer
        if self._parameters.l1:
            self._variable.regularizer = keras.regularizers.L1(self._parameters.l1)
        try:
            with kept(self._variable, Zeros(self._mask)):
                yield
        finally:
            self._variable.regularizer = before


def mask_of(
    weights: NDArray[Any], parameters: Prune, progress: float, outputs: tuple[int, ...] = (-1,)
) -> NDArray[np.float32]:
    """1 where a weight is kept, when `progress` (0 … 1) of the schedule is over; of the weights' shape.

    What is zero already counts, and goes first. With an N:M pattern the groups run along the inputs of each
    output (the axes `outputs`, from the end), and the pattern is complete when the schedule is.
    """
    reached = 1 - (1 - progress) ** 3
    if parameters.pattern:
        return _grouped(weights, parameters.pattern, reached, outputs)
    count = round(parameters.sparsity * reached * weights.size)
    mask = np.ones(weights.size, np.float32)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[:count]] = 0
    return np.where(weights == 0, np.float32(0), mask.reshape(weights.shape))


def _grouped(
    weights: NDArray[Any], pattern: str, reached: float, outputs: tuple[int, ...]
) -> NDArray[np.float32]:
    """N of M kept in each group of inputs; a last group that is not whole keeps up to N."""
    n, m = map(int, pattern.split(":"))
    last = tuple(range(-len(outputs), 0))
    turned = np.moveaxis(np.abs(weights), outputs, last)
    by_output = turned.reshape(-1, int(np.prod(turned.shape[-len(outputs) :])))  # (inputs, outputs)
    rows = -(-len(by_output) // m) * m
    padded = np.full((rows, by_output.shape[1]), -1.0)
    padded[: len(by_output)] = by_output
    groups = padded.reshape(rows // m, m, -1)
    rank = np.argsort(np.argsort(-groups, axis=1, kind="stable"), axis=1, kind="stable")
    kept_ = n + round((1 - reached) * (m - n))
    mask = (rank < kept_).reshape(rows, -1)[: len(by_output)].reshape(turned.shape)
    return np.where(weights == 0, np.float32(0), np.moveaxis(mask, last, outputs).astype(np.float32))
