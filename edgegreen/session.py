"""The one conductor: takes a Plan through building, deploying and measuring, and keeps every result.

Targets run side by side, one thread each; this machine itself, when it is a target, is measured only
after all models are built, so that building does not disturb it. Each result is written to the run's
file in the spool as soon as it is there; `keep` moves the run into the history at the end.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from edgegreen import bundle, data, executor, metrics, nameddata
from edgegreen.artifact import File
from edgegreen.building import BUILDING, BuildProgress, Progress, Silence
from edgegreen.cache.store import Cache
from edgegreen.convert import Build, Reference
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.history.keeping import Keeping
from edgegreen.history.series import Series
from edgegreen.home import home
from edgegreen.locked import host, origin
from edgegreen.locked.lock import Lock
from edgegreen.measurement import Failure, Measurement, Origin, Planned, Run
from edgegreen.measuring import engines
from edgegreen.measuring.engines import Fewer
from edgegreen.measuring.evaluation import Baseline, EvaluationSet, baseline
from edgegreen.measuring.leased import LeasedRun
from edgegreen.measuring.materials import Materials
from edgegreen.measuring.trials import TargetRun
from edgegreen.metrics import Outputs
from edgegreen.plan import Plan
from edgegreen.prepare import prepare
from edgegreen.stopping import stop_on_signals
from edgegreen.target import Target


def deploy(
    recipe: str | Path,
    targets: Sequence[str] = (),
    variants: Sequence[str] = (),
    progress: Progress | None = None,
    *,
    profile: bool = False,
    record_to: Path | None = None,
    locked: bool = False,
) -> Run:
    """Build, deploy and measure: what `edgegreen deploy` does, for Python.

    `targets` are names, files, ssh:// addresses or `replay:PATH` (this machine when empty), `variants`
    narrows the recipe's down, `profile` asks for the times of single operators, `record_to` is a folder for
    recordings, `locked` refuses what differs from the recipe's lock. Failures of single variants and targets
    are in the Run; raises InputError for what is wrong in the recipe, model, data or names.
    """
    the_plan = prepare(Path(recipe), targets, variants, record_to=record_to)
    lock = host.required(the_plan) if locked else None
    one = Session(replace(the_plan, profile=profile), progress or Silence(), lock=lock)
    run = one.run()
    if why := one.keep():
        one.note("history", why.line)
    return run


class Session:
    """One run of a Plan; with `earlier`, that run is taken up again, and keeps its name and its results.

    Whether the plan is that run's is for the caller to know (`plan.check_takes_up`): a search's grows.

    With a `lock`, boards and built files that are not as it says are failures. `cache` stands for the user's
    own, and is closed in the end.
    """

    def __init__(
        self,
        the_plan: Plan,
        progress: Progress,
        earlier: Run | None = None,
        *,
        lock: Lock | None = None,
        cache: Cache | None = None,
    ) -> None:
        self.plan, self.progress, self.lock = the_plan, progress, lock
        self._cache = cache
        self.interrupted = False
        self.started_at = earlier.started_at if earlier else datetime.now(UTC)
        self.run_id = earlier.run_id if earlier else f"{self.started_at:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
        self.keeping = Keeping(self.run_id)
        self._results = list(earlier.results) if earlier else []
        self._earlier = tuple(self._results)
        self._failures: list[Failure] = []
        self._origin: Origin | None = None
        self._planned = _planned(the_plan.names, earlier.planned if earlier else None)
        self._lock = threading.Lock()

    def run(self) -> Run:
        """Build, deploy, measure. Returns whatever was measured, also when interrupted; `keep` it then.

        Raises InputError when the model or the data are wrong, before anything is connected to, or when
        another process is at this run.
        """
        self._check_data()
        evaluation = self._evaluation_set()
        self._origin = origin.of(self.plan.recipe)
        packed = _pack_agent()
        with self.keeping.claimed():
            self._measure(evaluation, packed)
        return self.outcome()

    def keep(self) -> InputError | None:
        """Move the run from the spool into the history; why it is still in the spool, if it is."""
        run = self.outcome()
        return self.keeping.move(run) if run.results or run.failures else None

    def _measure(self, evaluation: EvaluationSet | None, packed: File) -> None:
        with stop_on_signals() as stop, ThreadPoolExecutor(len(self.plan.targets) + 1) as pool:
            told = BuildProgress(len(self.plan.variants), self.progress)
            with (
                closing(self._cache or Cache.default()) as cache,
                executor.build(self.plan.recipe, self.plan.variants, cache, told) as building,
            ):
                built = host.as_locked(building, self.lock) if self.lock else building
                scored = pool.submit(_baseline_accuracy, built.reference, self.plan, evaluation)
                materials = Materials(
                    packed,
                    evaluation,
                    built.artifacts,
                    built.expected,
                    built.unchanged,
                    scored,
                    self._fewer(pool, built.reference, evaluation),
                    self._earlier,
                    self.lock,
                )
                runs = [self._run_of(one, materials) for one in self.plan.targets]
                futures = [pool.submit(one.run) for one in runs]
                _wait(futures, stop)
                if stop.is_set():
                    self.interrupted = True
                    for one in runs:
                        one.stop()
                if cache.complaint:
                    self.note(BUILDING, cache.complaint)
            self._note_builds(built)
            self._note_baseline(scored)
            for future in futures:
                future.result()

    def _fewer(
        self, pool: Executor, reference: Future[Reference], evaluation: EvaluationSet | None
    ) -> Fewer | None:
        """The samples that engines are evaluated on, and what the float model scores on them."""
        if evaluation is None or not any(engines.builds(one.format) for one in self.plan.variants.values()):
            return None
        part, numbers = engines.chosen(evaluation, self.plan.recipe.benchmark.tensorrt)
        scored = pool.submit(_baseline_accuracy, reference, self.plan, part, numbers)
        return Fewer(part, numbers, scored)

    def outcome(self) -> Run:
        """The run as it stands, results in the plan's order."""
        order = {
            (t.target.name, t.variant_name, t.threads, t.tuning): n for n, t in enumerate(self.plan.trials)
        }
        with self._lock:
            results = sorted(
                self._results,
                # A leased board is in no plan: its results stay together, in the order they came in.
                key=lambda r: (order.get((r.target, r.variant, r.threads, r.tuning), len(order)), r.target),
            )
            return Run(
                run_id=self.run_id,
                recipe=self.plan.recipe.name,
                started_at=self.started_at,
                edgegreen=version("edgegreen"),
                results=tuple(results),
                failures=tuple(self._failures),
                baseline=self.plan.baseline,
                higher_is_better=metrics.higher_is_better(self.plan.recipe.data.metric),
                budgets=self.plan.recipe.budgets,
                regression=self.plan.recipe.regression,
                footprint=self.plan.recipe.footprint,
                origin=self._origin,
                planned=self._planned,
            )

    def result(self, measurement: Measurement, behind: Series) -> None:
        """Keep a measurement and the series behind it (called by the targets' threads)."""
        with self._lock:
            self._results.append(measurement)
        self.keeping.save_series(measurement, behind)
        self.keeping.add(measurement, self.outcome)

    def failure(self, failure: Failure) -> None:
        """Keep a failure (called by the targets' threads)."""
        with self._lock:
            self._failures.append(failure)
        self.keeping.add(failure, self.outcome)

    def outdated(self, measurement: Measurement) -> None:
        """Drop a result of the run that was taken up again (called by the targets' threads)."""
        with self._lock:
            known = measurement in self._results
            self._results = [one for one in self._results if one is not measurement]
        if known:
            self.keeping.renew()
            self.note(measurement.target, f"{measurement.variant} was built anew and is measured again")

    def note(self, who: str, text: str) -> None:
        """Pass on what is to stay readable."""
        self.progress.note(who, text)

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """Pass word of what goes on."""
        self.progress.step(who, doing, stage, done)

    def finish(self, who: str, doing: str) -> None:
        """Pass word of who is through."""
        self.progress.finish(who, doing)

    def _run_of(self, target: Target, materials: Materials) -> TargetRun | LeasedRun:
        if target.wish:
            return LeasedRun(self.plan, target, target.wish, materials, self)
        return TargetRun(self.plan, target, materials, self)

    def _evaluation_set(self) -> EvaluationSet | None:
        wanted = self.plan.recipe.data.evaluation
        if wanted is None:
            return None
        path = data.locate(wanted, "evaluation")
        with data.open_samples(path, "evaluation") as samples:
            return EvaluationSet(File.of(path), samples.n, samples.labels())

    def _check_data(self) -> None:
        """Refuse, before any work, data that no variant can do with."""
        named = {"evaluation": self.plan.recipe.data.evaluation}
        if all(variant.calibrated for variant in self.plan.variants.values()):
            named["calibration"] = self.plan.recipe.data.calibration
        here = {what: data.locate(ref, what) for what, ref in named.items() if ref is not None}
        nameddata.check(self.plan.recipe, here, data.locate(self.plan.recipe.model, "model"))

    def _note_builds(self, built: Build) -> None:
        for name, future in built.artifacts.items():
            try:
                future.result()
            except EdgegreenError as error:
                self.failure(
                    Failure(
                        target=None,
                        variant=name,
                        stage="convert",
                        error=error.line,
                        exit_code=error.exit_code,
                    )
                )
            except CancelledError:
                pass  # interrupted before it was built

    def _note_baseline(self, scored: Future[Baseline | None]) -> None:
        """Say why there is no baseline, unless whatever it was has been said of variants already."""
        try:
            scored.result()
        except EdgegreenError as error:
            if error.line not in {failure.error for failure in self._failures}:
                self.failure(
                    Failure(
                        target=None,
                        variant=None,
                        stage="convert",
                        error=error.line,
                        exit_code=error.exit_code,
                    )
                )
        except CancelledError:
            pass


def _planned(now: Planned, before: Planned | None) -> Planned:
    """All that a run set out to measure: a search takes its own up with other variants each time."""
    if before is None:
        return now
    return Planned(
        targets=tuple(dict.fromkeys((*before.targets, *now.targets))),
        variants=tuple(dict.fromkeys((*before.variants, *now.variants))),
    )


def _pack_agent() -> File:
    try:
        return bundle.pack(home() / "cache")
    except OSError as error:
        raise InputError(
            f"cannot write to {home()}: {error.strerror}",
            hint="EDGEGREEN_HOME moves everything edgegreen keeps",
        ) from None


def _baseline_accuracy(
    reference: Future[Reference],
    of: Plan,
    evaluation: EvaluationSet | None,
    numbers: tuple[int, ...] | None = None,
) -> Baseline | None:
    """What the float model scores on the host, None without evaluation data or finite outputs.

    `numbers` are the samples of `evaluation` among those of the reference; None: it has them all.
    """
    try:
        outputs = reference.result()
    except CancelledError:
        return None
    if evaluation is None or outputs.folder is None:
        return None
    batches = outputs.batches() if numbers is None else _of(outputs.batches(), numbers)
    return baseline(of.recipe.data.metric, evaluation, batches)


def _of(batches: Iterator[tuple[int, Outputs]], numbers: tuple[int, ...]) -> Iterator[tuple[int, Outputs]]:
    """The samples of these numbers alone, counted from 0."""
    count = 0
    for start, batch in batches:
        places = [number - start for number in numbers if start <= number < start + len(batch[0])]
        if places:
            yield count, [output[places] for output in batch]
        count += len(places)


def _wait(futures: Sequence[Future[None]], stop: threading.Event) -> None:
    while not all(future.done() for future in futures):
        if stop.wait(0.05):
            return
