"""A place of a lab, held: queued for, acquired, looked after, given back whatever happens."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from edgegreen.errors import DeviceError, EdgegreenError, InputError, UnreachableError
from edgegreen.lab.coordinator import Coordinator, Entry, Reservation, Resource, address
from edgegreen.lab.owner import Owner, shown
from edgegreen.lab.spec import FILE_TAG
from edgegreen.target import Place, Target, Wish, file, load

POLL_S = 1.0  # as labgrid-client does
RECLAIM_S = 0.25  # between a holder's looks for a coordinator that went away
RECONNECT_S = 2.0  # between those of who waits, and from finding it to asking: holders come first
SSH = "NetworkService"
POWER = frozenset(
    {
        "NetworkPowerPort", "PDUDaemonPort", "TasmotaPowerPort",
        "NetworkUSBPowerPort", "NetworkSiSPMPowerPort", "NetworkYKUSHPowerPort",
    }
)  # fmt: skip
"""Resources that labgrid switches a board with."""


@dataclass(frozen=True)
class Holder:
    """Who has a place that we would take."""

    place: str
    who: str
    for_s: float


@dataclass(frozen=True)
class Queue:
    """Where we stand: 1 is the next one. `holders` have the places that fit."""

    position: int
    holders: tuple[Holder, ...]


@dataclass(frozen=True)
class Told:
    """Where word of a lease goes, and how it waits: `sleep` raises when the run is stopped meanwhile.

    `lost` is called, from another thread, when the place went to somebody else.
    """

    waiting: Callable[[Queue | None], None]
    note: Callable[[str], None]
    sleep: Callable[[float], None]
    lost: Callable[[EdgegreenError], None]


class Lease:
    """Any place that fits a wish, from entering until leaving.

    Entering raises InputError (no such place, no labgrid), UnreachableError (no coordinator, none free in
    time, a place without an address), DeviceError (an exporter refuses), and what `told.sleep` raises. In
    all of these cases nothing stays reserved or held.
    """

    def __init__(self, wish: Wish, owner: Owner, told: Told) -> None:
        self._wish, self._tags, self._told = wish, dict(wish.tags), told
        self._owner = str(owner)
        self._address = address(wish.coordinator)
        self._link: Coordinator | None = None
        self._token: str | None = None  # of our own reservation
        self._place: str | None = None  # set before it is asked for: an answer may be lost
        self._leaving, self._claiming = threading.Event(), threading.Lock()
        self._resources: list[Resource] = []

    def __enter__(self) -> Self:
        try:
            self._acquire()
        except BaseException:
            self._give_back()
            raise
        threading.Thread(target=self._keep, daemon=True, name="edgegreen-lease").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def target(self) -> Target:
        """The board, where the lab says it is; else as the file says that the tag `edgegreen` names."""
        entry = self._connected.place(self._place or "")
        place = Place(entry.name, tuple(sorted(entry.tags.items())), self._address)
        name = entry.tags.get(FILE_TAG)
        try:
            known = load(file(name)) if name else Target()
        except InputError as error:
            raise InputError(
                f"{entry.name}: its tag `{FILE_TAG}={name}`: {error.message}", hint=error.hint
            ) from None
        reached = self._reached(entry.name)
        return known.leased_at(place, **reached, proxy_jump=self._jump() or known.proxy_jump)

    @property
    def can_power_cycle(self) -> bool:
        """Whether the place has a switch for its power."""
        return any(one.cls in POWER for one in self._resources)

    def power_cycle(self) -> None:
        """Switch the board off and on again. Raises DeviceError with what labgrid said."""
        self._connected.power_cycle(self._place or "")

    @property
    def _connected(self) -> Coordinator:
        assert self._link is not None
        return self._link

    @property
    def _service(self) -> Resource:
        return next(one for one in self._resources if one.cls == SSH)

    def _reached(self, place: str) -> dict[str, object]:
        """Host, port and user as the exporter has them. Raises InputError for what SSH cannot reach."""
        params = self._service.params
        address = str(params.get("address"))
        if "%" in address:
            raise InputError(
                f"{place}: its address {address} is bound to an interface of the exporter, which takes "
                "labgrid-bound-connect",
                hint="export an address that the exporter's own `ssh` reaches",
            )
        try:
            found = Target(host=address, port=params.get("port"), user=params.get("username"))
        except ValidationError:
            found = None
        if found is None or found.is_local:
            raise InputError(f"{place}: its exporter says that it is at `{address}`, which is no address")
        return {"host": found.host, "port": found.port, "user": found.user}

    def _acquire(self) -> None:
        deadline_s = time.monotonic() + self._wish.timeout_s
        self._told.waiting(None)
        self._link = Coordinator(self._address, self._owner)
        while True:
            try:
                place = self._promised() or self._queued(deadline_s)
                self._take(place)
                return
            except UnreachableError as error:
                if not error.transient or time.monotonic() > deadline_s:
                    raise
                self._told.note(f"{error.message}; trying again until it does")
                self._link = self._reconnected(deadline_s)
                self._let_go()  # where it was but the way there that broke; a restarted one knows of nothing

    def _reconnected(self, deadline_s: float) -> Coordinator:
        self._connected.close()
        while True:
            self._told.sleep(RECONNECT_S)
            try:
                link = Coordinator(self._address, self._owner)
            except UnreachableError:
                if time.monotonic() > deadline_s:
                    raise
                continue
            try:
                self._told.sleep(RECONNECT_S)
            except BaseException:
                link.close()
                raise
            return link

    def _promised(self) -> str | None:
        """The place of LG_TOKEN's reservation, if it is one that we want. It is its owner's to cancel."""
        token = os.environ.get("LG_TOKEN")
        if not token:
            return None
        found = self._connected.poll(token)
        if found is None:
            raise InputError(
                f"{self._address}: there is no reservation {token}, which LG_TOKEN names",
                hint="it may have expired: one that nobody asks for lives for a minute; or unset LG_TOKEN",
            )
        if found.place is None:
            raise InputError(
                f"LG_TOKEN's reservation {token} has no place yet: it is {found.state}",
                hint="`labgrid-client reserve --wait` waits for one; or unset LG_TOKEN to queue up here",
            )
        if not self._connected.place(found.place).fits(self._tags):
            self._told.note(f"LG_TOKEN's {found.place} is not what is wanted: queueing up for another place")
            return None
        if found.owner != self._owner:  # a place that is reserved goes to who reserved it
            self._connected.close()
            self._owner = found.owner
            self._link = Coordinator(self._address, self._owner)
        return found.place

    def _queued(self, deadline_s: float) -> str:
        """Queue up; returns the name of the place that became ours to take."""
        self._check_known()
        link = self._connected
        mine = link.reserve(self._tags)
        while mine.place is None:
            self._token = mine.token
            queue = self._queue(mine)
            self._told.waiting(queue)
            if time.monotonic() > deadline_s:
                raise self._too_late(queue)
            self._told.sleep(POLL_S)
            known = link.poll(mine.token)
            mine = known if known and known.state in ("waiting", "allocated") else link.reserve(self._tags)
        self._token = mine.token
        return mine.place

    def _take(self, place: str) -> None:
        """Acquire it, let go of the reservation at once, see that it can be reached."""
        link = self._connected
        self._place = place
        link.acquire(place)
        # Now, or the next in the queue is not served before the coordinator's next look, up to 15 s later.
        self._drop_reservation()
        link.sync()
        self._resources = link.resources(link.place(place))
        if not any(one.cls == SSH for one in self._resources):
            raise UnreachableError(
                f"{place} of {self._address} has no {SSH}, so there is no address to reach it at",
                hint=f"does its labgrid-exporter run, and export one? `labgrid-client -p {place} show` tells",
            )

    def _check_known(self) -> None:
        """Without a place that could ever fit, waiting would be in vain."""
        places = self._connected.places()
        if any(one.fits(self._tags) for one in places):
            return
        wanted = ", ".join(f"{key}={value}" for key, value in self._tags.items())
        there = "; ".join(
            " ".join([one.name, *(f"{key}={value}" for key, value in sorted(one.tags.items()))])
            for one in places
        )
        raise InputError(
            f"no place of {self._address} has {wanted}",
            hint=f"there are: {there}"
            if there
            else "there is none: `labgrid-client -p NAME create` makes one",
        )

    def _queue(self, mine: Reservation) -> Queue:
        link = self._connected
        fitting = [one for one in link.places() if one.fits(self._tags)]
        ahead = [
            one for one in link.reservations()
            if one.state == "waiting" and one.rank < mine.rank
            and any(place.fits(one.tags) for place in fitting)
        ]  # fmt: skip
        return Queue(len(ahead) + 1, tuple(_holder(one) for one in fitting if one.owner))

    def _too_late(self, queue: Queue) -> UnreachableError:
        held = ", ".join(f"{one.place} by {one.who}" for one in queue.holders)
        return UnreachableError(
            f"no board came free within {self._wish.timeout_s:g} s" + (f"; held: {held}" if held else ""),
            hint="`?timeout=3600` waits longer; `edgegreen lab reap` frees what dead runs from here hold",
        )

    def _jump(self) -> str | None:
        """The host to go through, where the exporter or LG_PROXY asks for one."""
        extra = self._service.extra
        return (extra.get("proxy") if extra.get("proxy_required") else None) or os.environ.get("LG_PROXY")

    def _keep(self) -> None:
        """A coordinator that restarts forgets who has what: tell it, or learn that we have lost it."""
        while True:
            self._connected.gone.wait()
            if self._leaving.is_set():
                return
            self._told.note(f"the coordinator {self._address} went away; measuring goes on")
            try:
                while not self._leaving.wait(RECLAIM_S):
                    with self._claiming:
                        if self._leaving.is_set() or self._claimed_again():
                            break
            except EdgegreenError as error:
                self._told.lost(error)
                return

    def _claimed_again(self) -> bool:
        """Whether a coordinator is there that has the place as ours. UnreachableError: it is lost."""
        self._connected.close()
        link = None
        try:
            link = Coordinator(self._address, self._owner)
            entry = link.place(self._place or "")
            if entry.owner is None:
                link.acquire(entry.name)
            elif entry.owner != self._owner:
                raise DeviceError(f"{shown(entry.owner)} has it now")
        except UnreachableError:
            if link:
                link.close()
            return False
        except DeviceError as error:
            assert link is not None
            link.close()
            raise UnreachableError(
                f"the coordinator was restarted, and {self._place} is lost: {error.message}"
            ) from None
        self._link = link
        self._told.note(f"the coordinator is back; {entry.name} is ours as before")
        return True

    def _give_back(self) -> None:
        """Whatever is ours at the coordinator. Says what could not be given back; never raises."""
        self._leaving.set()
        with self._claiming:
            if self._link is None:
                return
            try:
                if self._link.gone.is_set() and (self._place or self._token):
                    self._link.close()
                    self._link = Coordinator(self._address, self._owner)
                self._let_go()
            except EdgegreenError as error:
                self._told.note(
                    f"{self._place or 'the reservation'} could not be given back: {error.message}; "
                    "a restarted coordinator has forgotten it, else `edgegreen lab reap` frees it"
                )
            finally:
                self._link.close()

    def _let_go(self) -> None:
        if self._place:
            self._connected.release(self._place, self._owner)
            self._place = None
        self._drop_reservation()

    def _drop_reservation(self) -> None:
        if self._token:
            with suppress(DeviceError):  # it has expired, which is as good
                self._connected.cancel(self._token)
            self._token = None


def _holder(entry: Entry) -> Holder:
    return Holder(entry.name, shown(entry.owner or ""), max(time.time() - entry.changed_s, 0.0))
