"""What a meter saw during one trial, and what is known of it: the same whether board or host has read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.meters.base import About
from edgegreen.agent.sampler import Summary

RECORD = np.dtype([("t_ns", "<i8"), ("took_ns", "<u4"), ("value", "<f8")])  # as sampler.RECORD packs it


@dataclass(frozen=True)
class Record:
    """A meter's record on the clock of the trial's windows, or why there is none.

    `readings` are of type RECORD: when, how long it took, and W, or J of a counter; NaN where one failed.
    One was to be taken every `period_s`; their clock may be off by `alignment_s`. `about` is None where no
    meter could be read; `why` says what was taken and why, or why nothing was. `troubles` are what went
    wrong meanwhile, in words.
    """

    read_on: Literal["board", "host"]
    about: About | None
    why: str
    period_s: float | None = None
    alignment_s: float = 0.0
    readings: NDArray[Any] = field(default_factory=lambda: np.empty(0, RECORD))
    summary: Summary | None = None
    troubles: tuple[str, ...] = ()

    @classmethod
    def none(cls, read_on: Literal["board", "host"], why: str) -> Record:
        """That of no meter."""
        return cls(read_on, None, why)
