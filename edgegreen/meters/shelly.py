"""Shelly plugs, relays and meters, of the first generation and of all later ones.

Gen1: /status. Gen2 and newer: an RPC of the component that measures
(https://shelly-api-docs.shelly.cloud). Which one it is, /shelly tells without a password.
"""

from __future__ import annotations

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.wire import one_line, printable
from edgegreen.config.meterkeys import Shelly
from edgegreen.meters.asked import Asked
from edgegreen.meters.base import watts
from edgegreen.meters.web import Server, at

UPDATE_S = 1.0
RESOLUTION_W = 0.1
COMPONENTS = {"Switch": "apower", "PM1": "apower", "EM1": "act_power"}  # what measures, and its power


def open_meter(keys: Shelly) -> Asked:
    """The Shelly at an address, told apart by what it says of itself. Raises Unreadable."""
    server = Server(keys.address)
    told = server.get("/shelly")
    if not isinstance(told, dict) or not told.get("mac"):
        raise Unreadable(f"{server.name} is no Shelly: it does not say so at /shelly")
    generation = told.get("gen", 1)
    model = one_line(printable(str(told.get("model") or told.get("type"))), 60)
    about = About(
        kind="shelly",
        rail=f"channel {keys.channel}",
        scope=keys.scope,
        source=f"Shelly {model} (Gen{generation}) at {server.name}",
        main=True,
        update_s=UPDATE_S,
        resolution_w=RESOLUTION_W,
    )
    reader = Gen1(about, server, keys.channel) if generation == 1 else _component(about, server, keys.channel)
    return Asked(reader, UPDATE_S)


class Gen1:
    """The first generation: everything in one /status."""

    def __init__(self, about: About, server: Server, channel: int) -> None:
        self.about, self._server, self._channel = about, server, channel

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        told = self._server.get("/status")
        meters = "meters" if isinstance(told, dict) and told.get("meters") else "emeters"
        meter = at(told, f"/{meters}/{self._channel}", self._server.name)
        if at(meter, "/is_valid", self._server.name) is False:
            raise Unreadable(f"{self.about.source} says that its reading is not valid")
        return watts(at(meter, "/power", self._server.name), self.about.source)

    def close(self) -> None:
        """Nothing is held open."""


class Component:
    """A component of a later generation, asked for its status."""

    def __init__(self, about: About, server: Server, channel: int, component: str) -> None:
        self.about, self._server = about, server
        self._path, self._power = f"/rpc/{component}.GetStatus?id={channel}", COMPONENTS[component]

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        return watts(
            at(self._server.get(self._path), f"/{self._power}", self._server.name), self.about.source
        )

    def close(self) -> None:
        """Nothing is held open."""


def _component(about: About, server: Server, channel: int) -> Component:
    """The first one of this number that tells a power. Raises Unreadable."""
    reasons = []
    for name in COMPONENTS:
        component = Component(about, server, channel, name)
        try:
            component.read()
            return component
        except Unreadable as error:
            reasons.append(str(error))
    raise Unreadable(f"{about.source} tells no power of channel {channel}: {reasons[0]}")
