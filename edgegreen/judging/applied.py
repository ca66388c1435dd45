"""What passes were applied to a model, in words that tell one from another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgegreen.config.passes import Pass


def told(step: Pass) -> str:
    """`prune (sparsity 0.8, epochs 5)`: a pass, with the parameters that were given."""
    given = step.parameters.model_dump(exclude_unset=True)
    inside = ", ".join(f"{key} {_value(value)}" for key, value in given.items())
    return f"{step.name} ({inside})" if inside else step.name


def name_of(words: str) -> str:
    """The pass that `told` put into these words."""
    return words.partition(" (")[0]


def all_told(passes: Sequence[Pass]) -> tuple[str, ...]:
    """Each of them, in order."""
    return tuple(map(told, passes))


def _value(value: Any) -> str:
    return value.name if isinstance(value, Path) else f"{value:g}" if isinstance(value, float) else str(value)
