"""The guard: a process that changes a board's settings, and puts them back whatever happens.

The supervisor asks it, one line a time, over a pipe. When that pipe closes, be it because the run is over,
the link broke or the supervisor was killed, the guard puts everything back and ends. It is in a session
of its own, so what ends the supervisor's does not end it. Should the guard be killed or the board lose
power, a file says what was changed, and the next guard puts that back first.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from typing import Any, Callable

from . import tuning, wire
from .meters.tree import run
from .tuning import Do, Order, Refused, State

FILE, LOCK = "tuning.json", "tuning.lock"
LOCK_S = 10.0  # as long as another guard may take to put things back
TRIES, PAUSE_S = 3, 1.0  # at the end, when nobody is left who could be told


class Memory:
    """The file that says what was changed, and the right to change anything. One guard at a time has it."""

    def __init__(self, folder: str, patience_s: float = LOCK_S) -> None:
        """Wait for the right. Raises Refused."""
        self._folder = os.path.expanduser(folder)
        self._path = os.path.join(self._folder, FILE)
        try:
            os.makedirs(self._folder, exist_ok=True)
            self._lock = os.open(os.path.join(self._folder, LOCK), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Refused("{}: {}; nothing is changed".format(self._folder, error.strerror)) from None
        deadline = time.monotonic() + patience_s
        while not self._locked():
            if time.monotonic() > deadline:
                os.close(self._lock)
                raise Refused("another run has changed this board's settings, and is not over yet")
            time.sleep(0.05)

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def recall(self) -> State | None:
        """What an earlier guard did not put back. Raises Refused when the file makes no sense."""
        try:
            with open(self._path, encoding="utf-8") as stream:
                raw = json.load(stream)
            return State(raw["root"], raw["boot_id"], dict(raw["governors"]), raw["power_mode"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError):
            raise Refused(
                "{} cannot be read".format(self._path),
                "an earlier run noted there what it changed; look at the board's settings, then delete it",
            ) from None

    def note(self, own: State) -> None:
        """Have it on the disk before anything is changed. Raises Refused."""
        part = self._path + ".part"
        try:
            with open(part, "w", encoding="utf-8") as stream:
                json.dump(asdict(own), stream)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, self._path)
            folder = os.open(self._folder, os.O_RDONLY)
            os.fsync(folder)  # the new name, too, has to outlive a power cut
            os.close(folder)
        except OSError as error:
            raise Refused("{}: {}; nothing is changed".format(self._path, error.strerror)) from None

    def forget(self) -> None:
        """All is as it was."""
        try:
            os.unlink(self._path)
        except OSError:
            pass

    def close(self) -> None:
        """Let another guard have the right."""
        os.close(self._lock)


def pending(folder: str) -> bool:
    """Whether something may be left to put back."""
    return os.path.exists(os.path.join(os.path.expanduser(folder), FILE))


class Guard:
    """Carries out orders, and remembers what the board's own settings were."""

    def __init__(
        self, run_: Do = run, sleep: Callable[[float], None] = time.sleep, patience_s: float = LOCK_S
    ) -> None:
        self._run, self._sleep, self._patience_s = run_, sleep, patience_s
        self._memory: Memory | None = None
        self._own: State | None = None

    def answer(self, order: Order) -> dict[str, Any]:
        """Do it; the event `tuned`: what was put back, and why it was refused, if so."""
        restored: list[str] = []
        try:
            restored += self._begin(order)
            restored += self._carry_out(order)
        except Refused as error:
            return _tuned(restored, error.message, error.hint)
        return _tuned(restored)

    def end(self) -> None:
        """Put everything back; what will not go is left to the next guard."""
        for _ in range(TRIES):
            try:
                self._put_back()
                break
            except Refused:
                self._sleep(PAUSE_S)
        if self._memory:
            self._memory.close()
            self._memory = None

    def _begin(self, order: Order) -> list[str]:
        """Before the first order: put back what an earlier guard did not."""
        if self._memory:
            return []
        self._memory = Memory(order.folder, self._patience_s)
        try:
            self._own = self._memory.recall()
            if self._own and _is_of_another_boot(self._own):
                self._own.governors = {}  # which the boot has reset; a power mode outlives it
            return self._put_back()
        except Refused as error:
            self._memory.close()
            self._memory = self._own = None
            raise Refused(
                "what an earlier run changed cannot be put back: " + error.message, error.hint
            ) from None

    def _carry_out(self, order: Order) -> list[str]:
        if order.restores:
            try:
                return self._put_back()
            except Refused as error:
                raise Refused("cannot be put back as it was: " + error.message, error.hint) from None
        self._note(order)
        tuning.apply(order, self._run, self._sleep)
        return []

    def _note(self, order: Order) -> None:
        """Remember, here and on the disk, what is about to be changed."""
        assert self._memory
        own = self._own or State(order.root, tuning.boot_id(order.root), tuning.governors(order.root), None)
        if order.power_mode is not None and own.power_mode is None:
            own.power_mode = tuning.power_mode(order.root, self._run)
        elif self._own:
            return  # it is there already
        self._memory.note(own)
        self._own = own

    def _put_back(self) -> list[str]:
        """Raises Refused with what stays as it is."""
        if self._own is None:
            return []
        assert self._memory
        done = tuning.restore(self._own, self._run)
        self._memory.forget()
        self._own = None
        return done


def _is_of_another_boot(state: State) -> bool:
    """Whether the board was started anew since; not when it does not tell."""
    now = tuning.boot_id(state.root)
    return None not in (now, state.boot_id) and now != state.boot_id


def _tuned(restored: list[str], error: str | None = None, hint: str = "") -> dict[str, Any]:
    return {
        "event": "tuned",
        "restored": [wire.one_line(words) for words in restored],
        "error": None if error is None else wire.one_line(error),
        "hint": wire.one_line(hint) or None,
    }


def main() -> None:
    """Answer orders on stdin until it closes, then put everything back. Does not return.

    Signals are not heeded: who ends a whole session ends the supervisor with it, and that closes stdin.
    """
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    out, guard = wire.take_stdout(), Guard()
    try:
        for line in sys.stdin.buffer:
            out.write(wire.encode(guard.answer(Order.parse(wire.decode(line)))))
            out.flush()
    except OSError:
        pass  # the supervisor is gone
    finally:
        guard.end()
    os._exit(0)  # a last flush to a supervisor that is gone would complain
