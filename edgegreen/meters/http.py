"""Any meter that answers over HTTP with JSON: a JSON pointer (RFC 6901) says where its power stands."""

from __future__ import annotations

from urllib.parse import urlsplit

from edgegreen.agent.meters.base import About
from edgegreen.config.meterkeys import Http
from edgegreen.meters.asked import Asked
from edgegreen.meters.base import watts
from edgegreen.meters.web import Server, at

WATTS = {"W": 1.0, "mW": 1e-3}


class Page:
    """A number at a place of a page of JSON."""

    def __init__(self, keys: Http) -> None:
        parts = urlsplit(keys.url)
        self._server, self._pointer, self._watts = Server(keys.url), keys.pointer, WATTS[keys.unit]
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self.about = About(
            kind="http",
            rail=keys.pointer or "the whole answer",
            scope=keys.scope,
            source=f"{self._server.name}{parts.path}",  # the query may hold a key that is nobody's business
            main=True,
            averaging_s=keys.averaging_s,
        )

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        return self._watts * watts(
            at(self._server.get(self._path), self._pointer, self._server.name), self.about.source
        )

    def close(self) -> None:
        """Nothing is held open."""


def open_meter(keys: Http) -> Asked:
    """The page at a URL."""
    return Asked(Page(keys), keys.every_s)
