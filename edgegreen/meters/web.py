"""Asks one web server in the user's network for JSON: http and https only, no redirects, no proxies, bounded.

Where the server asks who we are, user and password come from the environment, as Basic (RFC 7617) or Digest
(RFC 7616; the standard library's own knows no SHA-256, which Shellys want).
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.wire import one_line, printable

TIMEOUT_S = 3.0  # to connect, and for each part of an answer to come; for the whole of it, twice
MAX_BYTES = 1 << 20
USER, PASSWORD = "EDGEGREEN_METER_USER", "EDGEGREEN_METER_PASSWORD"
DIGESTS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Server:
    """A web server by its address: `host`, `host:port` or a URL, whose path is left out."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        self._host, self._port, self._timeout_s = parts.hostname, parts.port, timeout_s
        self.name = parts.netloc
        self._challenge: Challenge | None = None

    def get(self, path: str) -> Any:
        """The JSON at `path`, decimals as Decimal. Raises Unreadable, whose words leave out `path`."""
        known = self._challenge.answer(path) if self._challenge else None
        status, challenges, body = self._ask(path, known)
        if status == http.client.UNAUTHORIZED:
            self._challenge = Challenge.of(challenges)
            if self._challenge is None:
                raise Unreadable(f"{self.name} asks for a password in a way that is not known here")
            status, _, body = self._ask(path, self._challenge.answer(path))
        if status == http.client.UNAUTHORIZED:
            raise Unreadable(
                f"{self.name} wants another password", f"set {PASSWORD} (and {USER}, if not admin)"
            )
        if status != http.client.OK:
            raise Unreadable(f"{self.name} answered {status} {http.client.responses.get(status, '')}".strip())
        try:
            return json.loads(body, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise Unreadable(f"{self.name} answered something that is not JSON") from None

    def _ask(self, path: str, authorization: str | None) -> tuple[int, list[str], bytes]:
        """Status, challenges and body. Raises Unreadable."""
        deadline = time.monotonic() + 2 * self._timeout_s
        link = self._kind(self._host, self._port, timeout=self._timeout_s)
        headers = {"Accept": "application/json", "Connection": "close"}
        try:
            link.request(
                "GET", path, headers=headers | ({"Authorization": authorization} if authorization else {})
            )
            answer = link.getresponse()
            body = bytearray()
            while part := answer.read1(65536):
                body += part
                if len(body) > MAX_BYTES:
                    raise Unreadable(f"{self.name} answered with more than {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
            return answer.status, answer.headers.get_all("WWW-Authenticate") or [], bytes(body)
        except TimeoutError:
            raise Unreadable(f"{self.name} did not answer in {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = one_line(
                printable(getattr(error, "strerror", None) or str(error) or type(error).__name__), 100
            )
            raise Unreadable(f"{self.name} cannot be asked: {said}") from None
        finally:
            link.close()


def at(tree: Any, pointer: str, whose: str) -> Any:
    """What stands at a JSON pointer (RFC 6901) of the answer of `whose`. Raises Unreadable."""
    node = tree
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        match node:
            case dict() if name in node:
                node = node[name]
            case list() if (
                name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < len(node)
            ):
                node = node[int(name)]
            case _:
                raise Unreadable(f"the answer of {whose} has nothing at {pointer}")
    return node


class Challenge:
    """What a server wants to know before it answers, `WWW-Authenticate` in HTTP."""

    def __init__(self, scheme: str, fields: dict[str, str]) -> None:
        self._scheme, self._fields, self._count = scheme, fields, 0

    @classmethod
    def of(cls, headers: list[str]) -> Challenge | None:
        """The best one that can be met; None when there is none."""
        for scheme in ("digest", "basic"):
            for header in headers:
                name, _, rest = header.partition(" ")
                pairs = re.findall(r'([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', rest)
                fields = {key.lower(): quoted or bare for key, quoted, bare in pairs}
                known = scheme == "basic" or _digest_known(fields)
                if name.lower() == scheme and known:
                    return cls(scheme, fields)
        return None

    def answer(self, path: str) -> str:
        """The `Authorization` for a GET of `path`. Raises Unreadable without a password."""
        user, password = os.environ.get(USER, "admin"), os.environ.get(PASSWORD)
        if password is None:
            raise Unreadable("it wants a password", f"set {PASSWORD} (and {USER}, if not admin)")
        if self._scheme == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        self._count += 1
        return _digest(self._fields, user, password, path, self._count)


def _digest_known(fields: dict[str, str]) -> bool:
    qop = [word.strip() for word in fields.get("qop", "auth").split(",")]
    return fields.get("algorithm", "MD5").upper() in DIGESTS and "auth" in qop and "nonce" in fields


def _digest(fields: dict[str, str], user: str, password: str, path: str, count: int) -> str:
    """RFC 7616, 3.4.1; without `qop` as RFC 2069 had it."""
    hashed = DIGESTS[fields.get("algorithm", "MD5").upper()]

    def h(*parts: str) -> str:
        return hashed(":".join(parts).encode()).hexdigest()

    realm, nonce = fields.get("realm", ""), fields["nonce"]
    nc, cnonce = f"{count:08x}", secrets.token_hex(8)
    middle = (nonce, nc, cnonce, "auth") if "qop" in fields else (nonce,)
    response = h(h(user, realm, password), *middle, h("GET", path))
    quoted = {"username": user, "realm": realm, "nonce": nonce, "uri": path, "response": response}
    quoted |= {"cnonce": cnonce} if "qop" in fields else {}
    quoted |= {"opaque": fields["opaque"]} if "opaque" in fields else {}
    bare = {"nc": nc, "qop": "auth"} if "qop" in fields else {}
    bare |= {"algorithm": fields["algorithm"]} if "algorithm" in fields else {}
    words = [f'{key}="{value}"' for key, value in quoted.items()]
    return "Digest " + ", ".join([*words, *(f"{key}={value}" for key, value in bare.items())])
