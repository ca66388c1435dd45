"""ssh_config(5) files, read as the ssh command reads them.

Understands Host, Match, Include, the first value of an option winning, and %-tokens. Written here because
paramiko's own reader knows no Include and refuses some lines with Match.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edgegreen.errors import InputError

_INCLUDE_DEPTH_MAX = 16


class Reader:
    """What the files say about one host; the first value of each option holds, as ssh has it."""

    def __init__(self, called: str, given: dict[str, tuple[str, ...]]) -> None:
        self.called = called
        self.options = given
        self.identity_files: list[str] = []
        self.final = False
        self.has_final = False

    def one(self, key: str, default: str) -> str:
        """The value of an option."""
        return self.options.get(key, (default,))[0]

    def all(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """The values of an option that takes several."""
        return self.options.get(key, default)

    @property
    def host(self) -> str:
        """HostName, as far as it was read yet."""
        name = self.one("hostname", self.called)
        return re.sub("%[%h]", lambda token: "%" if token[0] == "%%" else self.called, name)

    @property
    def user(self) -> str:
        """Whom to log in as."""
        return self.one("user", _local_user())

    def read(self, path: Path, depth: int = 0) -> None:
        """Take in one file; one that is not there says nothing."""
        try:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        applies = True
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                key, words, value = _split(line)
                if key == "host":
                    applies = _matches(words, self.called)
                elif key == "match":
                    applies = self._match(words)
                elif applies and key == "include":
                    self._include(words, path, depth)
                elif applies:
                    self._set(key, words, value)
            except ValueError as error:
                raise InputError(f"{path}:{number}: `{line.strip()}`: {error}") from None

    def expand(self, text: str) -> str:
        """Replace the %-tokens of ssh_config(5)."""
        tokens = {
            "%%": "%", "%h": self.host, "%n": self.called, "%p": self.one("port", "22"), "%r": self.user,
            "%u": _local_user(), "%d": str(Path.home()), "%i": str(os.getuid()),
            "%l": socket.gethostname(), "%L": socket.gethostname().partition(".")[0],
            "%k": self.one("hostkeyalias", self.host),
        }  # fmt: skip
        return re.sub("%.", lambda token: tokens.get(token[0], token[0]), text)

    def _set(self, key: str, words: list[str], value: str) -> None:
        if key == "identityfile":
            if words[0] not in self.identity_files:
                self.identity_files.append(words[0])
            return
        if key in ("proxyjump", "proxycommand") and {"proxyjump", "proxycommand"} & self.options.keys():
            return  # whichever of the two comes first holds
        if key == "proxycommand":
            words = [] if value == "none" else [value]
        if key == "port" and not words[0].isdecimal():
            raise ValueError("a port is a number")
        if key == "connecttimeout" and words[0] != "none":
            float(words[0])
        self.options.setdefault(key, tuple(words) or ("",))

    def _include(self, patterns: list[str], path: Path, depth: int) -> None:
        if depth == _INCLUDE_DEPTH_MAX:
            raise ValueError("files that include each other")
        # Relative names are looked up where the main file of that kind lives, whatever includes them.
        base = Path("/etc/ssh") if path.is_relative_to("/etc/ssh") else Path("~/.ssh").expanduser()
        for pattern in patterns:
            full = str(base / Path(self.expand(pattern)).expanduser())
            for file in sorted(Path("/").glob(full.lstrip("/"))):
                self.read(file, depth + 1)

    def _match(self, words: list[str]) -> bool:
        """Whether the conditions of a Match line all hold."""
        words, holds = list(words), True
        while words:
            name = words.pop(0)
            negated, name = name.startswith("!"), name.removeprefix("!").lower()
            self.has_final |= name == "final"
            if name in ("all", "final", "canonical"):
                true = name == "all" or (name == "final" and self.final)
            elif not words:
                raise ValueError(f"`{name}` needs a value")
            else:
                value = words.pop(0)
                # A command is not run for a line that already does not apply.
                true = holds and self._condition(name, value)
            holds = holds and true != negated
        return holds

    def _condition(self, name: str, value: str) -> bool:
        subjects = {
            "host": self.host, "originalhost": self.called,
            "user": self.user, "localuser": _local_user(),
        }  # fmt: skip
        if name in subjects:
            return _matches(value.split(","), subjects[name])
        if name == "exec":
            command = ["/bin/sh", "-c", self.expand(value)]
            done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
            return done.returncode == 0
        return False  # localnetwork, tagged, version …: nothing here can hold


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user id has no name
        return str(os.getuid())


def _split(line: str) -> tuple[str, list[str], str]:
    """A line's keyword in lower case, its words, and its value as one text."""
    parts = re.fullmatch(r"\s*(\w+)(?:\s*=\s*|\s+)(\S.*?)\s*", line)
    if not parts:
        raise ValueError("expected `Keyword value`")
    key, value = parts[1].lower(), parts[2]
    if key == "proxycommand":
        return key, [value], value
    words = shlex.split(value)
    comment = next((i for i, word in enumerate(words) if word.startswith("#")), len(words))
    if not words[:comment]:
        raise ValueError("expected a value")
    return key, words[:comment], value


def _matches(patterns: Sequence[str], name: str) -> bool:
    """Whether `name` fits one of the patterns (`*`, `?`) and none of those that start with `!`."""
    fits = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!").lower()
        if wildcard(wanted).fullmatch(name.lower()):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits


def wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern of ssh_config or known_hosts, where only `*` and `?` are special."""
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)
