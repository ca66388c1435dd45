"""Candidates measured: by a Session, as `deploy` measures variants, on the data to choose on.

All sessions of a search are one run, each taking up the one before. Of a board elsewhere the next candidates
are built while it measures; on this machine building would disturb measuring, so it waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import Any, Self

from edgegreen import executor
from edgegreen.building import Progress
from edgegreen.cache.store import Cache
from edgegreen.errors import EdgegreenError, InputError, UnreachableError
from edgegreen.history.series import SeriesOf, nowhere
from edgegreen.measurement import Failure, Measurement, Run
from edgegreen.plan import Plan, Trial
from edgegreen.recipe import Recipe, Variant
from edgegreen.session import Session
from edgegreen.target import Target

STOP_CHECK_S = 0.2


@dataclass(frozen=True)
class Round:
    """What came of trials that were measured together. `broken` is what ended it for all of them, if so."""

    results: tuple[Measurement, ...]
    failures: tuple[Failure, ...]
    interrupted: bool

    def of(self, trial: Trial) -> Measurement | None:
        """What this trial measured."""
        return found(self.results, trial)

    def why(self, trial: Trial) -> str:
        """Why it measured nothing."""
        mine = [one.error for one in self.failures if one.variant == trial.variant_name]
        return mine[0] if mine else "it was not measured"

    @property
    def broken(self) -> Failure | None:
        """A failure of the target, of the float model that all are compared with, or of the cluster."""
        return next((one for one in self.failures if one.variant is None or _cluster_is_lost(one)), None)


def _cluster_is_lost(failure: Failure) -> bool:
    return failure.stage == "convert" and failure.exit_code == UnreachableError.exit_code


def found(results: Sequence[Measurement], trial: Trial) -> Measurement | None:
    """The result of a trial among others."""
    name, threads = trial.variant_name, trial.threads
    alike = (one for one in results if (one.variant, one.threads) == (name, threads))
    return next((one for one in alike if one.runtime.name in trial.runtimes), None)


class Measuring:
    """Measures rounds of trials on one target; a context manager that leaves no build behind."""

    def __init__(self, choosing: Recipe, target: Target, progress: Progress, earlier: Run | None) -> None:
        self._recipe, self._target, self._progress = choosing, target, progress
        self.run = earlier
        self.waits: InputError | None = None
        """Why the run is not in the history yet, if so."""
        self.series: SeriesOf = nowhere
        """Where those of the run come from."""
        self._ahead = _Ahead(choosing)

    def measure(self, trials: Sequence[Trial], following: Sequence[Trial] = ()) -> Round:
        """Build and measure `trials`; on another machine, build the `following` ones meanwhile.

        Raises InputError when the model or the data are wrong.
        """
        if not self._target.is_local:
            self._ahead.begin(_variants(following))
        variants = _variants(trials)
        plan = Plan(self._recipe, (self._target,), variants, next(iter(variants)), tuple(trials))
        session = Session(plan, self._progress, self.run)
        self.run = session.run()
        self.waits = session.keep()
        self.series = session.keeping.series
        if session.keeping.lost:
            raise session.keeping.lost
        return Round(self.run.results, self.run.failures, session.interrupted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ahead.close()


class _Ahead:
    """Builds into the cache what will be measured next, in a thread that waits for the workers."""

    def __init__(self, choosing: Recipe) -> None:
        self._recipe, self._stop = choosing, Event()
        self._pool = ThreadPoolExecutor(1, "edgegreen-ahead")
        self._last: Future[None] | None = None

    def begin(self, variants: Mapping[str, Variant]) -> None:
        """Build these, once what was begun before is done; failures are for the session to find."""
        if variants:
            self._last = self._pool.submit(self._build, variants)

    def _build(self, variants: Mapping[str, Variant]) -> None:
        try:
            with (
                closing(Cache.default()) as cache,
                executor.build(self._recipe, variants, cache, lambda _: None) as built,
            ):
                pending: set[Future[Any]] = {*built.artifacts.values(), *built.expected.values()}
                while pending and not self._stop.is_set():
                    pending = set(wait(pending, STOP_CHECK_S).not_done)
        except (EdgegreenError, CancelledError):
            pass

    def close(self) -> None:
        """End what is being built."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _variants(trials: Sequence[Trial]) -> dict[str, Variant]:
    return {trial.variant_name: trial.variant for trial in trials}
