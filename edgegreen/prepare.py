"""From what the user names to a Plan: reads the recipe and the targets. Converts and connects to nothing.

Apart from the session, so that `--dry-run` answers at once: nothing here imports what a run needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgegreen import fleet, namedfiles, plan, recipe
from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.errors import InputError
from edgegreen.plan import Plan
from edgegreen.target import Target


def prepare(
    recipe_path: Path,
    targets: Sequence[str] = (),
    only: Sequence[str] = (),
    *,
    tags: Sequence[str] = (),
    retry_invalid: int | None = None,
    record_to: Path | None = None,
    measured: bool = True,
) -> Plan:
    """Read recipe and targets, and plan.

    `targets` and `tags` are what `fleet.select` takes; `only` narrows the recipe's variants down;
    `retry_invalid`, when given, stands for the recipe's own; what goes over the wire is recorded in the
    folder `record_to`. Unless it is to be `measured`, how does not matter. Raises InputError for whatever is
    wrong in them, and for a file that the recipe names and that is not there.
    """
    loaded = recipe.load(recipe_path)
    if not measured:
        loaded = loaded.model_copy(update={"benchmark": Benchmark()})
    elif retry_invalid is not None:
        benchmark = loaded.benchmark.model_copy(update={"retry_invalid": retry_invalid})
        loaded = loaded.model_copy(update={"benchmark": benchmark})
    chosen = fleet.select(targets, tags)
    if record_to is not None:
        _check_recordable(chosen.targets)
    namedfiles.check(loaded)
    variants = loaded.variants
    if not variants:
        from edgegreen import data, sources

        kind = sources.kind_of(data.locate(loaded.model, "model"))
        variants = recipe.default_variants(kind, calibrated=loaded.data.calibration is not None)
    made = plan.make(loaded, chosen.targets, variants, only)
    return replace(made, record_to=record_to, left_out=chosen.remarks)


def _check_recordable(targets: Sequence[Target]) -> None:
    for one in targets:
        if one.recording:
            raise InputError(
                f"{one.name} is a recording already", hint="record a board, or leave --record out"
            )
