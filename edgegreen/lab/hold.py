"""A place that is ours: acquired, kept through a restart of the coordinator, released."""

from __future__ import annotations

import threading

from edgegreen.errors import DeviceError, EdgegreenError, UnreachableError
from edgegreen.lab.line import Line, Told
from edgegreen.lab.messages import Resource
from edgegreen.lab.owner import shown
from edgegreen.lab.reach import SSH

RECLAIM_S = 0.25  # between looks for a coordinator that went away: sooner than who waits there looks


class Hold:
    """One place, from asking for it (the answer may be lost) until `release`."""

    def __init__(self, line: Line, place: str, told: Told) -> None:
        self.place = place
        self.resources: list[Resource] = []
        self._line, self._told = line, told
        self._leaving, self._claiming = threading.Event(), threading.Lock()

    def acquire(self) -> None:
        """Take it. Raises UnreachableError, DeviceError when the coordinator or an exporter refuses."""
        self._line.link.acquire(self.place)

    def look(self) -> None:
        """Hear what its exporters offer. Raises UnreachableError when there is no way to reach its board."""
        link = self._line.link
        link.sync()
        self.resources = link.resources(link.place(self.place))
        if not any(one.cls == SSH for one in self.resources):
            raise UnreachableError(
                f"{self.place}: no exporter at {self._line.address} offers a {SSH} for it, so where it is "
                "cannot be known",
                hint="does its labgrid-exporter run, and export one? "
                f"`labgrid-client -p {self.place} show` tells",
            )

    def keep(self) -> None:
        """See to it from now on that the coordinator knows it as ours."""
        threading.Thread(target=self._keep, daemon=True, name="edgegreen-lease").start()

    def unkeep(self) -> None:
        """See to it no more: nothing is asked of the coordinator in another thread when this returns."""
        self._leaving.set()
        with self._claiming:
            pass

    def release(self) -> None:
        """Give it back, if it is ours. Raises UnreachableError, DeviceError."""
        self._line.link.release(self.place, self._line.owner)

    def _keep(self) -> None:
        """A coordinator that restarts forgets who has what: tell it, or learn that we have lost it."""
        while True:
            self._line.link.gone.wait()
            if self._leaving.is_set():
                return
            self._told.note(f"the coordinator {self._line.address} went away; measuring goes on")
            try:
                while not self._leaving.wait(RECLAIM_S):
                    with self._claiming:
                        if self._leaving.is_set() or self._claimed_again():
                            break
            except EdgegreenError as error:
                with self._claiming:  # who leaves it has no use for the news
                    if not self._leaving.is_set():
                        self._told.lost(error)
                return

    def _claimed_again(self) -> bool:
        """Whether a coordinator is there that has the place as ours. UnreachableError: it is lost."""
        try:
            self._line.connect()
            entry = self._line.link.place(self.place)
            if entry.owner is None:
                self._line.link.acquire(self.place)
            elif entry.owner != self._line.owner:
                raise DeviceError(f"{shown(entry.owner)} has it now")
        except UnreachableError:
            self._line.close()
            return False
        except DeviceError as error:
            self._line.close()
            raise UnreachableError(
                f"the coordinator was restarted, and {self.place} is lost: {error.message}"
            ) from None
        self._told.note(f"the coordinator is back; {self.place} is ours as before")
        return True
