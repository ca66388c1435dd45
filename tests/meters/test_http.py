"""Any web page with a number, and what a web server may do to whoever asks it."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegreen.agent.meters.tree import Unreadable
from edgegreen.meters import web
from edgegreen.meters.base import watts
from edgegreen.meters.web import Challenge, Server, at
from meters import plugs
from meters.plugs import serving
from meters.test_plugs import opened

ANSWER = {"a": {"b/c": [{"~": 1.5}, {"power": "2500"}], "": 3}, "0": 4, "on": True, "nan": "nan"}


def read(address: str, more: str) -> float:
    return opened(f"{{meter: http, url: 'http://{address}/power?key=s3cret', {more}}}").first()


@pytest.mark.parametrize(
    ("more", "watts"),
    [
        ("pointer: /a/b~1c/0/~0", 1.5),
        ("pointer: /a/b~1c/1/power, unit: mW", 2.5),
        ("pointer: /a/", 3),
        ("pointer: /0", 4),
    ],
)
def test_a_number_at_a_pointer(more: str, watts: float) -> None:
    with serving(lambda *_: plugs.told(ANSWER)) as plug:
        assert read(plug.address, more) == pytest.approx(watts)
        assert plug.asked == ["/power?key=s3cret"]


@pytest.mark.parametrize(
    "pointer", ["/b", "/a/b~1c/2", "/a/b~1c/00", "/a/b~1c/-1", "/on", "/a", "/nan", "/0/0"]
)
def test_no_number_at_a_pointer(pointer: str) -> None:
    with serving(lambda *_: plugs.told(ANSWER)) as plug, pytest.raises(Unreadable) as no:
        read(plug.address, f"pointer: {pointer}")
    assert "nothing at" in str(no.value) or "no power" in str(no.value)
    assert "s3cret" not in str(no.value)


tokens = st.text(st.characters(codec="utf-8"), max_size=5)


@given(st.lists(tokens, max_size=4), st.integers())
def test_every_key_can_be_pointed_at(path: list[str], value: int) -> None:
    tree: Any = value
    for token in reversed(path):
        tree = {token: tree}
    pointer = "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)
    assert at(json.loads(json.dumps(tree)), pointer, "it") == value


def test_about() -> None:
    meter = opened(
        "{meter: http, url: 'http://h.example:81/p?key=s', pointer: /p, averaging_s: 0.5, every_s: 2}"
    )
    assert (meter.about.source, meter.about.rail, meter.about.scope) == ("h.example:81/p", "/p", "board")
    assert meter.about.averaging_s == 0.5


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""), "answered 302 Found"),
        ((500, {}, b""), "answered 500 Internal Server Error"),
        ((200, {}, b"<html>"), "not JSON"),
        ((200, {}, b"[" * 100_000), "not JSON"),
        ((200, {}, b"\xff\xfe"), "not JSON"),
        ((200, {}, b" " * (web.MAX_BYTES + 1)), "more than 1048576 bytes"),
        ((200, {"X": "y" * 70_000}, b"1"), "cannot be asked"),
        ((401, {"WWW-Authenticate": "Negotiate"}, b""), "a way that is not known"),
        ((401, {"WWW-Authenticate": 'Digest realm="x", nonce="n", algorithm=SHA-512-256'}, b""), "not known"),
    ],
)
def test_what_is_no_answer(reply: plugs.Answer, words: str) -> None:
    with serving(lambda *_: reply) as plug, pytest.raises(Unreadable, match=words):
        Server(plug.address).get("/")


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreadable, match="cannot be asked: Connection refused"):
            Server(f"127.0.0.1:{taken.getsockname()[1]}").get("/")
    with pytest.raises(Unreadable, match=r"plug\.invalid cannot be asked"):
        Server("plug.invalid").get("/")


def test_a_server_that_says_nothing_or_dribbles_is_given_up() -> None:
    with serving(lambda *_: plugs.told(1)) as plug:
        plug.silent.set()
        start = time.monotonic()
        with pytest.raises(Unreadable, match=r"did not answer in 0\.2 s"):
            Server(plug.address, timeout_s=0.2).get("/")
        assert time.monotonic() - start < 1
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def dribble() -> None:
            link, _ = listening.accept()
            with link:
                link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                try:
                    while True:
                        link.sendall(b" ")
                        time.sleep(0.05)
                except OSError:
                    pass

        thread = threading.Thread(target=dribble)
        thread.start()
        with pytest.raises(Unreadable, match="did not answer"):
            Server(f"127.0.0.1:{listening.getsockname()[1]}", timeout_s=0.2).get("/")
        thread.join(5)
        assert not thread.is_alive()


def test_the_digest_of_rfc_7616(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3.9.1, both algorithms it shows."""
    monkeypatch.setenv(web.USER, "Mufasa")
    monkeypatch.setenv(web.PASSWORD, "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    monkeypatch.setattr(web.secrets, "token_hex", lambda _n: cnonce)
    common = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    responses = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, response in responses.items():
        challenge = Challenge.of(["Negotiate", common.format(algorithm)])
        assert challenge
        answer = challenge.answer("/dir/index.html")
        assert f'response="{response}"' in answer
        assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer
        assert "nc=00000001" in answer
        assert "nc=00000002" in challenge.answer("/")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Power": 3, "Total": 1}, "an object (Power, Total), which"),
        ({str(n): n for n in range(9)}, "an object (0, 1, 2, 3, 4, …), which"),
        ({}, "an empty object,"), ([1, 2], "a list of 2,"), (None, "null,"), (True, "true,"), ("on", "'on',"),
    ],
)  # fmt: skip
def test_what_is_no_power_is_said_as_json_has_it(value: object, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        watts(value, "it")
    assert str(caught.value).startswith(f"it says {words}")
