"""Plugs with Tasmota firmware: `Status 8` over HTTP (https://tasmota.github.io/docs/Commands)."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.config.meterkeys import Tasmota
from edgegreen.meters.asked import Asked
from edgegreen.meters.base import watts
from edgegreen.meters.web import PASSWORD, USER, Server, at

UPDATE_S = 1.0
STATUS = "/cm?cmnd=Status%208"


class Plug:
    """One channel of a plug."""

    def __init__(self, keys: Tasmota) -> None:
        self._server, self._channel = Server(keys.address), keys.channel
        self._login = ""
        self.about = About(
            kind="tasmota",
            rail=f"channel {keys.channel}",
            scope=keys.scope,
            source=f"Tasmota at {self._server.name}",
            main=True,
            update_s=UPDATE_S,
        )

    def told(self) -> Any:
        """The power as the plug prints it. Raises Unreadable."""
        answer = self._server.get(STATUS + self._login)
        if isinstance(answer, dict) and "WARNING" in answer and not self._login:
            self._login = self._credentials()  # some versions ask in this way, with status 200
            answer = self._server.get(STATUS + self._login)
        if isinstance(answer, dict) and "WARNING" in answer:
            raise Unreadable(f"{self.about.source} wants another password", f"set {PASSWORD}")
        power = at(answer, "/StatusSNS/ENERGY/Power", self._server.name)
        return at(power if isinstance(power, list) else [power], f"/{self._channel}", self._server.name)

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        return watts(self.told(), self.about.source)

    def close(self) -> None:
        """Nothing is held open."""

    def _credentials(self) -> str:
        password = os.environ.get(PASSWORD)
        if password is None:
            raise Unreadable(f"{self.about.source} wants a password", f"set {PASSWORD}")
        return f"&user={quote(os.environ.get(USER, 'admin'), safe='')}&password={quote(password, safe='')}"


def open_meter(keys: Tasmota) -> Asked:
    """The plug at an address. Raises Unreadable.

    Its resolution is what it prints: 1 W as it comes, less where the user has set `WattRes`.
    """
    plug = Plug(keys)
    decimals = str(plug.told()).partition(".")[2]
    plug.about = replace(plug.about, resolution_w=10.0 ** -len(decimals))
    return Asked(plug, UPDATE_S)
