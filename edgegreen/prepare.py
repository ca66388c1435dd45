"""From what the user names to a Plan: reads the recipe and the targets. Converts and connects to nothing.

Apart from the session, so that `--dry-run` answers at once: nothing here imports what a run needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgegreen import plan, recipe, target
from edgegreen.errors import InputError
from edgegreen.plan import Plan
from edgegreen.target import Target


def prepare(
    recipe_path: Path,
    targets: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    retry_invalid: int | None = None,
    record_to: Path | None = None,
    measured: bool = True,
) -> Plan:
    """Read recipe and targets, and plan.

    `targets` are what `find_target` takes (this machine when empty); `only` narrows the recipe's variants
    down; `retry_invalid`, when given, stands for the recipe's own; what goes over the wire is recorded in the
    folder `record_to`. Unless it is to be `measured`, how does not matter. Raises InputError for whatever is
    wrong in them.
    """
    loaded = recipe.load(recipe_path)
    if not measured:
        loaded = loaded.model_copy(update={"benchmark": recipe.Benchmark()})
    elif retry_invalid is not None:
        benchmark = loaded.benchmark.model_copy(update={"retry_invalid": retry_invalid})
        loaded = loaded.model_copy(update={"benchmark": benchmark})
    chosen = [find_target(spec) for spec in dict.fromkeys(targets or ["local"])]
    if record_to is not None:
        _check_recordable(chosen)
    variants = loaded.variants
    if not variants:
        from edgegreen import data, sources

        kind = sources.kind_of(data.locate(loaded.model, "model"))
        variants = recipe.default_variants(kind, calibrated=loaded.data.calibration is not None)
    return replace(plan.make(loaded, chosen, variants, only), record_to=record_to)


def find_target(spec: str) -> Target:
    """The target that a name, a file, an ssh:// address or `replay:PATH` means. Raises InputError."""
    if spec.startswith("replay:"):
        from edgegreen.transport import recording

        return recording.replayed(spec)
    return target.find(spec)


def _check_recordable(targets: Sequence[Target]) -> None:
    for one in targets:
        if one.recording:
            raise InputError(
                f"{one.name} is a recording already", hint="record a board, or leave --record out"
            )
