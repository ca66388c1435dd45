"""A kept run again: the plan that repeats it, what it would be made from that differs, and running it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgegreen import fleet
from edgegreen.building import Progress
from edgegreen.cache.store import Cache
from edgegreen.errors import InputError
from edgegreen.history import runs
from edgegreen.home import home
from edgegreen.judging.pairing import Difference
from edgegreen.locked import differing, host
from edgegreen.measurement import Measurement, Origin, Run
from edgegreen.plan import Plan, Trial
from edgegreen.prepare import prepare
from edgegreen.session import Session

FOLDERS = (Path(), Path("recipes"))  # where a recipe is looked for by its name


@dataclass(frozen=True)
class Repetition:
    """The part of a run that is repeated, and how.

    `made_otherwise` is what recipe and data differ in from the run's, `beside` what else does: tools, host.
    """

    run: Run
    plan: Plan
    made_otherwise: tuple[Difference, ...]
    beside: tuple[Difference, ...]

    def refuse(self) -> InputError | None:
        """Why it would not be a repetition, if so."""
        if not self.made_otherwise:
            return None
        said = differing.words(self.made_otherwise, "then")
        return InputError(
            "\n".join([f"not what run {self.run.run_id} was made from", *(f"  {one}" for one in said)]),
            hint="put it back as it was, name another with --recipe, or --force to run it all the same",
        )


def of(
    run: Run, recipe: Path | None = None, targets: Sequence[str] = (), *, retry_invalid: int | None = None
) -> Repetition:
    """How to repeat what `run` measured, on the targets that `targets` mean (all of its own when empty).

    Raises InputError: the run does not say what it was made from, or has no results there; recipe, data or
    target cannot be found.
    """
    if run.origin is None or run.origin.recipe_text is None or run.origin.recipe_file is None:
        raise InputError(f"run {run.run_id} does not say what it was made from", hint="later runs do")
    specs = targets or list(dict.fromkeys(item.target for item in run.results))
    chosen = runs.only(run, [fleet.find(spec).name for spec in specs], ())
    if not chosen.results:
        raise InputError(
            f"run {run.run_id} measured nothing that could be repeated", hint="`edgegreen runs` has others"
        )
    variants = list(dict.fromkeys(item.variant for item in chosen.results))
    plan = prepare(recipe or _found(run.origin.recipe_file), specs, variants, retry_invalid=retry_invalid)
    if plan.recipe.name != run.recipe:
        raise InputError(f"run {run.run_id} is of recipe `{run.recipe}`, not `{plan.recipe.name}`")
    trials = tuple(trial for trial in plan.trials if any(_is_of(trial, item) for item in chosen.results))
    now = host.of(plan.recipe)
    then = _origin(run.origin)
    return Repetition(
        chosen,
        replace(plan, trials=trials),
        tuple(differing.between(then, now.model_dump(include={"recipe", "files"}))),
        tuple(
            differing.between(
                {"tools": run.origin.tools, "host": run.origin.host},
                now.model_dump(include={"tools", "host"}),
            )
        ),
    )


@contextmanager
def session(repetition: Repetition, progress: Progress, *, cached: bool = False) -> Iterator[Session]:
    """What runs it. Unless `cached`, models are built from nothing: a file from the cache would be the same.

    Raises InputError when there is no place to build in.
    """
    if cached:
        yield Session(repetition.plan, progress)
        return
    try:
        home().mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix="verify-", dir=home())
    except OSError as error:
        raise InputError(f"cannot write to {home()}: {error.strerror}") from None
    with folder as place:
        yield Session(repetition.plan, progress, cache=Cache(Path(place)))


def _origin(origin: Origin) -> dict[str, object]:
    return {"recipe": host.sections(origin.recipe_text or ""), "files": origin.files}


def _found(name: str) -> Path:
    """The recipe file of that name."""
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"the run's recipe {name} is not here", hint="`--recipe FILE` says where it is")


def _is_of(trial: Trial, item: Measurement) -> bool:
    same = (trial.target.name, trial.variant_name, trial.threads, trial.tuning)
    return (
        same == (item.target, item.variant, item.threads, item.tuning) and item.runtime.name in trial.runtimes
    )
