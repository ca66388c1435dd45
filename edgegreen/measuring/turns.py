"""Having a board to ourselves: two people's measurements on it take turns."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Callable

from edgegreen.client import Agent, Holding
from edgegreen.report import words

CHECK_S = 1.0
OWN_MARGIN_S = 2.0  # how far a board's count of seconds may be off ours


class Turns:
    """Our turns at one board, over as many connections as it takes.

    `waiting` is told, at each look, who is measuring there; `note` once for each of them. `sleep` waits so
    many seconds, or raises when the run is stopped meanwhile.
    """

    def __init__(
        self, waiting: Callable[[str], None], note: Callable[[str], None], sleep: Callable[[float], None]
    ) -> None:
        self._waiting, self._note, self._sleep = waiting, note, sleep
        self._held_s: float | None = None  # when we last knew the board to be ours

    def take(self, agent: Agent) -> str | None:
        """Wait until the board is ours. Why it cannot be held, where there is no lock; else None."""
        told = None
        while (found := agent.hold(_owner())).holder is not None:
            who = self._holder(found)
            self._waiting(who)
            if told != found.holder:
                told = found.holder
                self._note(f"{who}; waiting until the board is free")
            self._sleep(CHECK_S)
        self._held_s = time.monotonic()
        return found.without

    def _holder(self, found: Holding) -> str:
        """Who measures there, and since when. It may be us, from before the link broke."""
        if found.age_s is None:
            return f"{found.holder} is measuring there"
        if self._held_s is not None and found.age_s > time.monotonic() - self._held_s - OWN_MARGIN_S:
            return "the board has not noticed yet that the link broke (it does within a minute)"
        return f"{found.holder} is measuring there, for {words.duration(found.age_s)} now"


def _owner() -> str:
    """Who we are to others that wait for the board."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name, in a container
        return socket.gethostname()
