"""Which samples a model got right, one by one: kept beside its run, so that two scores can be paired.

Two models are scored on the same samples, and mostly right on the same ones: how their scores differ hangs on
the few samples where they part, which the scores themselves do not tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTED = ("top1", "top5")  # metrics that are a share of so many samples
RIGHT, COUNT, SAMPLES = "hits.right", "hits.n", "hits.samples"  # names of the arrays in a file


@dataclass(frozen=True)
class Hits:
    """`right`, of shape (n,) and bool, says of each sample in turn whether it was one of the right ones.

    `samples` is the digest of the samples, as `digest` makes it.
    """

    right: NDArray[np.bool_]
    samples: str

    def are_of(self, metric: str, value: float, n: int) -> bool:
        """Whether they are what this score comes to: a file may have been left by another reading."""
        return metric in COUNTED and len(self.right) == n > 0 and abs(self.right.mean() - value) < 1e-9


def digest(sha256: str, n: int, of: int | None) -> str:
    """What tells the samples, in their order: their file, and how many of how many in it are run.

    Which those are follows from the numbers (`agent/subset.py`).
    """
    return hashlib.sha256(json.dumps([sha256, n, of or n]).encode()).hexdigest()


def pair(before: Hits | None, after: Hits | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """What both say; None unless both are there, and of the same samples in the same order."""
    if before is None or after is None or before.samples != after.samples:
        return None
    alike = len(before.right) == len(after.right) > 0
    return (before.right, after.right) if alike else None


def packed(of: Hits | None) -> dict[str, NDArray[Any]]:
    """As arrays for an npz file, a bit a sample; none without hits."""
    if of is None:
        return {}
    return {RIGHT: np.packbits(of.right), COUNT: np.array(len(of.right)), SAMPLES: np.array(of.samples)}


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> Hits | None:
    """Those that `packed` made; None in a file without. Raises ValueError, KeyError, TypeError."""
    if RIGHT not in arrays:
        return None
    n, bits = int(arrays[COUNT]), arrays[RIGHT]
    if not 0 <= n <= 8 * len(bits):
        raise ValueError(f"{len(bits)} bytes do not say of {n} samples which were right")
    return Hits(np.unpackbits(bits, count=n).astype(bool), str(arrays[SAMPLES]))
