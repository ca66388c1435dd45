"""A board that a lab lends, while something is done on it: word of the queue, one power cycle, another place.

What is done there is the caller's: a target's share of a run (leased.py), or what `on_board` is given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from typing import Self, TypeVar

from edgegreen.building import Progress
from edgegreen.errors import DeviceError, EdgegreenError, Interrupted
from edgegreen.lab import owner
from edgegreen.lab.lease import Lease
from edgegreen.lab.line import Holder, Queue, Told
from edgegreen.report import words
from edgegreen.stopping import stop_on_signals
from edgegreen.target import Target, Wish

T = TypeVar("T")
CHECK_S = 0.1


class Borrowing:
    """The place that a wish becomes, until leaving. `purpose` stands in its holder's name: a run's id, say.

    Entering and `change` raise what Lease does, and CancelledError once `stop` is set. `on_loss` is called,
    from another thread, when the place went to somebody else; `lost` says why then.
    """

    def __init__(
        self,
        asked: Target,
        wish: Wish,
        purpose: str,
        progress: Progress,
        stop: threading.Event,
        *,
        on_loss: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = asked.name
        """What it is called in all that is said: as it was asked for, the place's while there is one."""
        self.lost: EdgegreenError | None = None
        self._asked, self._wish, self._purpose = asked, wish, purpose
        self._progress, self._stop, self._on_loss = progress, stop, on_loss
        self._cycled = False
        self._queued: object = None  # what was last said of the queue

    def __enter__(self) -> Self:
        told = Told(self._waiting, self._note, self._sleep, self._gone)
        self._lease = Lease(self._wish, owner.current(self._purpose), told)
        self._lease.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._lease.__exit__(*raised)

    def board(self) -> Target:
        """The place that was leased, as a target. Raises InputError for one that cannot be used."""
        target = self._lease.target()
        place = target.leased
        assert place is not None
        self._progress.finish(self._asked.name, f"leased {place.name}")
        self.name = place.name
        self._note(f"leased from {place.coordinator} for {self._asked.name}")
        return target

    @property
    def has_others(self) -> bool:
        """Whether other places fit as well."""
        return self._lease.has_others

    def change(self, why: EdgegreenError) -> None:
        """Take another place. Raises UnreachableError that names all that were tried when none is left."""
        self.name, self._cycled, self._queued = self._asked.name, False, None
        self._lease.change(why)
        self.lost = None  # of the place before

    def revive(self) -> bool:
        """Power-cycle a board that does not answer, once, where its place can; whether that was done."""
        if self._cycled or not self._lease.can_power_cycle:
            return False
        self._cycled = True
        self._progress.step(self.name, "power-cycling")
        try:
            self._lease.power_cycle()
        except DeviceError as error:
            self._note(error.message)
            return False
        self._note("power-cycled, as it did not answer any more")
        return True

    def check(self) -> None:
        """Raises CancelledError when it was stopped, UnreachableError when the place is lost."""
        if self._stop.is_set():
            raise CancelledError
        if self.lost:
            raise self.lost

    def _gone(self, error: EdgegreenError) -> None:
        self.lost = error
        self._on_loss()

    def _waiting(self, queue: Queue | None) -> None:
        if queue is None:
            self._progress.step(self.name, "asking the lab")
            return
        who = ", ".join([f"{_nth(queue.position)} in the queue", *map(_held, queue.holders)])
        self._progress.step(self.name, "waiting for a board", who)
        known = (queue.position, [(one.place, one.who) for one in queue.holders])
        if known != self._queued:
            self._queued = known
            self._note(f"waiting for a board: {who}")

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise CancelledError

    def _note(self, text: str) -> None:
        self._progress.note(self.name, text)


def on_board(target: Target, work: Callable[[Target], T], purpose: str, progress: Progress) -> T:
    """What `work` gives on the target; on the place that it becomes, where a lab has to lend one first.

    Raises what `work` does; for a leased board also what leasing does, and Interrupted on Ctrl-C and SIGTERM:
    it is given back then as well.
    """
    if target.wish is None:
        return work(target)
    with stop_on_signals() as stop:
        try:
            with Borrowing(target, target.wish, purpose, progress, stop) as borrowed:
                return _watched(work, borrowed.board(), borrowed)
        except CancelledError:
            raise Interrupted("interrupted") from None


def _watched(work: Callable[[Target], T], board: Target, borrowed: Borrowing) -> T:
    """Do it in a thread that is left behind when it is to stop: the board must be given back in time."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work(board))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True, name="edgegreen-on-board").start()
    while not wait([done], CHECK_S).done:
        borrowed.check()
    return done.result()


def _held(one: Holder) -> str:
    return f"{one.place} held by {one.who} for {words.duration(one.for_s)}"


def _nth(position: int) -> str:
    ending = "th" if position % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(position % 10, "th")
    return f"{position}{ending}"
