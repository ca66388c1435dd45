"""A whole search: from what the user names to the front and `best.yaml`, judged on evaluation data."""

from __future__ import annotations

import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edgegreen import data, plan, prepare
from edgegreen.artifact import File
from edgegreen.building import Progress, build_only
from edgegreen.cache.keys import key_of
from edgegreen.cache.store import Cache
from edgegreen.config.references import Download
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.history.kept import Kept
from edgegreen.judging.front import Outcome
from edgegreen.judging.objectives import OBJECTIVES, ObjectiveName
from edgegreen.measurement import Measurement, Run
from edgegreen.plan import Plan
from edgegreen.recipe import Recipe
from edgegreen.report.search import headline
from edgegreen.search import best, kept, study
from edgegreen.search import data as apart
from edgegreen.search.best import Found
from edgegreen.search.conductor import Budget, Conductor, error_of
from edgegreen.search.kept import Settings
from edgegreen.search.measuring import Measuring
from edgegreen.search.scope import Scope
from edgegreen.search.space import Candidate, Space
from edgegreen.search.study import PREFIX, Study
from edgegreen.session import Session
from edgegreen.sources import files

WHO = "search"
DROP_MAX = 0.01  # where neither the user nor the recipe's budgets say


@dataclass(frozen=True)
class Wanted:
    """What the user asks for. `limit` None: the recipe's budget; `seed` None: the recipe's."""

    recipe: Path
    target: str
    objective: ObjectiveName
    budget: Budget
    output: Path
    limit: float | None = None
    seed: int | None = None
    resume: str | None = None


@dataclass(frozen=True)
class Result:
    """How a search ended. `judged` is the winner, and the baseline, on the evaluation data."""

    search_id: str
    outcome: Outcome
    interrupted: bool
    broken: EdgegreenError | None
    judged: Run | None
    reproduced: bool | None
    """Whether the file that `best.yaml` builds is the one that was chosen; None where there is none."""
    waits: InputError | None
    """Why a run of it is not in the history yet, if so."""
    measured: tuple[Kept, ...]
    """Its runs: that of the candidates, and that of the winner."""


class Search:
    """One search, prepared: everything that can be wrong was looked at, and nothing is measured yet."""

    def __init__(self, wanted: Wanted, cache: Cache) -> None:
        study.require()
        best.check_place(wanted.output)
        self._wanted = wanted
        self._waits: InputError | None = None
        self._measured: list[Kept] = []
        self._plan = _plan(wanted)
        self._target = self._plan.targets[0]
        if self._target.wish:
            raise InputError(
                f"`{self._target.name}` may be another board each time it is leased, and a search needs one",
                hint="`labgrid-client -p PLACE lock` leases one to you; then give its ssh:// address",
            )
        timed = OBJECTIVES[wanted.objective].of_speed
        self._recipes = apart.recipes(self._plan.recipe, cache, timed=timed)
        if wanted.objective == "energy" and not self._target.is_metered:
            raise InputError(
                f"{self._target.name} has no power meter, and the objective is energy",
                hint="name one in the target's file (`power: {meter: auto}`), or search for `latency`",
            )
        self._scope = Scope(self._recipes.choosing)
        self.space = self._scope.space(self._target, list(self._plan.variants.values()), timed=timed)
        budgets = self._plan.recipe.budgets.on(self._target.name)
        limit = budgets.accuracy_drop_max if wanted.limit is None else wanted.limit
        self.settings = Settings(
            search_id=kept.new_id(),
            recipe=self._plan.recipe.name,
            inputs=_digest(self._recipes.choosing, self._plan, self.space),
            target=self._target.name,
            objective=wanted.objective,
            limit=DROP_MAX if limit is None else limit,
            seed=self._plan.recipe.seed,
        )
        if wanted.resume:
            earlier = kept.find(wanted.resume)
            kept.check_same(earlier, self.settings)
            self.settings = earlier

    def run(self, progress: Progress) -> Result:
        """Try candidates until the budget is spent, then judge the best. Raises InputError."""
        self.settings.save()
        calm = Calm(progress)
        settings = self.settings
        asked = Study(settings.folder, self.space, settings.seed, settings.limit)
        asked.begin(list(self.space.seeds())[: max(1, self._wanted.budget.trials // 2)])
        with Measuring(self._recipes.choosing, self._target, calm, settings.run) as measuring:
            conductor = Conductor(
                self._recipes.choosing, self._target, asked, measuring,
                objective=OBJECTIVES[settings.objective], limit=settings.limit,
            )  # fmt: skip

            def told(outcome: Outcome) -> None:
                if measuring.run and self.settings.run_id is None:
                    self.settings = self.settings.model_copy(update={"run_id": measuring.run.run_id})
                    self.settings.save()
                wanted = self._wanted.budget.trials
                calm.headline(headline(outcome, wanted), conductor.count / wanted)

            conductor.run(self._plan.trials, self._wanted.budget, self._refused, told)
            self._waits = measuring.waits
            if measuring.run:
                self._measured.append(Kept(measuring.run, measuring.series))
        return self._ended(conductor, calm)

    def _refused(self, candidate: Candidate) -> str | None:
        return self._scope.refused(candidate.variant)

    def _ended(self, conductor: Conductor, calm: Calm) -> Result:
        outcome = conductor.outcome
        broken = error_of(conductor.broken) if conductor.broken else None
        judged, reproduced = None, None
        if outcome.best and not conductor.interrupted and not broken:
            judged, reproduced = self._judge(outcome, calm)
        search_id, interrupted = self.settings.search_id, conductor.interrupted
        return Result(
            search_id, outcome, interrupted, broken, judged, reproduced, self._waits, tuple(self._measured)
        )

    def _judge(self, outcome: Outcome, calm: Calm) -> tuple[Run, bool | None]:
        """Write `best.yaml`, deploy it as it is written, and write down how it did. The choice stays made."""
        found = self._found(outcome)
        best.write(found, self._wanted.output)
        rebuilt = self._rebuilt(found.name, calm)
        again = prepare.prepare(self._wanted.output, [self._wanted.target])
        calm.headline(f"measuring {found.name} on the evaluation data", 1.0)
        session = Session(again, calm)
        run = session.run()
        self._waits = session.keep() or self._waits
        self._measured.append(Kept(run, session.keeping.series))
        mine = next((one for one in run.results if one.variant == found.name), None)
        chosen = found.winner.measurement
        if mine is None or chosen is None:
            return run, None
        best.write(found, self._wanted.output, _judged_words(mine, outcome))
        return run, rebuilt == mine.artifact.sha256 == chosen.artifact.sha256

    def _rebuilt(self, name: str, calm: Calm) -> str | None:
        """The digest of what the written recipe builds with nothing kept; None where it does not build."""
        calm.headline(f"building {name} again, from nothing", 1.0)
        alone = prepare.prepare(self._wanted.output, [self._wanted.target], [name])
        with tempfile.TemporaryDirectory(prefix="edgegreen-") as folder:
            made, _ = build_only(alone, calm, cache=Cache(Path(folder)))
            return made[name].sha256 if name in made else None

    def _found(self, outcome: Outcome) -> Found:
        winner = outcome.best
        assert winner is not None
        baseline = self._plan.baseline
        variants = self._plan.variants
        return Found(
            self._recipes.judging, outcome, winner,
            winner.variant,
            (baseline, variants[baseline]), self.settings.search_id,
        )  # fmt: skip


class Calm:
    """A search's one line: how far it is and what it found, behind it what goes on just now."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said, self._done = "beginning", 0.0
        self._lock = threading.Lock()

    def headline(self, text: str, done: float) -> None:
        """From now on, this."""
        with self._lock:
            self._said, self._done = text, done
        self._progress.step(WHO, text, "", done)

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:  # noqa: ARG002
        """What goes on just now; whose share is done of it does not matter here."""
        self._progress.step(WHO, self._said, f"{who} {doing}" + (f" {stage}" if stage else ""), self._done)

    def finish(self, who: str, doing: str) -> None:
        """One part of a round is through; the search is not."""

    def note(self, who: str, text: str) -> None:
        """What is worth a line in a deploy is here, many times over, worth a moment."""
        self.step(f"{who}:", text)


def run(wanted: Wanted, progress: Progress) -> Result:
    """Search: what `edgegreen search` does, for Python. Raises InputError for what is wrong beforehand."""
    with closing(Cache.default()) as cache:
        return Search(wanted, cache).run(progress)


def look(wanted: Wanted) -> Space:
    """What would be tried. Raises InputError as `run` does, and measures nothing."""
    with closing(Cache.default()) as cache:
        return Search(wanted, cache).space


def _plan(wanted: Wanted) -> Plan:
    """The recipe's own variants on the one target, as `deploy` would have them."""
    made = prepare.prepare(wanted.recipe, [wanted.target])
    taken = [name for name in made.variants if name.startswith(PREFIX)]
    if taken:
        raise InputError(
            f"variant `{taken[0]}`: names that begin with `{PREFIX}` are those of a search's candidates",
            hint="give it another name",
        )
    alone = {"governors": (), "power_modes": ()}
    changes: dict[str, object] = {"benchmark": made.recipe.benchmark.model_copy(update=alone)}
    if wanted.seed is not None:
        changes["seed"] = wanted.seed
    return plan.make(made.recipe.model_copy(update=changes), made.targets, made.variants)


def _digest(choosing: Recipe, of: Plan, space: Space) -> str:
    """Stands for all that decides what a candidate is worth, but for the board."""
    model = data.locate(choosing.model, "model")
    wanted = choosing.data
    named: dict[str, Path | Download | float | None] = {
        "training": wanted.training, "choosing": wanted.evaluation, "calibration": wanted.calibration,
    }  # fmt: skip
    return key_of(
        "search",
        model=files.digest(model, files.format_of(model)),
        data={
            what: None if one is None or isinstance(one, float) else File.of(data.locate(one, what)).sha256
            for what, one in named.items()
        },
        metric=wanted.model_dump(mode="json", include={"metric", "loss"}),
        given={name: variant.model_dump(mode="json") for name, variant in of.variants.items()},
        space=space.told(),
    )


def _judged_words(mine: Measurement, outcome: Outcome) -> str:
    value = outcome.objective.of(mine)
    accuracy = mine.accuracy
    loss = "" if accuracy is None or accuracy.baseline is None else f", float model {accuracy.baseline:.4f}"
    told = "" if accuracy is None else f"{accuracy.metric} {accuracy.value:.4f}{loss} ({accuracy.n} samples)"
    return f"{told}; {outcome.objective.heading} {'not measured' if value is None else f'{value:.4g}'}"
