"""A target's share of a plan on a board that a lab lends: leased first, measured as any other, given back."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from dataclasses import replace

from edgegreen import plan
from edgegreen.errors import DeviceError, EdgegreenError
from edgegreen.lab import owner
from edgegreen.lab.lease import Holder, Lease, Queue, Told
from edgegreen.measurement import Failure
from edgegreen.measuring.materials import Ledger, Materials
from edgegreen.measuring.trials import TargetRun
from edgegreen.plan import Plan
from edgegreen.report import words
from edgegreen.target import Target, Wish


class LeasedRun:
    """All trials of one target that is wished for, on the place that it becomes. As a TargetRun, outside."""

    def __init__(self, made: Plan, target: Target, wish: Wish, materials: Materials, ledger: Ledger) -> None:
        self._plan, self._asked, self._wish = made, target, wish
        self._materials, self._ledger = materials, ledger
        self._name = target.name  # the place's, once there is one
        self._stop = threading.Event()
        self._inner: TargetRun | None = None
        self._lease: Lease | None = None
        self._cycled = False
        self._lost: EdgegreenError | None = None
        self._queued: object = None  # what was last said of the queue

    def run(self) -> None:
        """Do it all; never raises an EdgegreenError, but notes it in the ledger."""
        told = Told(self._waiting, self._note, self._sleep, self._gone)
        try:
            with Lease(self._wish, owner.current(self._ledger.run_id), told) as self._lease:
                self._measure(self._lease)
            if self._lost:
                raise self._lost
        except EdgegreenError as error:
            if not self._stop.is_set():
                self._fail(error)
            ending = "failed: " + error.message.split("\n", 1)[0].removeprefix(f"{self._name}: ")
            self._ledger.finish(self._name, "stopped" if self._stop.is_set() else ending)
        except CancelledError:
            self._ledger.finish(self._name, "stopped")

    def stop(self) -> None:
        """Give up from another thread: whatever waits returns, and the board is given back."""
        self._stop.set()
        if self._inner:
            self._inner.stop()

    def _measure(self, lease: Lease) -> None:
        target = lease.target()
        place = target.leased
        assert place is not None
        self._ledger.finish(self._asked.name, f"leased {place.name}")
        self._name = place.name
        self._note(f"leased from {place.coordinator} for {self._asked.name}")
        again = self._laid_out(target)
        self._inner = TargetRun(again, target, self._materials, self._ledger, self._revive)
        if not (self._stop.is_set() or self._lost):
            self._inner.run()

    def _laid_out(self, target: Target) -> Plan:
        """The plan for this board: what may run and be changed there is known only now."""
        recipe = self._plan.recipe.model_copy(update={"baseline": self._plan.baseline})  # of those left in
        made = plan.make(recipe, (target,), self._plan.variants)
        return replace(self._plan, targets=made.targets, trials=made.trials)

    def _gone(self, error: EdgegreenError) -> None:
        self._lost = error
        if self._inner:
            self._inner.stop()

    def _revive(self) -> bool:
        """Power-cycle a board that does not answer, once, where its place can."""
        if self._cycled or not (self._lease and self._lease.can_power_cycle):
            return False
        self._cycled = True
        self._ledger.step(self._name, "power-cycling")
        try:
            self._lease.power_cycle()
        except DeviceError as error:
            self._note(error.message)
            return False
        self._note("power-cycled, as it did not answer any more")
        return True

    def _waiting(self, queue: Queue | None) -> None:
        if queue is None:
            self._ledger.step(self._name, "asking the lab")
            return
        who = ", ".join([f"{_nth(queue.position)} in the queue", *map(_held, queue.holders)])
        self._ledger.step(self._name, "waiting for a board", who)
        known = (queue.position, [(one.place, one.who) for one in queue.holders])
        if known != self._queued:
            self._queued = known
            self._note(f"waiting for a board: {who}")

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise CancelledError

    def _note(self, text: str) -> None:
        self._ledger.note(self._name, text)

    def _fail(self, error: EdgegreenError) -> None:
        self._ledger.failure(
            Failure(
                target=self._name,
                variant=None,
                stage="connect",
                error=error.line,
                exit_code=error.exit_code,
            )
        )


def _held(one: Holder) -> str:
    return f"{one.place} held by {one.who} for {words.duration(one.for_s)}"


def _nth(position: int) -> str:
    ending = "th" if position % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position}{ending}"
