"""How far one model's outputs are from another's, over the same samples.

The measure is the signal-to-quantisation-noise ratio, 10·log10(Σ ref² / Σ (ref − got)²) in dB, per output
(Gersho & Gray, Vector Quantization and Signal Compression, 1992, ch. 5). It is blind to an output that stays
constant where the source's varies a little around a large mean, so that is looked for apart. It says nothing
of outputs that are chosen rather than computed (class numbers, lists of detections): those are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.errors import ConversionError
from edgegreen.sources.outputs import Row

Array = NDArray[Any]
# A float file against its source: rounding in another order leaves 115 dB and more on the models tried, a
# wrong layout, padding or order of outputs less than 10 dB.
FLOAT_FLOOR_DB = 40.0


@dataclass(frozen=True)
class Comparison:
    """Over `n` samples: the lowest SQNR of all outputs, and what is plainly wrong, if anything.

    `sqnr_db` is inf when all are equal, None when no output can be compared so. `top1` is the share of
    samples whose largest value is the same one in the first output that looks like a classifier's (one row
    of at least two values a sample); None when none does.
    """

    sqnr_db: float | None
    top1: float | None
    n: int
    fault: str | None


def compare(want: Iterable[Row], got: Iterable[Row]) -> Comparison:
    """Compare outputs sample by sample; `want` are the source's."""
    outputs: list[_Output] = []
    n = 0
    for expected, found in zip(want, got, strict=True):
        if len(expected) != len(found):
            return Comparison(None, None, n, f"it has {len(found)} outputs, the source {len(expected)}")
        outputs = outputs or [_Output(number) for number in range(len(expected))]
        for output, one, other in zip(outputs, expected, found, strict=True):
            output.add(np.asarray(one), np.asarray(other))
        n += 1
    faults = [fault for output in outputs if (fault := output.fault())]
    classifiers = [output.same_top1 / n for output in outputs if output.classifies]
    ratios = [ratio for output in outputs if (ratio := output.sqnr_db()) is not None]
    return Comparison(
        sqnr_db=min(ratios, default=None),
        top1=classifiers[0] if classifiers else None,
        n=n,
        fault=faults[0] if faults else None,
    )


def refuse_if_broken(found: Comparison, floor_db: float, on: str) -> None:
    """Raise ConversionError when something is plainly wrong, or the SQNR is below `floor_db`."""
    reason = found.fault
    if reason is None and found.sqnr_db is not None and found.sqnr_db < floor_db:
        reason = (
            f"its outputs are at {found.sqnr_db:.1f} dB SQNR from the source model's on {on}, "
            f"where at least {floor_db:.0f} dB are expected"
        )
    if reason:
        raise ConversionError(f"built, but computes something else: {reason}")


@dataclass
class _Output:
    """One output, summed up over the samples."""

    number: int
    signal: float = 0.0
    noise: float = 0.0
    same_top1: int = 0
    computed: bool = True
    classifies: bool = True
    wrong: str | None = None
    shape: list[int] | None = None
    first: tuple[Array, Array] | None = None
    varies: list[bool] = field(default_factory=lambda: [False, False])

    def add(self, want: Array, got: Array) -> None:
        self.shape = _extents(want) if self.shape is None else self.shape
        self.classifies = self.classifies and len(self.shape) == 1
        if want.dtype.kind != "f" or _extents(want) != self.shape:
            self.computed = self.classifies = False
        if _extents(want) != _extents(got):
            if self.computed:
                self.wrong = self.wrong or f"has shape {got.shape}, the source's {want.shape}"
            return
        want, got = want.reshape(-1).astype(np.float64), got.reshape(-1).astype(np.float64)
        finite = np.isfinite(want)
        if not np.isfinite(got[finite]).all():
            self.wrong = self.wrong or "has NaN or infinite values"
            return
        self.signal += float((want[finite] ** 2).sum())
        self.noise += float(((want - got)[finite] ** 2).sum())
        self.same_top1 += bool(want.size and want.argmax() == got.argmax())
        self.first = self.first or (want, got)
        for side, (value, one) in enumerate(zip((want, got), self.first, strict=True)):
            self.varies[side] = self.varies[side] or not np.array_equal(value, one)

    def sqnr_db(self) -> float | None:
        if not self.computed or self.wrong or (self.noise and not self.signal):
            return None
        return 10 * math.log10(self.signal / self.noise) if self.noise else math.inf

    def fault(self) -> str | None:
        if self.wrong:
            return f"output {self.number} {self.wrong}"
        if self.varies == [True, False]:
            return f"output {self.number} is the same for every sample, the source's is not"
        return None


def _extents(value: Array) -> list[int]:
    return [size for size in value.shape if size != 1]
