"""The one place that knows Optuna: what is asked of it, and what it is told.

Its sampler is TPE for several objectives (Ozaki et al. 2022, doi:10.1613/jair.1.13188), which learns from few
trials, where NSGA-II takes generations; the limit is a constraint. All of it is kept in a journal, a text
file with a line for each event, which a killed process leaves whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegreen.errors import InputError
from edgegreen.judging.objectives import Score
from edgegreen.search.space import Candidate, Params, Space

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.log"
KEY, TRIED, REASON = "candidate", "tried", "reason"  # what is noted of a trial
INTERRUPTED = "interrupted"
SURPRISED = 10  # candidates in a row that were tried before, after which they are drawn at random
GIVEN_UP = 200  # … after which there is taken to be nothing new


@dataclass(frozen=True)
class Asked:
    """A candidate that is to be tried. Its `number` is Optuna's."""

    number: int
    candidate: Candidate

    @property
    def name(self) -> str:
        """What its variant is called."""
        return f"{PREFIX}{self.number:03}"


PREFIX = "trial-"


class Study:
    """A study of Optuna's in `folder`, begun or taken up again."""

    def __init__(self, folder: Path, space: Space, seed: int, limit: float) -> None:
        optuna = _optuna()
        self._space, self._limit = space, limit
        backend = optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
        storage = optuna.storages.JournalStorage(backend)
        self._study = optuna.create_study(
            study_name="search", storage=storage, directions=["minimize", "minimize"], load_if_exists=True
        )
        # A study that is taken up again goes on; the same seed would draw the same candidates once more.
        drawn = seed + len(self._study.trials)
        with _quiet():
            self._tpe = optuna.samplers.TPESampler(seed=drawn, multivariate=True, group=True)
        self._random = optuna.samplers.RandomSampler(seed=drawn)

    def begin(self, seeds: list[Params]) -> None:
        """Have these choices asked for first; those that are in the study already are left out."""
        for params in seeds:
            self._study.enqueue_trial(params, skip_if_exists=True)

    def ask(
        self, known: Mapping[str, Score | None], refused: Callable[[Candidate], str | None]
    ) -> Iterator[Asked]:
        """New candidates, until nothing new is found.

        `known` are those tried before, by key: they are told again, and not given. It is read anew each time.
        Nor are those given for which `refused` has a reason.
        """
        repeats = 0
        while repeats < GIVEN_UP:
            self._study.sampler = self._tpe if repeats < SURPRISED else self._random
            with _quiet():
                trial = self._study.ask()
                try:
                    candidate = self._space.suggest(trial)
                except ValueError as error:  # parameters that do not go together
                    self._fail(trial.number, " ".join(str(error).split()))
                    repeats += 1
                    continue
            trial.set_user_attr(KEY, candidate.key)
            reason = "tried before" if candidate.key in known else refused(candidate)
            if reason is None:
                repeats = 0
                trial.set_user_attr(TRIED, True)
                yield Asked(trial.number, candidate)
                continue
            repeats += 1
            self.tell(trial.number, known.get(candidate.key), reason)

    def tell(self, number: int, score: Score | None, reason: str | None) -> None:
        """What came of a candidate: how it counts, or why it does not."""
        if score is None:
            self._fail(number, reason or "")
            return
        trial = self._open(number)
        trial.set_constraint("accuracy", score.drop - self._limit)
        self._study.tell(number, [score.drop, score.value])

    def abandon(self, number: int) -> None:
        """It was asked for and never tried: to be asked for again."""
        params = next(trial.params for trial in self._study.trials if trial.number == number)
        self._fail(number, INTERRUPTED)
        self._study.enqueue_trial(params)

    def open(self) -> list[Asked]:
        """Candidates asked for and not told of: those a process was killed with."""
        optuna = _optuna()
        trials = self._study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
        for trial in trials:
            if TRIED not in trial.user_attrs:  # killed while it was being chosen
                self._fail(trial.number, INTERRUPTED)
        return [Asked(trial.number, self._again(trial)) for trial in trials if TRIED in trial.user_attrs]

    def finished(self) -> list[tuple[Asked, str | None]]:
        """Candidates that were tried, with the reason of those that do not count."""
        optuna = _optuna()
        states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL)
        return [
            (Asked(trial.number, self._again(trial)), trial.user_attrs.get(REASON))
            for trial in self._study.get_trials(states=states)
            if trial.user_attrs.get(TRIED) and trial.user_attrs.get(REASON) != INTERRUPTED
        ]

    def _again(self, trial: optuna.trial.FrozenTrial) -> Candidate:
        return self._space.suggest(_optuna().trial.FixedTrial(trial.params))

    def _fail(self, number: int, reason: str) -> None:
        optuna = _optuna()
        self._open(number).set_user_attr(REASON, reason)
        self._study.tell(number, state=optuna.trial.TrialState.FAIL)

    def _open(self, number: int) -> optuna.trial.Trial:
        found = next(trial for trial in self._study.get_trials(deepcopy=False) if trial.number == number)
        opened: optuna.trial.Trial = _optuna().trial.Trial(self._study, found._trial_id)
        return opened


def require() -> None:
    """Raise InputError when Optuna is not installed."""
    _optuna()


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise InputError(
            "a search takes Optuna, which is not installed", hint="pip install 'edgegreen[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its warnings, of experimental options and values that were not chosen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
