"""The samples a built file is checked on: calibration data, or seeded noise where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.normalize import Normalize
from edgegreen.agent.npz import DataError, Samples
from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError

LIMIT = 64
SEED = 20240607
Row = list[NDArray[Any]]


@dataclass(frozen=True)
class CheckSamples:
    """At most `limit` samples of the npz at `path`, normalised if need be, or of noise when that is None."""

    path: Path | None
    limit: int = LIMIT
    normalize: Normalize | None = None

    def rows(self, inputs: Sequence[TensorSpec]) -> Iterator[Row]:
        """One sample after the other, the same every time. Raises InputError for broken data."""
        if self.path is None:
            random = np.random.default_rng(SEED)
            for _ in range(self.limit):
                yield [_noise(random, tensor) for tensor in inputs]
        else:
            yield from rows(self.path, "calibration", self.limit, self.normalize)

    def words(self, n: int) -> str:
        """What they are, for people."""
        return f"{n} samples of seeded noise" if self.path is None else f"{n} calibration samples"


def rows(
    path: Path, what: str, limit: int | None = None, normalize: Normalize | None = None
) -> Iterator[Row]:
    """The first samples of an npz (all by default), as the model takes them.

    Raises InputError for broken data and for NaN.
    """
    try:
        with Samples(str(path)) as samples:
            for number, row in enumerate(samples.rows(0, limit)):
                if not all(np.isfinite(value).all() for value in row):
                    raise InputError(f"{what} data {path}: sample {number} has NaN or infinite values")
                yield [normalize(value) for value in row] if normalize else row
    except (DataError, OSError) as error:
        raise InputError(f"{what} data {path}: {error}") from None


def _noise(random: np.random.Generator, tensor: TensorSpec) -> NDArray[Any]:
    """Reals uniform in 0 … 1, bytes over their range, other integers 0 or 1, which every vocabulary has."""
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return random.random(tensor.shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, tensor.shape, dtype, endpoint=True)
    return random.integers(0, 2, tensor.shape).astype(dtype)
