"""One target's share of a plan: connect, deploy, start the agent, measure trial after trial.

Runs in a thread of its own. Whatever goes wrong becomes a Failure of this target or of one trial; what
was measured before stays measured.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from typing import Literal, Protocol

from edgegreen import metering, results, transport
from edgegreen.artifact import Artifact, File
from edgegreen.client import Agent, Board, Job
from edgegreen.deploy import Deployment, deploy
from edgegreen.errors import DeviceError, EdgegreenError, Interrupted, UnreachableError
from edgegreen.evaluation import Evaluation, EvaluationSet, built
from edgegreen.measurement import Failure, Measurement
from edgegreen.metrics import Outputs
from edgegreen.plan import Plan, Trial
from edgegreen.target import RuntimeName, Target
from edgegreen.transport.recording import Recorder

STOP_CHECK_S = 0.1


class Ledger(Protocol):
    """Where results and failures go, and word of what goes on. Safe to call from many threads."""

    def result(self, measurement: Measurement) -> None:
        """Keep a measurement."""

    def failure(self, failure: Failure) -> None:
        """Keep a failure."""

    def step(self, who: str, doing: str, stage: str = "", done: float | None = None) -> None:
        """Say what goes on; `done` is a share from 0 to 1."""

    def finish(self, who: str, doing: str) -> None:
        """Say that `who` is through."""


@dataclass(frozen=True)
class Materials:
    """What every target needs: built, or about to be.

    `expected` holds, by variant, the host's outputs of the same file on the first evaluation samples;
    `unchanged` names the variants that were built before.
    """

    agent: File
    evaluation: EvaluationSet | None
    artifacts: Mapping[str, Future[Artifact]]
    expected: Mapping[str, Future[Outputs | None]]
    unchanged: frozenset[str]
    baseline_accuracy: Future[float | None]


@dataclass(frozen=True)
class _Station:
    """A board with its agent running and everything in place."""

    agent: Agent
    board: Board
    placed: Deployment


class TargetRun:
    """All trials of one target, in order, over one connection."""

    def __init__(self, plan: Plan, target: Target, materials: Materials, ledger: Ledger) -> None:
        self.plan, self.target, self.materials, self.ledger = plan, target, materials, ledger
        self.trials = plan.trials_of(target)
        self._stage: Literal["connect", "deploy", "measure"] = "connect"
        self._link: transport.Transport | None = None
        self._recorder = Recorder(plan.record_to, target, plan.title)
        self._stopped = False

    def run(self) -> None:
        """Do it all; never raises an EdgegreenError, but notes it in the ledger."""
        try:
            self._step("connecting")
            with self._recorder, self._connect() as self._link:
                if not self._stopped:
                    self._run_on(self._link)
            ending = "done"
        except (EdgegreenError, CancelledError) as error:
            ending = "failed"
            if not self._stopped:
                self._fail(error, None)
        self.ledger.finish(self.target.name, "stopped" if self._stopped else ending)

    def stop(self) -> None:
        """Give up from another thread: hang up, so that whatever waits returns."""
        self._stopped = True
        if self._link:
            self._link.close()

    def _connect(self) -> transport.Transport:
        """Connect, in a thread that is left behind when the run is stopped: a mute host must not delay it."""
        found: Future[transport.Transport] = Future()

        def work() -> None:
            try:
                link = transport.connect(self.target)
            except BaseException as error:
                found.set_exception(error)
                return
            found.set_result(link)
            if self._stopped:
                link.close()

        threading.Thread(target=work, daemon=True).start()
        while not wait([found], STOP_CHECK_S).done:
            if self._stopped:
                raise CancelledError
        return self._recorder.around(found.result())

    def _run_on(self, link: transport.Transport) -> None:
        self._stage = "deploy"
        evaluation = self.materials.evaluation
        common = [self.materials.agent, *([evaluation.file] if evaluation else [])]
        # Models built already (an unchanged second run has them all) go in the same round trip.
        wait([self.materials.artifacts[name] for name in self.materials.unchanged])
        placed = self._deploy(link, [*common, *self._files(only_done=True)])
        agent = Agent.start(link, self.target.interpreter, placed.paths[self.materials.agent.sha256])
        try:
            board = agent.probe()
            self._check_runtimes(board)
            self._step("waiting for the models")
            wait(self.materials.artifacts.values())
            if any(file.sha256 not in placed.paths for file in self._files()):
                placed = self._deploy(link, [*common, *self._files()])
            self._stage = "measure"
            for number, trial in enumerate(self.trials, 1):
                artifact = built(self.materials.artifacts[trial.variant_name])
                if artifact is None:
                    continue  # its conversion failed, and the session has said so
                count = f"{number}/{len(self.trials)}"
                self._measure(_Station(agent, board, placed), trial, artifact, count)
        finally:
            agent.close()

    def _files(self, *, only_done: bool = False) -> list[File]:
        futures = [self.materials.artifacts[trial.variant_name] for trial in self.trials]
        artifacts = [built(future) for future in futures if future.done() or not only_done]
        return [file for artifact in artifacts if artifact for file in artifact.files]

    def _deploy(self, link: transport.Transport, files: list[File]) -> Deployment:
        total = sum(file.size_bytes for file in files) or 1
        sent = 0

        def progress(count: int) -> None:
            nonlocal sent
            sent += count
            self._step("sending", done=min(sent / total, 1.0))

        self._step("deploying")
        return deploy(link, self.target.folder, files, progress)

    def _check_runtimes(self, board: Board) -> None:
        """Say at once, before any model is waited for, that a board can run nothing of the plan."""
        if not any(set(trial.runtimes) & set(board.runtimes) for trial in self.trials):
            raise _no_runtime(self.target, board, self.trials[0].runtimes)

    def _measure(self, at: _Station, trial: Trial, artifact: Artifact, count: str) -> None:
        def progress(stage: str, done: float) -> None:
            threads = f", {trial.threads} threads" if trial.threads > 1 else ""
            self._step(f"{count} {trial.variant_name}{threads}", stage, done)

        try:
            runtime = next((name for name in trial.runtimes if name in at.board.runtimes), None)
            if runtime is None:
                raise _no_runtime(self.target, at.board, trial.runtimes)
            evaluation = self._evaluation(trial.variant_name)
            job = self._job(trial, artifact, at.placed, runtime)
            raw = at.agent.measure(job, progress, evaluation.update)
            self.ledger.result(results.measurement(trial, artifact, at.board, raw, evaluation))
            if evaluation.error:  # the metric's fault; what the board measured is kept above
                raise evaluation.error
        except UnreachableError:
            raise
        except EdgegreenError as error:
            self._fail(error, trial.variant_name)
            if not at.agent.alive:
                raise DeviceError(f"the agent on {self.target.name} ended", hint=error.message) from error

    def _evaluation(self, variant: str) -> Evaluation:
        of, expected = self.materials, self.materials.expected
        metric = self.plan.recipe.data.metric
        wanted = built(expected[variant]) if variant in expected else None
        return Evaluation(metric, of.evaluation, of.baseline_accuracy, wanted)

    def _job(self, trial: Trial, artifact: Artifact, placed: Deployment, runtime: RuntimeName) -> Job:
        benchmark = self.plan.recipe.benchmark
        evaluation = self.materials.evaluation
        return Job(
            runtime=runtime,
            files=tuple(placed.paths[file.sha256] for file in artifact.files),
            threads=trial.threads,
            input_order=artifact.input_order,
            output_order=artifact.output_order,
            warmup_s=benchmark.warmup_s,
            min_warmup_runs=benchmark.min_warmup_runs,
            duration_s=benchmark.duration_s,
            min_runs=benchmark.min_runs,
            samples=placed.paths[evaluation.file.sha256] if evaluation else None,
            evaluate=evaluation is not None,
            idle_s=benchmark.idle_s if self.target.is_metered else 0.0,
            meter=metering.spec(self.target),
            n_samples=evaluation.n if evaluation else None,
            timeout_s=benchmark.timeout_s,
        )

    def _step(self, doing: str, stage: str = "", done: float | None = None) -> None:
        self.ledger.step(self.target.name, doing, stage, done)

    def _fail(self, error: BaseException, variant: str | None) -> None:
        code = error.exit_code if isinstance(error, EdgegreenError) else Interrupted.exit_code
        self.ledger.failure(
            Failure(
                target=self.target.name,
                variant=variant,
                stage=self._stage,
                error=error.line if isinstance(error, EdgegreenError) else str(error),
                exit_code=code,
            )
        )


def _no_runtime(target: Target, board: Board, wanted: tuple[RuntimeName, ...]) -> DeviceError:
    present = ", ".join(f"{name} {version}" for name, version in board.runtimes.items()) or "none"
    return DeviceError(
        f"{target.name}: {board.executable} has no {' or '.join(wanted)} (found: {present})",
        hint="install one there, or name the Python that has one: `python: /path/to/python` in the target",
    )
