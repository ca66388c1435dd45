"""A share as people write it, on the command line and in a recipe: `5%`, `5 %` or `0.05`."""

from __future__ import annotations

import math


def parse(text: str) -> float:
    """The share, at least 0 and below 1; raises ValueError, in words for people."""
    number, percent, rest = text.partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = math.nan
    if not rest and 0 <= share < 1:
        return share
    told = f"`{text[:60]}` is no share such as 5% or 0.05"
    if not percent and 1 <= share < 100:
        told = f"{told}; did you mean {share:g}% or {share / 100:g}?"
    raise ValueError(told)
