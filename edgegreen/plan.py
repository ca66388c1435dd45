"""Plan: Recipe × Targets → Trials. Pure: nothing is opened, converted or connected to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegreen.config.benchmarkkeys import Benchmark
from edgegreen.config.mistakes import did_you_mean
from edgegreen.errors import InputError
from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.measurement import Planned, Run, Tuning
from edgegreen.recipe import Recipe, Variant
from edgegreen.target import Target


@dataclass(frozen=True)
class Trial:
    """One variant on one target, with one runtime and one number of threads, under one setting.

    `runtimes` are the candidates in order of preference; the first that the board has is used. Without
    `tuning` the board is left as it is.
    """

    variant_name: str
    variant: Variant
    target: Target
    runtimes: tuple[RuntimeName, ...]
    threads: int
    tuning: Tuning | None = None


@dataclass(frozen=True)
class Plan:
    """What a run will do. `variants` is never empty; `baseline` is one of them.

    `profile` asks each trial for the times of single operators as well.
    """

    recipe: Recipe
    targets: tuple[Target, ...]
    variants: dict[str, Variant]
    baseline: str
    trials: tuple[Trial, ...]
    profile: bool = False
    record_to: Path | None = None
    """The folder that what goes to and comes from each target is recorded in, if any."""
    left_out: tuple[str, ...] = ()
    """Targets that could have been meant and are not in it, and why."""

    @property
    def title(self) -> str:
        """What it is called: by the recipe, and by the variants where they are not all of the recipe's."""
        narrowed = self.recipe.variants and set(self.variants) != set(self.recipe.variants)
        return "+".join([self.recipe.name, *(self.variants if narrowed else ())])

    @property
    def names(self) -> Planned:
        """The names of its targets and variants."""
        return Planned(targets=tuple(one.name for one in self.targets), variants=tuple(self.variants))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user may not expect of this plan, a line each."""
        said = list(self.left_out)
        calibrated = any(variant.calibrated for variant in self.variants.values())
        if not self.recipe.variants and self.recipe.data.calibration is None and not calibrated:
            said.append(
                "no int8 variants: they need data to calibrate on, and the recipe names no `calibration`"
            )
        if self.recipe.baseline and self.recipe.baseline != self.baseline:
            said.append(f"baseline {self.recipe.baseline} is left out; speed counts from {self.baseline}")
        names = {target.name.removeprefix("replay:") for target in self.targets}
        elsewhere = [
            name for name in self.recipe.budgets.targets if name.removeprefix("replay:") not in names
        ]
        if elsewhere and not any(target.wish for target in self.targets):  # which places, is not known yet
            said.append(f"budgets of {', '.join(elsewhere)} hold on no target of this run")
        if self.recipe.footprint and self.recipe.footprint.lacks:
            said.append(self.recipe.footprint.lacks)
        return tuple(said)

    def trials_of(self, target: Target) -> tuple[Trial, ...]:
        """The trials that run on `target`, in order."""
        return tuple(trial for trial in self.trials if trial.target == target)


def make(
    recipe: Recipe, targets: Sequence[Target], variants: dict[str, Variant], only: Sequence[str] = ()
) -> Plan:
    """Lay out every trial.

    `variants` are the recipe's, or the default set when it names none; `only` narrows them down.
    Settings of the board are outermost, because changing them takes time. Raises InputError for a name in
    `only` or a baseline that is no variant, for two targets of one name, for settings that a target does not
    allow to change, and for a variant or a target that no trial is left for.
    """
    unknown = [name for name in only if name not in variants]
    if unknown:
        raise InputError(
            f"no variant called `{unknown[0]}`{did_you_mean(unknown[0], variants)}",
            hint=f"this recipe has {', '.join(variants)}",
        )
    chosen = {name: variant for name, variant in variants.items() if not only or name in only}
    if not chosen:
        raise InputError(f"recipe `{recipe.name}` has no variants to build")
    if recipe.baseline and recipe.baseline not in variants:
        near = did_you_mean(recipe.baseline, variants)
        raise InputError(
            f"baseline `{recipe.baseline}` is no variant of this recipe{near}",
            hint=f"it has {', '.join(variants)}",
        )
    twice = [name for name, count in Counter(target.name for target in targets).items() if count > 1]
    if twice:
        raise InputError(f"two targets are called `{twice[0]}`", hint="results are told apart by that name")
    _check_allowed(recipe.benchmark, targets)
    trials = tuple(
        Trial(name, variant, target, candidates, threads, tuning)
        for target in targets
        for tuning in _settings(recipe.benchmark)
        for name, variant in chosen.items()
        for candidates in _runtimes(variant, target)
        for threads in _threads(variant, recipe.benchmark)
    )
    _check_all_run(chosen, targets, trials)
    baseline = recipe.baseline if recipe.baseline in chosen else next(iter(chosen))
    return Plan(recipe, tuple(targets), chosen, baseline, trials)


def check_takes_up(the_plan: Plan, earlier: Run) -> None:
    """Raise InputError unless the plan is of the earlier run's recipe, targets and variants.

    Of a run that does not say what it set out to measure, the recipe alone is known.
    """
    if earlier.recipe != the_plan.recipe.name:
        raise InputError(
            f"run {earlier.run_id} is of recipe `{earlier.recipe}`, not `{the_plan.recipe.name}`"
        )
    then, now = earlier.planned or the_plan.names, the_plan.names
    for what, before, after in (
        ("targets", then.targets, now.targets),
        ("variants", then.variants, now.variants),
    ):
        if set(before) != set(after):
            raise InputError(
                f"run {earlier.run_id} is of the {what} {', '.join(before)}, not {', '.join(after)}",
                hint=f"take it up with the {what} as before, or leave --resume out for a run of its own",
            )


def _settings(benchmark: Benchmark) -> list[Tuning | None]:
    """The settings to try, those that are slow to change outermost; one None when there are none."""
    if not benchmark.governors and not benchmark.power_modes:
        return [None]
    return [
        Tuning(governor=governor, power_mode=mode)
        for mode in benchmark.power_modes or (None,)
        for governor in benchmark.governors or (None,)
    ]


def _threads(variant: Variant, benchmark: Benchmark) -> tuple[int, ...]:
    """Each number of them; the first one where nothing runs on the processor."""
    return benchmark.threads[:1] if FORMATS[variant.format].engine else benchmark.threads


def _check_allowed(benchmark: Benchmark, targets: Sequence[Target]) -> None:
    keys = [key for key in ("governors", "power_modes") if getattr(benchmark, key)]
    unwilling = [target.place for target in targets if not target.allow_tuning]
    if keys and unwilling:
        settings = " and ".join(f"`{key}`" for key in keys)
        raise InputError(
            f"{', '.join(unwilling)}: the recipe's {settings} would change the board's own settings, "
            "which the target does not allow",
            hint="write `allow_tuning: true` in the target's file if edgegreen may change them and put them "
            f"back, or leave {settings} out of the recipe",
        )


def _check_all_run(chosen: dict[str, Variant], targets: Sequence[Target], trials: Sequence[Trial]) -> None:
    """Only a target that names its `runtimes` can leave something without a trial."""
    for name, variant in chosen.items():
        if not any(trial.variant_name == name for trial in trials):
            where = " or ".join(target.name for target in targets)
            raise InputError(
                f"no runtime that {where} names under `runtimes` runs `{name}` ({variant.format})",
                hint=f"{variant.format} is run by {' or '.join(FORMATS[variant.format].runtimes)}",
            )
    for target in targets:
        if not any(trial.target == target for trial in trials):
            raise InputError(
                f"{target.name}: `runtimes: [{', '.join(target.runtimes or ())}]` runs none of "
                + ", ".join(chosen)
            )


def _runtimes(variant: Variant, target: Target) -> list[tuple[RuntimeName, ...]]:
    able = FORMATS[variant.format].runtimes
    if target.runtimes is None:
        return [able]
    # Runtimes the user names are all wanted: one trial each.
    return [(name,) for name in target.runtimes if name in able]
