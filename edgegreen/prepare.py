"""From what the user names to a Plan: reads the recipe and the targets. Converts and connects to nothing.

Apart from the session, so that `--dry-run` answers at once: nothing here imports what a run needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgegreen import plan, recipe, target
from edgegreen.plan import Plan


def prepare(
    recipe_path: Path,
    targets: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    retry_invalid: int | None = None,
    measured: bool = True,
) -> Plan:
    """Read recipe and targets, and plan.

    `targets` are names, files or ssh:// addresses (this machine when empty); `only` narrows the recipe's
    variants down; `retry_invalid`, when given, stands for the recipe's own. Unless it is to be `measured`,
    how does not matter. Raises InputError for whatever is wrong in them.
    """
    loaded = recipe.load(recipe_path)
    if not measured:
        loaded = loaded.model_copy(update={"benchmark": recipe.Benchmark()})
    elif retry_invalid is not None:
        benchmark = loaded.benchmark.model_copy(update={"retry_invalid": retry_invalid})
        loaded = loaded.model_copy(update={"benchmark": benchmark})
    chosen = [target.find(spec) for spec in dict.fromkeys(targets or ["local"])]
    variants = loaded.variants
    if not variants:
        from edgegreen import data, sources

        kind = sources.kind_of(data.locate(loaded.model, "model"))
        variants = recipe.default_variants(kind, calibrated=loaded.data.calibration is not None)
    return plan.make(loaded, chosen, variants, only)
