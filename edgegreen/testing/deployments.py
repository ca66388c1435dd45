"""Deployments that tests ask for: by the command line's own path, each once, one at a time on a board."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgegreen.cache import locks
from edgegreen.errors import EdgegreenError
from edgegreen.history.kept import Kept
from edgegreen.home import home
from edgegreen.judging import comparison
from edgegreen.measurement import Run
from edgegreen.metrics import higher_is_better
from edgegreen.plan import Plan
from edgegreen.prepare import prepare
from edgegreen.report import words
from edgegreen.session import Session
from edgegreen.target import Target
from edgegreen.testing.outcome import Outcome
from edgegreen.tracking import after


class Log:
    """The session's progress, as lines: a new one when somebody does something else."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._began_s = time.monotonic()
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:  # noqa: ARG002
        """`who` is `doing` this."""
        with self._lock:
            if self._last.get(who) != doing:
                self._last[who] = doing
                self.lines.append(f"{time.monotonic() - self._began_s:8.2f} s  {who}: {doing}")

    def finish(self, who: str, doing: str) -> None:
        """`who` is through, with this result."""
        self.step(who, doing)

    def note(self, who: str, text: str) -> None:
        """A line of its own."""
        with self._lock:
            self.lines.append(f"{time.monotonic() - self._began_s:8.2f} s  {who}: {text}")


class Deployments:
    """What was deployed in this test run, kept in the folder `shared` for all of its workers.

    Each run's JSON and log are written to `artifacts`, what went over the wire to `record_to`, if given.
    """

    def __init__(self, shared: Path, artifacts: Path | None, record_to: Path | None) -> None:
        self._shared, self._artifacts, self._record_to = shared, artifacts, record_to
        self._known: dict[str, Outcome] = {}

    def get(
        self, recipe: Path, spec: str, target: Target, variants: tuple[str, ...], *, anew: bool = False
    ) -> Outcome:
        """The outcome of this deployment, run now unless it was already. Fails the test for a bad recipe."""
        __tracebackhide__ = True
        try:
            plan = prepare(recipe, [spec], variants, record_to=None if anew else self._record_to)
        except EdgegreenError as error:
            pytest.fail(str(error), pytrace=False)
        key = _digest(recipe.resolve(), spec, *variants)
        kept = self._shared / f"edgegreen-{key}.json"
        with alone_on(target), _alone(self._shared / f"edgegreen-{key}.lock"):
            if not anew and key in self._known:
                return self._known[key]
            known = None if anew else _load(kept, plan)
            outcome = known or self._run(plan)
            if not anew:
                self._known[key] = outcome
                if known is None:
                    kept.write_text(_dump(outcome), encoding="utf-8")
        return outcome

    def _run(self, plan: Plan) -> Outcome:
        __tracebackhide__ = True
        log = Log()
        session = Session(plan, log)
        try:
            run = session.run()
        except EdgegreenError as error:
            pytest.fail(str(error), pytrace=False)
        if waits := session.keep():
            log.note("history", waits.line)
        if not session.interrupted and (line := after.send(Kept(run, session.keeping.series))):
            log.note("tracking", line)
        outcome = _outcome(run, plan, tuple(log.lines))
        if self._artifacts:
            self._keep(outcome)
        if session.interrupted:
            raise KeyboardInterrupt
        return outcome

    def _keep(self, outcome: Outcome) -> None:
        assert self._artifacts is not None
        self._artifacts.mkdir(parents=True, exist_ok=True)
        run = outcome.run
        targets = dict.fromkeys(row.measurement.target for row in outcome.rows)
        name = re.sub(r"[^\w.@+-]+", "-", "@".join([run.recipe, *targets])) + f"-{run.run_id}"
        (self._artifacts / f"{name}.json").write_text(run.to_json() + "\n", encoding="utf-8")
        text = "\n".join([*outcome.log, "", _table(outcome)])
        (self._artifacts / f"{name}.log").write_text(text, encoding="utf-8")

    @staticmethod
    def properties(outcome: Outcome) -> list[tuple[str, object]]:
        """JUnit's properties of each row: p50, energy, accuracy and verdict; what is absent is left out."""
        found: list[tuple[str, object]] = []
        for row in outcome.rows:
            item = row.measurement
            values: dict[str, object] = {
                "p50_ms": item.latency_ms.p50,
                "p95_ms": item.latency_ms.p95,
                "energy_mj": item.energy.per_inference_mj if item.energy else None,
                item.accuracy.metric if item.accuracy else "accuracy": item.accuracy and item.accuracy.value,
                "verdict": item.verdict,
                "replayed": words.replayed(item),
            }
            name = f"{item.target} · {words.trial(item, outcome.rows)}"
            found += [(f"{name} · {key}", value) for key, value in values.items() if value is not None]
        return found


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(path, threading.Event()):
        yield


@contextmanager
def alone_on(target: Target) -> Iterator[None]:
    """One process of this user's at a time on a board, whatever its target is called."""
    if target.recording or target.wish:  # nobody is in the way; a lab lends each board to one at a time
        yield
        return
    with _alone(home() / "locks" / f"board-{_digest(target.host, target.port)}.lock"):
        yield


def _outcome(run: Run, plan: Plan, log: tuple[str, ...]) -> Outcome:
    return Outcome(run, tuple(comparison.of(run)), log, higher_is_better(plan.recipe.data.metric))


def _dump(outcome: Outcome) -> str:
    return json.dumps({"run": json.loads(outcome.run.to_json()), "log": outcome.log})


def _load(path: Path, plan: Plan) -> Outcome | None:
    """What another worker has deployed; None when none has."""
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return _outcome(Run.model_validate_json(json.dumps(kept["run"])), plan, tuple(kept["log"]))


def _table(outcome: Outcome) -> str:
    from edgegreen.report import terminal

    out = terminal.console()
    with out.capture() as captured:
        terminal.show(outcome.run, outcome.rows, out)
    return captured.get()


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]
