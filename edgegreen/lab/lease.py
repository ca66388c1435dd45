"""A place of a lab, lent: waited for, kept, exchanged for another when it is of no use, given back."""

from __future__ import annotations

import os
import time
from typing import Self

from edgegreen.errors import DeviceError, EdgegreenError, InputError, UnreachableError
from edgegreen.lab import power, reach
from edgegreen.lab.candidates import Candidates
from edgegreen.lab.coordinator import address
from edgegreen.lab.hold import Hold
from edgegreen.lab.line import Line, Told
from edgegreen.lab.owner import Owner
from edgegreen.lab.turn import Turn
from edgegreen.target import Target, Wish

RECONNECT_S = 2.0  # of one who waits; also from finding it to asking: holders come first


class Lease:
    """Any place that fits a wish, from entering until leaving.

    A place that cannot be acquired, or that no exporter has an address of, is given back, and another one
    taken that fits; each is tried once.

    Entering raises InputError (no such place, no labgrid), UnreachableError (no coordinator, none free in
    time, none of use), DeviceError (an exporter refuses), and what `told.sleep` raises. In all of these cases
    nothing stays reserved or held.
    """

    def __init__(self, wish: Wish, owner: Owner, told: Told) -> None:
        self._wish, self._told = wish, told
        self._ours = str(owner)
        self._line = Line(address(wish.coordinator), self._ours)
        self._turn = Turn(self._line, told)
        self._candidates = Candidates(wish, self._line)
        self._hold: Hold | None = None
        self._deadline_s = 0.0

    def __enter__(self) -> Self:
        self._deadline_s = time.monotonic() + self._wish.timeout_s
        self._told.waiting(None)
        try:
            self._line.connect()
            self._acquire()
        except BaseException:
            self._give_back()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def target(self) -> Target:
        """The board, as an ordinary target. Raises InputError: no such file, no address that SSH reaches."""
        hold = self._held
        return reach.board(self._line.address, self._line.link.place(hold.place), hold.resources)

    @property
    def has_others(self) -> bool:
        """Whether other places fit as well, tried or not."""
        return self._candidates.others(than=self._held.place)

    def change(self, why: EdgegreenError) -> None:
        """Give this place back, as it is of no use, and take another, which may take until the same timeout.

        Raises as entering does; when every place that fits was tried, UnreachableError names each of them.
        """
        self._held.unkeep()
        self._told.note(self._candidates.rule_out(self._held.place, why))
        self._acquire()

    @property
    def can_power_cycle(self) -> bool:
        """Whether the place has a switch for its power."""
        return any(one.cls in power.SWITCHES for one in self._held.resources)

    def power_cycle(self) -> None:
        """Switch the board off and on again. Raises DeviceError with what labgrid said."""
        power.cycle(self._line.address, self._line.owner, self._held.place)

    @property
    def _held(self) -> Hold:
        assert self._hold is not None
        return self._hold

    def _acquire(self) -> None:
        while True:
            try:
                self._let_go()  # of one that is of no use, or that we may have had when the line broke
                self._take(self._promised() or self._queued())
                return
            except (UnreachableError, DeviceError) as error:
                if error.transient:
                    if self._is_late():
                        raise
                    self._told.note(f"{error.message}; trying again until it does")
                    self._reconnect()
                elif self._hold:
                    self._told.note(self._candidates.rule_out(self._hold.place, error))
                else:
                    raise

    def _reconnect(self) -> None:
        self._line.close()
        while True:
            self._told.sleep(RECONNECT_S)
            try:
                self._line.connect()
            except UnreachableError:
                if self._is_late():
                    raise
                continue
            self._told.sleep(RECONNECT_S)
            return

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline_s

    def _promised(self) -> str | None:
        """The place of LG_TOKEN's reservation, if it is one that we want. It is its owner's to cancel."""
        token = os.environ.get("LG_TOKEN")
        if not token:
            return None
        found = self._line.link.poll(token)
        if found is None:
            raise InputError(
                f"{self._line.address}: there is no reservation {token}, which LG_TOKEN names",
                hint="it may have expired: one that nobody asks for lives for a minute; or unset LG_TOKEN",
            )
        if found.place is None:
            raise InputError(
                f"LG_TOKEN's reservation {token} has no place yet: it is {found.state}",
                hint="`labgrid-client reserve --wait` waits for one; or unset LG_TOKEN to queue up here",
            )
        if self._candidates.is_useless(found.place):
            return None
        if not self._candidates.fits(found.place):
            self._told.note(f"LG_TOKEN's {found.place} is not what is wanted: queueing up for another place")
            return None
        if found.owner != self._line.owner:  # a place that is reserved goes to who reserved it
            self._line.connect(found.owner)
        return found.place

    def _queued(self) -> str:
        """Queue up; returns the name of the place that became ours to take."""
        wanted = self._candidates.wanted()
        if self._line.owner != self._ours:
            self._line.connect(self._ours)
        given = self._turn.wait(wanted, self._is_late)
        if given is None:
            raise self._candidates.too_late(self._turn.queue)
        return given

    def _take(self, place: str) -> None:
        """Acquire it, let go of the reservation at once, see that it can be reached."""
        self._hold = Hold(self._line, place, self._told)
        self._hold.acquire()
        # Now, or the next in the queue is not served before the coordinator's next look, up to 15 s later.
        self._turn.leave()
        self._hold.look()
        self._hold.keep()

    def _give_back(self) -> None:
        """Whatever is ours at the coordinator. Says what could not be given back; never raises."""
        if self._hold:
            self._hold.unkeep()
        if not self._line.was_connected:
            return
        try:
            if self._line.link.gone.is_set() and (self._hold or self._turn.is_reserved):
                self._line.connect()
            self._let_go()
        except EdgegreenError as error:
            self._told.note(
                f"{self._hold.place if self._hold else 'the reservation'} could not be given back: "
                f"{error.message}; "
                "a restarted coordinator has forgotten it, else `edgegreen lab reap` frees it"
            )
        finally:
            self._line.close()

    def _let_go(self) -> None:
        if self._hold:
            self._hold.release()
            self._hold = None
        self._turn.leave()
