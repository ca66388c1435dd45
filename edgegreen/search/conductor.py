"""The search itself: asks for candidates, has them measured, tells the study what came of them.

It is given the recipe for choosing and never the user's own: what it finds cannot have been tuned on the
evaluation data (see data.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from edgegreen import metrics
from edgegreen.errors import DeviceError, EdgegreenError, UnreachableError
from edgegreen.judging.front import Outcome, Tried
from edgegreen.judging.objectives import Objective, Score, score
from edgegreen.measurement import Failure, Measurement
from edgegreen.plan import Trial
from edgegreen.recipe import Recipe
from edgegreen.search.measuring import Measuring, Round, found
from edgegreen.search.space import Candidate
from edgegreen.search.study import Asked, Study
from edgegreen.target import Target

TOGETHER = 6  # candidates that are asked for at once: one start of TensorFlow for all of them


@dataclass(frozen=True)
class Budget:
    """How long to go on: so many candidates, the recipe's own not counted, and so many seconds."""

    trials: int
    seconds: float | None = None


@dataclass(frozen=True)
class _Entry:
    """One thing to be tried, in a trial of a plan; its `number` is Optuna's, None for the recipe's own."""

    trial: Trial
    candidate: Candidate
    number: int | None

    @property
    def given(self) -> bool:
        return self.number is None


class Conductor:
    """One search, from its beginning, or from where it broke off, to the end of its budget."""

    def __init__(
        self,
        choosing: Recipe,
        target: Target,
        study: Study,
        measuring: Measuring,
        *,
        objective: Objective,
        limit: float,
    ) -> None:
        self._target, self._study, self._measuring = target, study, measuring
        self._objective, self._limit = objective, limit
        self._higher = metrics.higher_is_better(choosing.data.metric)
        self._tried: list[Tried] = []
        self._known: dict[str, Score | None] = {}
        self.interrupted = False
        self.broken: Failure | None = None
        """What the search ended with before its budget was spent, if so."""

    @property
    def outcome(self) -> Outcome:
        """All that was tried so far."""
        return Outcome(tuple(self._tried), self._objective, self._limit)

    @property
    def count(self) -> int:
        """How many candidates were tried, the recipe's own variants not counted."""
        return sum(not one.given for one in self._tried)

    def run(
        self,
        given: Sequence[Trial],
        budget: Budget,
        refused: Callable[[Candidate], str | None],
        told: Callable[[Outcome], None],
    ) -> None:
        """Try the recipe's own trials, then candidates while the budget lasts; `told` after each round."""
        began_s = time.monotonic()
        self._take_up(given)
        told(self.outcome)
        candidates = self._asking(budget, refused, began_s)
        own = [self._given(one) for one in given if self._result(one) is None]
        next_: list[_Entry] = []
        try:
            if own:  # by themselves: what they come to, the study learns of candidates that are equal
                self._try(own, [])
                told(self.outcome)
            while not self._over and (round_ := next_ or list(islice(candidates, TOGETHER))):
                next_ = [] if self._target.is_local else list(islice(candidates, TOGETHER))
                self._try(round_, next_)
                told(self.outcome)
        except KeyboardInterrupt:  # between two rounds; within one, the session takes it
            self.interrupted = True
        for entry in next_:
            self._abandon(entry)

    @property
    def _over(self) -> bool:
        return self.interrupted or self.broken is not None

    def _abandon(self, entry: _Entry) -> None:
        """It could not be tried: it will be asked for again."""
        if entry.number is not None:
            self._study.abandon(entry.number)

    def _asking(
        self, budget: Budget, refused: Callable[[Candidate], str | None], began_s: float
    ) -> Iterator[_Entry]:
        """Candidates while the budget lasts. Those under way count."""
        asked = self.count
        for one in self._study.ask(self._known, refused):
            late = budget.seconds is not None and time.monotonic() - began_s > budget.seconds
            if asked >= budget.trials or late:
                self._study.abandon(one.number)
                return
            asked += 1
            yield self._entry(one)

    def _entry(self, asked: Asked) -> _Entry:
        candidate = asked.candidate
        self._known.setdefault(candidate.key, None)
        trial = Trial(asked.name, candidate.variant, self._target, candidate.runtimes, candidate.threads)
        return _Entry(trial, candidate, asked.number)

    def _given(self, trial: Trial) -> _Entry:
        return _Entry(trial, Candidate(trial.variant, trial.runtimes, trial.threads), None)

    def _try(self, round_: Sequence[_Entry], ahead: Sequence[_Entry]) -> None:
        came = self._measuring.measure([one.trial for one in round_], [one.trial for one in ahead])
        self.interrupted, self.broken = came.interrupted, came.broken
        for entry in round_:
            self._tell(entry, came)

    def _tell(self, entry: _Entry, came: Round) -> None:
        """Say to the study, and note, what came of it. One that could not be tried is asked for again."""
        measured = came.of(entry.trial)
        failed = any(one.variant == entry.trial.variant_name for one in came.failures)
        if measured is None and self._over and not failed:
            self._abandon(entry)
            return
        tried = self._note(entry, measured, came.why(entry.trial))
        if entry.number is not None:
            self._study.tell(entry.number, tried.score, tried.reason)

    def _note(self, entry: _Entry, measured: Measurement | None, why: str) -> Tried:
        counts = score(measured, self._objective, higher_is_better=self._higher) if measured else why
        mark, reason = (counts, None) if isinstance(counts, Score) else (None, counts)
        tried = Tried(
            entry.trial.variant_name, entry.candidate.words, entry.candidate.variant, entry.given,
            measured, mark, reason,
        )  # fmt: skip
        self._tried.append(tried)
        self._known[entry.candidate.key] = mark
        return tried

    def _result(self, trial: Trial) -> Measurement | None:
        return found(self._measuring.run.results, trial) if self._measuring.run else None

    def _take_up(self, given: Sequence[Trial]) -> None:
        """Note what an earlier process has tried, and tell the study what it did not live to tell."""
        for trial in given:
            if measured := self._result(trial):
                self._note(self._given(trial), measured, "")
        for asked, reason in self._study.finished():
            entry = self._entry(asked)
            measured = self._result(entry.trial)
            if measured or reason:
                self._note(entry, measured, reason or "")
        for asked in self._study.open():
            entry = self._entry(asked)
            if measured := self._result(entry.trial):
                tried = self._note(entry, measured, "")
                self._study.tell(asked.number, tried.score, tried.reason)
            else:
                del self._known[entry.candidate.key]
                self._study.abandon(asked.number)


def error_of(broken: Failure) -> EdgegreenError:
    """The failure that ended a search, as the error that it was."""
    kind = UnreachableError if broken.exit_code == UnreachableError.exit_code else DeviceError
    who = broken.target or broken.variant or "the float model"
    return kind(f"{who} ({broken.stage}): {broken.error}")
