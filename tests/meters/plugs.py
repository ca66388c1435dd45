"""Plugs on 127.0.0.1: real web servers that speak what users recorded of theirs, with a power that moves.

Shelly: home-assistant-libs/aioshelly, in its `fixtures`
"gen1_Shelly Plug S_SHPLG-S_20230913-113421-v1.14.0-gcb84623.json" and
"gen2_Shelly Plus Plug S_SNPL-00112EU_20231219-134003-1.1.0-g34b5d4f.json". The challenge of a Gen2:
cakephp/cakephp pull request 17035; of firmware 2, with a nonce in base64: ioBroker.shelly pull request 1588.
Tasmota: camueller/SmartApplianceEnabler, doc/Tasmota_DE.md; two channels with decimals: evcc-io/evcc #5731.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Power = Callable[[], float]
Answer = tuple[int, dict[str, str], bytes]

GEN1 = {
    "auth": False, "discoverable": True, "fw": "20230913-113421/v1.14.0-gcb84623", "mac": "AABBCCDDEEFF",
    "name": "Test Name", "num_meters": 1, "num_outputs": 1, "type": "SHPLG-S",
}  # fmt: skip
GEN1_STATUS = {
    "meters": [
        {"counters": [0.0, 0.0, 0.0], "is_valid": True, "overpower": 0.0, "power": 0.0,
         "timestamp": 1707335841, "total": 2632}
    ],
    "relays": [{"has_timer": False, "ison": False, "overpower": False, "source": "http"}],
    "temperature": 24.14, "unixtime": 1707332241, "uptime": 2589909,
}  # fmt: skip
GEN2 = {
    "app": "PlusPlugS", "auth_domain": None, "auth_en": False, "fw_id": "20231219-134003/1.1.0-g34b5d4f",
    "gen": 2, "id": "shellyplusplugs-aabbccddeeff", "mac": "AABBCCDDEEFF", "model": "SNPL-00112EU",
    "name": "Test Name", "slot": 0, "ver": "1.1.0",
}  # fmt: skip
GEN2_SWITCH = {
    "aenergy": {"by_minute": [34.786, 45.552, 45.552], "minute_ts": 1707326925, "total": 7258.589},
    "apower": 2.7, "current": 0.121, "id": 0, "output": True, "source": "init",
    "temperature": {"tC": 32.1, "tF": 89.7}, "voltage": 227.9,
}  # fmt: skip
TASMOTA = (
    '{"StatusSNS":{"Time":"2019-09-06T20:06:19","ENERGY":{"TotalStartTime":"2019-08-18T11:07:55","Total":0.003,'
    '"Yesterday":0.000,"Today":0.003,"Power":%s,"ApparentPower":25,"ReactivePower":25,"Factor":0.06,'
    '"Voltage":239,"Current":0.106}}}'
)
TASMOTA_TWO = (
    '{"StatusSNS":{"Time":"2023-01-09T18:57:39","Switch1":"ON","Switch2":"OFF","ANALOG":{"Temperature":49.6},'
    '"ENERGY":{"TotalStartTime":"2023-01-09T13:59:15","Total":0.077,"Yesterday":0.000,"Today":0.077,'
    '"Power":[8.15,0],"ApparentPower":[5,0],"ReactivePower":[4,0],"Factor":[0.00,0.00],"Frequency":50,'
    '"Voltage":237,"Current":[0.000,0.000]},"TempUnit":"C"}}'
)
NOT_FOUND: Answer = (404, {}, b'{"code":404,"message":"No handler"}')


def told(value: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


class Plug:
    """A server that answers by `reply(path with its query, headers)`; `asked` is what it was asked."""

    def __init__(self, reply: Callable[[str, Any], Answer]) -> None:
        self.reply, self.asked = reply, []
        self.silent = threading.Event()  # set: it takes questions and says nothing
        plug = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                plug.asked.append(self.path)
                if plug.silent.is_set():
                    plug.over.wait()
                    return
                status, headers, body = plug.reply(self.path, self.headers)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"


@contextmanager
def serving(reply: Callable[[str, Any], Answer]) -> Iterator[Plug]:
    plug = Plug(reply)
    thread = threading.Thread(target=lambda: plug.server.serve_forever(0.02))
    thread.start()
    try:
        yield plug
    finally:
        plug.over.set()
        plug.server.shutdown()
        plug.server.server_close()
        thread.join()


def gen1(power: Power, password: str | None = None) -> Callable[[str, Any], Answer]:
    """Basic authorization, of all but /shelly."""

    def reply(path: str, headers: Any) -> Answer:
        if path == "/shelly":
            return told(GEN1 | {"auth": password is not None})
        wanted = base64.b64encode(f"admin:{password}".encode()).decode()
        if password is not None and headers["Authorization"] != f"Basic {wanted}":
            return 401, {"WWW-Authenticate": 'Basic realm="shellyplug-s-DDEEFF"'}, b"401 Unauthorized"
        status = copy.deepcopy(GEN1_STATUS)
        status["meters"][0]["power"] = power()
        return told(status) if path == "/status" else NOT_FOUND

    return reply


class Digest:
    """What a Gen2 asks of whoever wants its status: a nonce serves `uses` times."""

    REALM = "shellyplus1pm-44179393e8a8"

    def __init__(self, password: str, uses: int) -> None:
        self.ha1 = hashlib.sha256(f"admin:{self.REALM}:{password}".encode()).hexdigest()
        self.uses, self.given, self.counts = uses, 0, {}

    def refuses(self, path: str, header: str | None) -> Answer | None:
        fields = {key: quoted or bare for key, quoted, bare in
                  re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', header or "")}  # fmt: skip
        nonce, count = fields.get("nonce", ""), int(fields.get("nc", "0"), 16)
        ha2 = hashlib.sha256(f"GET:{path}".encode()).hexdigest()
        text = f"{self.ha1}:{nonce}:{fields.get('nc')}:{fields.get('cnonce')}:auth:{ha2}"
        good = fields.get("response") == hashlib.sha256(text.encode()).hexdigest() and fields["uri"] == path
        if good and count == self.counts.get(nonce, -1) + 1 <= self.uses:
            self.counts[nonce] = count
            return None
        self.given += 1
        fresh = base64.b64encode(f"63f8afdb{self.given}".encode()).decode()
        self.counts[fresh] = 0
        challenge = f'Digest qop="auth", realm="{self.REALM}", nonce="{fresh}", algorithm=SHA-256'
        return 401, {"WWW-Authenticate": challenge}, b'{"code":401}'


def gen2(
    power: Power, digest: Digest | None = None, component: str = "Switch"
) -> Callable[[str, Any], Answer]:
    """Digest authorization, of all but /shelly."""

    def reply(path: str, headers: Any) -> Answer:
        parts = urlsplit(path)
        if path == "/shelly":
            return told(GEN2 | {"auth_en": digest is not None})
        if digest and (refusal := digest.refuses(path, headers["Authorization"])):
            return refusal
        if parts.path != f"/rpc/{component}.GetStatus" or parse_qs(parts.query) != {"id": ["0"]}:
            return NOT_FOUND
        return told(GEN2_SWITCH | {"apower": power()})

    return reply


def tasmota(power: Callable[[], str], password: str | None = None) -> Callable[[str, Any], Answer]:
    """The password in the query, as Tasmota has it; `power` as it prints it."""

    def reply(path: str, _headers: Any) -> Answer:
        query = parse_qs(urlsplit(path).query)
        if password is not None and query.get("password") != [password]:
            return told({"WARNING": "Need user=<username>&password=<password>"})
        if query.get("cmnd") != ["Status 8"]:
            return told({"Command": "Unknown"})
        return 200, {"Content-Type": "application/json"}, (TASMOTA % power()).encode()

    return reply
