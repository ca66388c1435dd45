"""One target's share of a plan: connect, deploy, start the agent, measure trial after trial.

Runs in a thread of its own. A board that goes away is waited for, and the trial under way repeated. Whatever
goes wrong for good becomes a Failure of this target or of one trial; what was measured before stays measured.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from typing import Literal

from edgegreen import probe, provision, releases, transport
from edgegreen.artifact import File
from edgegreen.client import Agent, Board
from edgegreen.deployment import Deployment, deploy
from edgegreen.errors import DeviceError, EdgegreenError, Interrupted, UnreachableError
from edgegreen.formats import RuntimeName
from edgegreen.locked import board as locked
from edgegreen.measurement import Failure
from edgegreen.measuring import attempts, jobs
from edgegreen.measuring.attempts import Attempt, Station
from edgegreen.measuring.evaluation import built
from edgegreen.measuring.materials import Ledger, Materials
from edgegreen.measuring.patience import Patience
from edgegreen.measuring.tuning import Tuner
from edgegreen.measuring.turns import Turns
from edgegreen.plan import Plan, Trial
from edgegreen.report import words
from edgegreen.target import Target
from edgegreen.transport.recording import Recorder

STOP_CHECK_S = 0.1
FIRST_CONTACT_S = 4.0  # of trying to reach a board that has not been reached yet
# A handshake takes this machine some 30 ms: of a thousand at once, each would last longer than a board is
# waited for.
CONNECTING = threading.BoundedSemaphore(64)
BREAKS_MAX = 2  # of the link or the agent while one trial runs, before it is given up


class TargetRun:
    """All trials of one target, in order, over as many connections as it takes.

    `revive` is asked to bring back a board that is not heard of any more, with why; returns whether it tried.
    """

    def __init__(
        self,
        plan: Plan,
        target: Target,
        materials: Materials,
        ledger: Ledger,
        revive: Callable[[EdgegreenError], bool] = lambda _: False,
    ) -> None:
        self._revive = revive
        self.plan, self.target, self.materials, self.ledger = plan, target, materials, ledger
        self.trials = plan.trials_of(target)
        self._stage: Literal["connect", "deploy", "measure"] = "connect"
        self._link: transport.Transport | None = None
        self.over: set[int] = set()  # trials with a result or a failure
        self._breaks = Counter[int]()  # how often the link or the agent went away while a trial ran
        self._patience = Patience(min(FIRST_CONTACT_S, target.patience_s))
        self._boot_id: str | None = None
        self._turns = Turns(lambda who: self._step("waiting for the board", who), self._note, self._sleep)
        self._stop = threading.Event()
        self._not_brought: dict[provision.Want, DeviceError] = {}
        self._recorder = Recorder(plan.record_to, target, plan.title)

    def run(self) -> None:
        """Do it all; never raises an EdgegreenError, but notes it in the ledger."""
        try:
            if not self._all_kept():
                with self._recorder:
                    self._persist()
            ending = "done"
        except (EdgegreenError, CancelledError) as error:
            # Why, now: the table that says it all may be hours away.
            ending = f"failed: {self._words(error)}" if isinstance(error, EdgegreenError) else "failed"
            if not self._stop.is_set():
                self._fail(error, None)
        self.ledger.finish(self.target.name, "stopped" if self._stop.is_set() else ending)

    def stop(self) -> None:
        """Give up from another thread: hang up, so that whatever waits returns."""
        self._stop.set()
        if self._link:
            self._link.close()

    def _persist(self) -> None:
        """Connect and measure; when the board goes away, again, while its patience lasts."""
        while True:
            try:
                self._step("connecting")
                with self._connect() as self._link:
                    if not self._stop.is_set():
                        self._run_on(self._link)
                return
            except EdgegreenError as error:
                if not error.transient or self._stop.is_set():
                    raise
                wait_s = self._patience.next_wait_s()
                if wait_s is None:
                    if not self._revive(error):
                        raise
                    self._patience = Patience(self.target.patience_s)
                    continue
                self._note(f"{self._words(error)}; trying again in {wait_s:g} s")
                self._step("connecting", f"again in {wait_s:g} s")
                self._sleep(wait_s)

    def _connect(self) -> transport.Transport:
        """Connect, in a thread that is left behind when the run is stopped: a mute host must not delay it."""
        found: Future[transport.Transport] = Future()

        def work() -> None:
            try:
                with CONNECTING:
                    self._check_stop()
                    link = transport.connect(self.target)
            except BaseException as error:
                found.set_exception(error)
                return
            found.set_result(link)
            if self._stop.is_set():
                link.close()

        threading.Thread(target=work, daemon=True).start()
        while not wait([found], STOP_CHECK_S).done:
            self._check_stop()
        return self._recorder.around(found.result())

    def _run_on(self, link: transport.Transport) -> None:
        lock = self.materials.lock
        if lock:  # again after each break: a board that rebooted may have come back as another
            locked.check(
                lock.targets[self.target.name], locked.look(link, self.target, self.trials), self.target
            )
        if self._stage == "connect":
            self._stage, self._patience = "deploy", Patience(self.target.patience_s)
            if self.plan.record_to:
                probe.recite(link, self.target)  # so that a replay can be asked what the board was
        evaluation = self.materials.evaluation
        common = [self.materials.agent, *([evaluation.file] if evaluation else [])]
        # Models built already (an unchanged second run has them all) go in the same round trip.
        wait([self.materials.artifacts[name] for name in self.materials.unchanged])
        placed = self._deploy(link, [*common, *self._files(only_done=True)])
        agent = Agent.start(link, self.target.interpreter, placed.paths[self.materials.agent.sha256])
        try:
            board = self._equipped(link, agent)
            self._note_reboot(board)
            self._check_runtimes(board)
            self._step("waiting for the models")
            wait(self.materials.artifacts.values())
            if any(file.sha256 not in placed.paths for file in self._files()):
                placed = self._deploy(link, [*common, *self._files()])
            self._stage = "measure"
            tuner = Tuner(agent, self.target)
            for nth, number in enumerate(self._pending()):
                self._hold(agent)
                if nth == 0 and (left := tuner.restore()):
                    self._note(f"put back what an earlier run had changed: {', '.join(left)}")
                self._measure(Station(agent, tuner, board, placed), number)
            tuner.restore()
        finally:
            agent.close()

    def _pending(self) -> Iterator[int]:
        """The trials that are still to be measured; those that never will be are passed over."""
        for number, trial in enumerate(self.trials):
            artifact = built(self.materials.artifacts[trial.variant_name])
            if artifact is None or number in self.over:
                continue  # its conversion failed, and the session has said so; or it is through
            earlier = self.materials.of_earlier(trial)
            if earlier and earlier.artifact.sha256 == artifact.sha256:
                self.over.add(number)
                continue
            if earlier:
                self.ledger.outdated(earlier)
            yield number

    def _all_kept(self) -> bool:
        """Whether an earlier run has measured all there is: no need to connect."""
        if not all(map(self.materials.of_earlier, self.trials)):
            return False
        self._step("waiting for the models")
        wait(self.materials.artifacts.values())
        return next(self._pending(), None) is None

    def _note_reboot(self, board: Board) -> None:
        if self._boot_id and board.boot_id and board.boot_id != self._boot_id:
            self._note("the board has rebooted")
        self._boot_id = board.boot_id

    def _hold(self, agent: Agent) -> None:
        """Have the board to ourselves; wait while somebody else measures there."""
        without = self._turns.take(agent)
        if without and not self.over and not self._breaks:
            self._note(f"measuring without a lock, others may do so at the same time: {without}")

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

    def _equipped(self, link: transport.Transport, agent: Agent) -> Board:
        """The board, with the runtimes brought along that its trials want and its Python lacks."""
        board = agent.probe()
        wants = dict.fromkeys(
            one.runtimes for one in self.trials if not set(one.runtimes) & set(board.runtimes)
        )
        if not (wants and self.target.provision):
            return board
        if self.target.recording is not None:
            return agent.probe()  # what it was after they had been brought, if they were
        site = provision.Site(link, self.target, self.materials.agent, agent)
        done = provision.provide(
            site, board, list(wants), lambda stage, done: self._step("provisioning", stage, done), self._stop,
            pinned=self.materials.lock.targets[self.target.name].pinned if self.materials.lock else {},
        )  # fmt: skip
        self._not_brought = done.refused
        return agent.probe() if done.brought else board

    def _check_runtimes(self, board: Board) -> None:
        """Say at once, before any model is waited for, that a board can run nothing of the plan."""
        if not any(set(trial.runtimes) & set(board.runtimes) for trial in self.trials):
            wanted = self.trials[0].runtimes
            raise self._not_brought.get(wanted) or _no_runtime(self.target, board, wanted)

    def _measure(self, at: Station, number: int) -> None:
        """Measure one trial. Raises what ends the connection; the trial is then the first of the next one."""
        try:
            at.tuner.set(self.trials[number].tuning)
            attempts.measure(at, self._attempt(at, number), self.ledger.result)
            self._patience.renew()
            self.over.add(number)
        except UnreachableError as error:
            self._breaks[number] += 1
            if error.transient and not self._stop.is_set() and self._breaks[number] == BREAKS_MAX:
                self._give_up(number, _too_often(self.trials[number], error))
            raise
        except EdgegreenError as error:
            self._breaks[number] += 1
            if error.transient and at.agent.alive and self._breaks[number] < BREAKS_MAX:
                hint = f" → {error.hint}" if error.hint else ""
                self._note(f"{self._words(error)}; this trial is repeated{hint}")
                self._hold(at.agent)
                self._measure(at, number)
                return
            self._give_up(number, error)
            if not at.agent.alive:
                raise DeviceError(f"the agent on {self.target.name} ended", hint=error.message) from error

    def _give_up(self, number: int, error: EdgegreenError) -> None:
        self.over.add(number)
        self._fail(error, self.trials[number])

    def _attempt(self, at: Station, number: int) -> Attempt:
        trial = self.trials[number]
        count = f"{number + 1}/{len(self.trials)} {trial.variant_name}"
        count += f", {trial.threads} threads" if trial.threads > 1 else ""
        count += f", {trial.tuning}" if trial.tuning else ""
        runtime = next((name for name in trial.runtimes if name in at.board.runtimes), None)
        if runtime is None:
            refused = self._not_brought.get(trial.runtimes)
            raise refused or _no_runtime(self.target, at.board, trial.runtimes)
        return jobs.attempt(
            self.plan, self.materials, trial, at,
            runtime=runtime, progress=lambda stage, done: self._step(count, stage, done), note=self._note,
        )  # fmt: skip

    def _sleep(self, seconds: float) -> None:
        """Raises CancelledError when the run is stopped meanwhile."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self._check_stop()
            time.sleep(min(left_s, STOP_CHECK_S))
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise CancelledError

    def _note(self, text: str) -> None:
        self.ledger.note(self.target.name, text)

    def _step(self, doing: str, stage: str = "", done: float | None = None) -> None:
        self.ledger.step(self.target.name, doing, stage, done)

    def _words(self, error: EdgegreenError) -> str:
        """The first line of its message. Whose it is stands before each of our lines anyway."""
        return error.message.split("\n", 1)[0].removeprefix(f"{self.target.name}: ")

    def _fail(self, error: BaseException, trial: Trial | None) -> None:
        code = error.exit_code if isinstance(error, EdgegreenError) else Interrupted.exit_code
        said = error.line if isinstance(error, EdgegreenError) else str(error)
        self.ledger.failure(
            Failure(
                target=self.target.name,
                variant=trial.variant_name if trial else None,
                stage=self._stage,
                error=said.removeprefix(f"{self.target.name}: "),
                exit_code=code,
                setting=self._setting(trial) if trial else None,
            )
        )

    def _setting(self, trial: Trial) -> str | None:
        """What tells it from the variant's other trials here."""
        twins = (one for one in self.trials if one.variant_name == trial.variant_name)
        mine, *others = ((one.runtimes[0], one.threads, one.tuning) for one in (trial, *twins))
        return ", ".join(words.setting(mine, others)) or None


def _too_often(trial: Trial, error: EdgegreenError) -> DeviceError:
    return DeviceError(
        f"{trial.variant_name}: the board went away {BREAKS_MAX} times while this trial ran: {error.message}",
        hint="does it reboot under load? A supply that is too weak does that; so does memory that runs out",
        transient=True,
    )


def _no_runtime(target: Target, board: Board, wanted: tuple[RuntimeName, ...]) -> DeviceError:
    if absent := releases.missing(wanted):
        return DeviceError(f"{target.name}: {absent.message}", hint=absent.hint)
    present = ", ".join(f"{name} {version}" for name, version in board.runtimes.items()) or "none"
    return DeviceError(
        f"{target.name}: {board.executable} has no {' or '.join(wanted)} (found: {present})",
        hint="install one there, or name the Python that has one: `python: /path/to/python` in the target",
    )
