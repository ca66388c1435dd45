"""Brings runtimes to one board: chooses, fetches, sends, tries; on a failure takes the next older release.

What several trials want is brought together. One runtime that cannot be had costs the others nothing.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event

from edgegreen import releases
from edgegreen.client import Board
from edgegreen.errors import DeviceError
from edgegreen.formats import RuntimeName
from edgegreen.interpreter import Interpreter, dotted
from edgegreen.provision import elf, lockfile, wheels
from edgegreen.provision.kit import Kit, Site, Told, bring, prove
from edgegreen.provision.lockfile import Lock
from edgegreen.provision.wheels import NotPublished, Wheel
from edgegreen.releases import Choice, Pin

Want = tuple[RuntimeName, ...]
"""Runtimes of which one is wanted, the best first."""


@dataclass
class Outcome:
    """What became of every want: the kit that was brought, or why there is none. `sent_bytes` in all."""

    brought: dict[Want, Kit] = field(default_factory=dict)
    refused: dict[Want, DeviceError] = field(default_factory=dict)
    sent_bytes: int = 0


def provide(
    site: Site, board: Board, wants: Sequence[Want], told: Told, stop: Event, *, renew: bool = False
) -> Outcome:
    """Bring what is wanted. `renew` chooses anew where something was locked.

    Raises UnreachableError, InputError (a lock that cannot be read), CancelledError once `stop` is set;
    what cannot be brought is in the outcome.
    """
    try:
        interpreter = board.interpreter
    except DeviceError as refusal:
        return Outcome(refused=dict.fromkeys(wants, refusal))
    return _Provider(site, interpreter, board.numpy, told, stop).provide(wants, renew)


class _Provider:
    def __init__(
        self, site: Site, interpreter: Interpreter, own_numpy: str | None, told: Told, stop: Event
    ) -> None:
        self.site, self.interpreter, self.own_numpy = site, interpreter, own_numpy
        self.told, self.stop = told, stop
        self._fetched: dict[Pin, Wheel] = {}

    def provide(self, wants: Sequence[Want], renew: bool) -> Outcome:
        outcome = Outcome()
        pending: dict[Want, list[Choice | Lock]] = {}
        for want in wants:
            try:
                pending[want] = self._choices(want, renew)
            except DeviceError as refusal:
                outcome.refused[want] = refusal
        while pending:
            kits = {want: kit for want in list(pending) if (kit := self._next(want, pending, outcome))}
            there = self._bring(kits, outcome)
            for want, kit in kits.items():
                if want in there:
                    self._try(want, kit, pending, outcome)
                else:  # the board's fault: another release would fare no better
                    del pending[want]
        return outcome

    def _bring(self, kits: dict[Want, Kit], outcome: Outcome) -> set[Want]:
        """Bring them together, or, where that fails (too little room for all), one by one; those brought."""
        if not kits:
            return set()
        try:
            outcome.sent_bytes += bring(self.site, list(kits.values()), self.told)
            return set(kits)
        except DeviceError as failure:
            if len(kits) == 1:
                outcome.refused |= dict.fromkeys(kits, failure)
                return set()
        return {want for one in kits.items() for want in self._bring(dict([one]), outcome)}

    def _choices(self, want: Want, renew: bool) -> list[Choice | Lock]:
        """A lock decides alone; else what the table has."""
        for runtime in want:
            if not renew and (lock := lockfile.read(runtime, self.interpreter)):
                return [lock]
        return list(releases.choices(want, self.interpreter, self.own_numpy))

    def _next(self, want: Want, pending: dict[Want, list[Choice | Lock]], outcome: Outcome) -> Kit | None:
        """The first choice left that can be had and links no newer glibc than there is."""
        while pending[want]:
            choice = pending[want].pop(0)
            try:
                kit = self._obtained(choice)
                self._check_glibc(kit)
                return kit
            except (NotPublished, _TooNew) as unfit:
                outcome.refused.setdefault(want, unfit)
            except DeviceError as failure:  # an index out of reach is so for every release
                if self.interpreter.arch in releases.WITHOUT_NUMPY:
                    failure.hint = releases.OWN_NUMPY_HINT.format(arch=self.interpreter.arch)
                outcome.refused.setdefault(want, failure)
                break
        del pending[want]
        return None

    def _obtained(self, choice: Choice | Lock) -> Kit:
        self.told(f"fetching {choice.runtime} {choice.version}", None)
        if isinstance(choice, Lock):
            found = wheels.obtain_locked(choice.wheels, self.interpreter, self.stop)
            return Kit(choice.runtime, tuple(found))
        lacking = [pin for pin in choice.pins if pin not in self._fetched]
        if lacking:
            fetched = wheels.obtain(lacking, self.interpreter, self.stop)
            self._fetched |= dict(zip(lacking, fetched, strict=True))
        return Kit(choice.runtime, tuple(self._fetched[pin] for pin in choice.pins))

    def _check_glibc(self, kit: Kit) -> None:
        for wheel in kit.wheels:
            try:
                needed = elf.glibc_needed(wheel.file.path)
            except zipfile.BadZipFile as error:
                raise DeviceError(f"{wheel.locked.file} from the index is damaged: {error}") from None
            if needed and needed > self.interpreter.glibc:
                raise _TooNew(
                    f"{wheel.locked.name} {wheel.locked.version} links glibc {dotted(needed)}, whatever its "
                    f"name says, and the board has {dotted(self.interpreter.glibc)}"
                )

    def _try(self, want: Want, kit: Kit, pending: dict[Want, list[Choice | Lock]], outcome: Outcome) -> None:
        try:
            prove(self.site, kit, self.told)
        except DeviceError as failure:
            outcome.refused.setdefault(want, _not_working(kit, failure))
            return
        lockfile.write(kit.runtime, self.interpreter, tuple(wheel.locked for wheel in kit.wheels))
        del pending[want]
        outcome.refused.pop(want, None)
        outcome.brought[want] = kit


class _TooNew(DeviceError):
    """A wheel that the board's libc is too old for."""


def _not_working(kit: Kit, failure: DeviceError) -> DeviceError:
    error = DeviceError(
        f"{kit.words} was brought and does not work there: {failure.message}", hint=failure.hint
    )
    for note in getattr(failure, "__notes__", ()):
        error.add_note(note)
    return error
