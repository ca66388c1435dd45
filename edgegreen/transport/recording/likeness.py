"""When two requests are the same one, and what is left out of a recording. Pure.

A request is the same when it is equal, or, of commands, when it differs only in what differs between any two
runs: which files are looked for by their digests, digests, numbers (times, process ids), and who runs it.
A job for the agent has to be equal in everything but its number.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import socket
from collections.abc import Mapping
from typing import Any

from edgegreen.agent import wire

_HOME = re.compile(r"""(?<![\w.~\-/])/(home|Users)/[^/\s"'\\:]+""")
_DIGEST_LINE = re.compile(r"(?m)^[0-9a-f]{64}\S*\n?")
_DIGEST = re.compile(r"[0-9a-f]{12,}")
_NUMBER = re.compile(r"\d+")
_BULK = tuple(b'{"v":%d,"event":"%s"' % (wire.VERSION, name) for name in (b"outputs", b"latencies", b"power"))
_PROBED = b'{"v":%d,"event":"probed"' % wire.VERSION
_WORD_MIN = 3


def without_home(text: str) -> str:
    """`text` with whose home folder it names left out."""
    return _HOME.sub(r"/\1/user", text)


def without_owner(text: str) -> str:
    """`text` with who runs edgegreen here left out."""
    try:
        return text.replace(f"{getpass.getuser()}@{socket.gethostname()}", "user@host")
    except (OSError, KeyError):  # a user id without a name
        return text


def request(text: str) -> str:
    """A command or program as it is recorded and looked up."""
    return without_owner(without_home(text))


def shape(text: str) -> str:
    """What two runs' same command have in common."""
    return _NUMBER.sub("0", _DIGEST.sub("#", _DIGEST_LINE.sub("", text)))


def digest(stdin: bytes) -> str:
    """The digest of what a command is given on stdin, as far as two runs have that in common."""
    return hashlib.sha256(shape(request(stdin.decode("utf-8", "backslashreplace"))).encode()).hexdigest()


def kept(data: bytes) -> bytes:
    """What is written to a program, as it is recorded: text as it is, everything else by its digest."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return b"sha256:" + hashlib.sha256(data).hexdigest().encode()
    return request(text).encode("utf-8")


def job_of(data: bytes) -> dict[str, Any] | None:
    """The job in a request to the agent; None when it is something else."""
    try:
        message = wire.decode(data)
    except wire.NotUnderstood:
        return None
    job = message.get("job")
    return job if message.get("verb") == "measure" and isinstance(job, dict) else None


def id_of(data: bytes) -> str | None:
    """The number of the trial that a request asks for."""
    if job_of(data) is None:
        return None
    found = wire.decode(data).get("id")
    return found if isinstance(found, str) else None


def written(data: bytes) -> str:
    """What is written to a program, as it is looked up: a request of the agent's without its number."""
    text = kept(data).decode("utf-8")
    try:
        message = wire.decode(text.encode("utf-8"))
    except wire.NotUnderstood:
        return text
    message.pop("id", None)
    return json.dumps(message, sort_keys=True)


def renumbered(line: bytes, recorded: str | None, wanted: str | None) -> bytes:
    """An event of trial `recorded`, as one of trial `wanted`."""
    if recorded is None or wanted is None or recorded == wanted:
        return line
    # Within a JSON string the quotes would be escaped: these bytes are the key and nothing else.
    return line.replace(b'"id":"%s"' % recorded.encode(), b'"id":"%s"' % wanted.encode(), 1)


def differences(wanted: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[str]:
    """In what two jobs differ, in words."""
    names = [name for name in {**recorded, **wanted} if wanted.get(name) != recorded.get(name)]
    return [
        f"`{name}` is {_brief(wanted.get(name))}, recorded {_brief(recorded.get(name))}" for name in names
    ]


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    cut = _DIGEST.sub(lambda digest: digest[0][:12], re.sub(r"[^\"\s]*/store/", "", text))
    return wire.one_line(cut, 120)


class Private:
    """Takes out of what a board says where it is and whose it is. The target's name stays."""

    def __init__(self, name: str, host: str | None) -> None:
        self._name = name
        self._words: set[str] = set()
        if host:
            self._learn(host)
            if not re.fullmatch(r"[\d.:a-fA-F]+", host):
                self._learn(host.partition(".")[0])

    def text(self, text: str) -> str:
        """Words of a board, or of an error about it."""
        text = without_home(text)
        for word in sorted(self._words, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", lambda _: self._name, text)
        return text

    def output(self, data: bytes) -> bytes:
        """Output of a command; what is no text stays as it is."""
        try:
            return self.text(data.decode("utf-8")).encode("utf-8")
        except UnicodeDecodeError:
            return data

    def line(self, line: bytes) -> bytes:
        """A line of a program's stdout; the agent's figures are passed over."""
        if line.startswith(_BULK):
            return line
        if line.startswith(_PROBED):
            line = self._named(line)
        return self.output(line)

    def _named(self, line: bytes) -> bytes:
        try:
            message = wire.decode(line)
        except wire.NotUnderstood:
            return line
        if isinstance(hostname := message.get("hostname"), str):
            self._learn(hostname)
            message["hostname"] = self._name
        return wire.encode(message).rstrip(b"\n")

    def _learn(self, word: str) -> None:
        if len(word) >= _WORD_MIN and word != "local":
            self._words.add(word)
