"""A target's share of a plan on a board that a lab lends: leased first, measured as any other, given back."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from dataclasses import replace

from edgegreen import plan
from edgegreen.errors import EdgegreenError
from edgegreen.measurement import Failure
from edgegreen.measuring.borrowing import Borrowing
from edgegreen.measuring.materials import Ledger, Materials
from edgegreen.measuring.trials import TargetRun
from edgegreen.plan import Plan
from edgegreen.target import Target, Wish


class LeasedRun:
    """All trials of one target that is wished for, on the place that it becomes. As a TargetRun, outside.

    A place whose board cannot be reached is exchanged for another one, unless something was measured there.
    """

    def __init__(self, made: Plan, target: Target, wish: Wish, materials: Materials, ledger: Ledger) -> None:
        self._plan, self._materials, self._ledger = made, materials, ledger
        self._stop = threading.Event()
        self._inner: TargetRun | None = None
        self._borrowed = Borrowing(target, wish, ledger.run_id, ledger, self._stop, on_loss=self._hang_up)
        self._useless: EdgegreenError | None = None  # why another place is to be tried

    def run(self) -> None:
        """Do it all; never raises an EdgegreenError, but notes it in the ledger."""
        try:
            with self._borrowed:
                self._measure(self._borrowed.board())
                while self._useless:
                    self._borrowed.change(self._useless)
                    self._measure(self._borrowed.board())
            if self._borrowed.lost:
                raise self._borrowed.lost
        except EdgegreenError as error:
            if not self._stop.is_set():
                self._fail(error)
            name = self._borrowed.name
            ending = "failed: " + error.message.split("\n", 1)[0].removeprefix(f"{name}: ")
            self._ledger.finish(name, "stopped" if self._stop.is_set() else ending)
        except CancelledError:
            self._ledger.finish(self._borrowed.name, "stopped")

    def stop(self) -> None:
        """Give up from another thread: whatever waits returns, and the board is given back."""
        self._stop.set()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._inner:
            self._inner.stop()

    def _measure(self, target: Target) -> None:
        self._useless = None
        again = self._laid_out(target)
        self._inner = TargetRun(again, target, self._materials, self._ledger, self._revive)
        if not (self._stop.is_set() or self._borrowed.lost):
            self._inner.run()

    def _laid_out(self, target: Target) -> Plan:
        """The plan for this board: what may run and be changed there is known only now."""
        recipe = self._plan.recipe.model_copy(update={"baseline": self._plan.baseline})  # of those left in
        made = plan.make(recipe, (target,), self._plan.variants)
        return replace(self._plan, targets=made.targets, trials=made.trials)

    def _revive(self, why: EdgegreenError) -> bool:
        """Power-cycle a board that does not answer; when that is no help, end its share for another's."""
        if self._borrowed.revive():
            return True
        assert self._inner is not None
        if self._borrowed.has_others and not self._inner.over:
            self._useless = why
            self._inner.stop()
        return False

    def _fail(self, error: EdgegreenError) -> None:
        self._ledger.failure(
            Failure(
                target=self._borrowed.name,
                variant=None,
                stage="connect",
                error=error.line,
                exit_code=error.exit_code,
            )
        )
