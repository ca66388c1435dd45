"""Energy by published costs of single operations: an estimate, to compare layers and models by.

Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, pp. 10-14,
doi:10.1109/ISSCC.2014.6757323, fig. 1.1.9: 45 nm, 0.9 V. A MAC is one multiplication and one addition. Each
tensor is read once and written once; where from decides more than all else, so there are two ends: a cache
and DRAM.
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "M. Horowitz, Computing's energy problem, ISSCC 2014, doi:10.1109/ISSCC.2014.6757323, fig. 1.1.9"
YEAR, NODE_NM, SUPPLY_V = 2014, 45, 0.9

# Arithmetic → pJ of a multiplication and of the addition. 8-bit products are added up in 32 bits.
MAC_PJ = {"float32": 3.7 + 0.9, "float16": 1.1 + 0.4, "int8": 0.2 + 0.1}
# pJ per byte, from those of a 64-bit access.
CACHE_PJ_PER_BYTE = 100 / 8  # 1 MB of SRAM
DRAM_PJ_PER_BYTE = 2600 / 8  # 1.3 to 2.6 nJ

ASSUMES = (
    "each tensor is read and written once, from a 1 MB cache (100 pJ per 64 bits: the low end) or from DRAM "
    "(2.6 nJ: the high end)",
    "a MAC takes 4.6 pJ in float32, 1.5 in float16, 0.3 in int8 (summed in 32 bits)",
)
LEFT_OUT = (
    "instructions (about 70 pJ each on a processor of that table)", "leakage and idle power", "additions and "
    "comparisons of element-wise layers", "data moved more than once", "the board around the processor",
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """µJ per inference, estimated. `low_uj`: all data lie in a cache, `high_uj`: all in DRAM."""

    arithmetic_uj: float
    low_uj: float
    high_uj: float


def estimate(macs: int, arithmetic: str | None, moved_bytes: int) -> Estimate | None:
    """For one layer; None when no cost is published for its arithmetic (and it has any)."""
    if macs and arithmetic not in MAC_PJ:
        return None
    computed = macs * MAC_PJ[arithmetic] * 1e-6 if arithmetic in MAC_PJ else 0.0
    return Estimate(
        arithmetic_uj=computed,
        low_uj=computed + moved_bytes * CACHE_PJ_PER_BYTE * 1e-6,
        high_uj=computed + moved_bytes * DRAM_PJ_PER_BYTE * 1e-6,
    )
