"""x·scale + shift per channel: what normalisation layers compute, and what folding moves into a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.normalize import Normalize
from edgegreen.compress import graph

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """x·scale + shift; each has one value for all channels, or as many as there are."""

    scale: Array
    shift: Array

    @classmethod
    def of_normalize(cls, normalize: Normalize | None) -> Affine:
        """(raw − mean) · scale."""
        if normalize is None:
            return cls(np.ones(1), np.zeros(1))
        scale = np.asarray(normalize.scale, np.float64)
        return cls(scale, -scale * np.asarray(normalize.mean, np.float64))

    @property
    def is_nothing(self) -> bool:
        """Whether it leaves values as they are."""
        return bool((self.scale == 1).all() and (self.shift == 0).all())

    @property
    def zero(self) -> Array:
        """What becomes 0, per channel: the value to pad with."""
        return -self.shift / self.scale

    @property
    def is_one_for_all(self) -> bool:
        """Whether all channels are treated alike."""
        return len(set(self.scale)) == 1 and len(set(self.shift)) == 1

    def then(self, later: Affine) -> Affine:
        """`later` of what comes out of this."""
        return Affine(self.scale * later.scale, self.shift * later.scale + later.shift)

    def wide(self, channels: int) -> Affine:
        """With a value for each channel."""
        return Affine(*(np.broadcast_to(one, channels) for one in (self.scale, self.shift)))


def of_layer(layer: Any, shape: tuple[int | None, ...]) -> Affine | None:
    """What the layer computes, when it infers, of an input of this shape; None when it is something else."""
    kind, channels = graph.kind_of(layer), shape[-1]
    if kind == "BatchNormalization" and layer.axis in (-1, len(shape) - 1):
        gamma = layer.gamma.numpy().astype(np.float64) if layer.scale else 1.0
        beta = layer.beta.numpy().astype(np.float64) if layer.center else 0.0
        scale = gamma / np.sqrt(layer.moving_variance.numpy().astype(np.float64) + layer.epsilon)
        return Affine(scale, beta - layer.moving_mean.numpy() * scale)
    if kind == "Rescaling":
        return _per_channel(layer.scale, layer.offset, channels)
    if kind == "Normalization" and not layer.invert:
        deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float64)), 1e-7)  # as Keras does
        return _per_channel(1 / deviation, -np.asarray(layer.mean, np.float64) / deviation, channels)
    return None


def _per_channel(scale: Any, shift: Any, channels: int | None) -> Affine | None:
    """From constants that broadcast; None when they differ along another axis than the last."""
    found = []
    for one in (np.asarray(scale, np.float64), np.asarray(shift, np.float64)):
        if one.size not in (1, channels) or (one.size > 1 and one.shape[-1] != one.size):
            return None
        found.append(one.reshape(-1))
    return Affine(*found)
