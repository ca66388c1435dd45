"""What `deploy` would do: a line a trial; on many boards a line for what is the same on all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from edgegreen.plan import Plan, Trial
from edgegreen.report import listed, names, words
from edgegreen.report.listed import Column

MANY = 3
"""Targets, from which on what is the same on several is said once."""
COLUMNS = (
    Column("Setting"),
    Column("Variant", name=True),
    Column("Format", 3),
    Column("Precision", 2),
    Column("Runtime", 1),
    Column("Threads", right=True),
)
Kind = tuple[str, ...]
"""The cells of a trial, without its target."""


def show(plan: Plan, out: Console, *, each: bool = False) -> None:
    """Print the totals, then the trials; with `each`, however many there are, a line for every one."""
    benchmark, tuned = plan.recipe.benchmark, any(trial.tuning for trial in plan.trials)
    sides = f"{words.count(plan.variants, 'variant')} × {words.count(plan.targets, 'target')}"
    trials = f"{len(plan.trials):,} trial{'s' * (len(plan.trials) != 1)}, {benchmark.duration_s:g} s each"
    out.print(f"{plan.recipe.name}: {sides} = {trials}; baseline {plan.baseline}")
    if each or len(plan.targets) < MANY:
        lines = [(trial.target.name, *_kind(trial, tuned=tuned)) for trial in plan.trials]
        listed.show((Column("Target", name=True), *_columns(tuned=tuned)), lines, out)
        return
    for boards, kinds in _by_boards(plan.trials, tuned=tuned).items():
        here = f"{words.count(kinds, 'trial')}" + (" on each of" if len(boards) > 1 else " on")
        out.print()
        out.print(Text.assemble((here, "dim"), f" {names.compact(boards)}"))
        listed.show(_columns(tuned=tuned), kinds, out, indent=2)


def to_json(plan: Plan) -> str:
    """The plan as JSON (schema 1): every trial, in the order in which its target runs it."""
    trials = [
        {
            "target": trial.target.name,
            "variant": trial.variant_name,
            "format": trial.variant.format,
            "precision": trial.variant.precision,
            "runtimes": trial.runtimes,
            "threads": trial.threads,
            "tuning": trial.tuning and trial.tuning.model_dump(),
        }
        for trial in plan.trials
    ]
    told = {"schema": 1, "recipe": plan.recipe.name, "baseline": plan.baseline, "trials": trials}
    return json.dumps(told | {"remarks": plan.remarks}, indent=2, ensure_ascii=False)


def _columns(*, tuned: bool) -> Sequence[Column]:
    """Those of a trial, without its target."""
    return COLUMNS if tuned else COLUMNS[1:]


def _kind(trial: Trial, *, tuned: bool) -> Kind:
    return (
        *([str(trial.tuning)] * tuned),
        trial.variant_name,
        trial.variant.format,
        trial.variant.precision or "as it is",
        " or ".join(trial.runtimes),
        str(trial.threads),
    )


def _by_boards(trials: Iterable[Trial], *, tuned: bool) -> dict[tuple[str, ...], Sequence[Kind]]:
    """Each kind of trial once, below the names of all targets that it is for."""
    targets: dict[Kind, list[str]] = {}
    for trial in trials:
        targets.setdefault(_kind(trial, tuned=tuned), []).append(trial.target.name)
    found: dict[tuple[str, ...], list[Kind]] = {}
    for kind, mine in targets.items():
        found.setdefault(tuple(mine), []).append(kind)
    return dict(found)
