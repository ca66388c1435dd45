"""Where a host really is and how to log in there: ~/.ssh/config, as the ssh command reads it.

Understands Host, Match, Include, the first value of an option winning, and %-tokens; of the options, those
an Endpoint has. Written here because paramiko's own reader knows no Include and refuses some Match lines.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgegreen.errors import InputError

CONFIG_FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
_KNOWN_HOSTS = (
    "~/.ssh/known_hosts", "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
)  # fmt: skip
_INCLUDE_DEPTH_MAX = 16


@dataclass(frozen=True)
class Endpoint:
    """One SSH server and how to log in there, with everything the configuration says applied."""

    called: str
    """The name the user gave, which the ssh command takes too."""
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    """Named ones, in order; empty means the usual files."""
    identities_only: bool
    known_hosts: tuple[Path, ...]
    host_key_alias: str | None
    jumps: tuple[str, ...]
    """Hosts to go through, the first one nearest, each `[user@]host[:port]`."""
    proxy_command: str | None
    connect_timeout_s: float | None

    def __str__(self) -> str:
        address = f"[{self.host}]" if ":" in self.host else self.host
        at = f"{address}:{self.port}"
        return at if self.called == self.host else f"{self.called} ({at})"

    @property
    def known_as(self) -> str:
        """Its name in known_hosts."""
        if self.host_key_alias:
            return self.host_key_alias.lower()
        host = self.host.lower()
        return host if self.port == 22 else f"[{host}]:{self.port}"

    @property
    def ssh_command(self) -> str:
        """The ssh command line that goes to the same place."""
        jump = ["-J", ",".join(self.jumps)] if self.jumps else []
        port = [] if self.port == 22 else ["-p", str(self.port)]
        return shlex.join(["ssh", *jump, *port, f"{self.user}@{self.called}"])


def resolve(
    called: str,
    *,
    port: int | None = None,
    user: str | None = None,
    identity_file: Path | None = None,
    proxy_jump: str | None = None,
    files: Sequence[Path] = CONFIG_FILES,
) -> Endpoint:
    """The Endpoint that `called`, a host or an alias, means. What is given here wins over the files.

    Raises InputError for a file with a line that makes no sense.
    """
    given = {"user": user, "port": None if port is None else str(port), "proxyjump": proxy_jump}
    reader = _Reader(called, {key: (value,) for key, value in given.items() if value is not None})
    for path in files:
        reader.read(path.expanduser())
    if reader.has_final:  # `Match final` holds in a second reading, when HostName is known
        reader.final = True
        for path in files:
            reader.read(path.expanduser())
    identities = [str(identity_file)] if identity_file else reader.identity_files
    known = reader.all("userknownhostsfile", _KNOWN_HOSTS[:2])
    known += reader.all("globalknownhostsfile", _KNOWN_HOSTS[2:])
    timeout = reader.one("connecttimeout", "none")
    jumps = reader.one("proxyjump", "none")
    return Endpoint(
        called=called,
        host=reader.host,
        port=int(reader.one("port", "22")),
        user=reader.user,
        identity_files=tuple(Path(reader.expand(name)).expanduser() for name in identities if name != "none"),
        identities_only=reader.one("identitiesonly", "no") in ("yes", "true"),
        known_hosts=tuple(Path(reader.expand(name)).expanduser() for name in known if name != "none"),
        host_key_alias=reader.one("hostkeyalias", "") or None,
        jumps=() if jumps == "none" else tuple(reader.expand(jump.strip()) for jump in jumps.split(",")),
        proxy_command=reader.expand(reader.one("proxycommand", "")) or None,
        connect_timeout_s=None if timeout == "none" else float(timeout),
    )


def resolve_jump(spec: str, files: Sequence[Path]) -> Endpoint:
    """The Endpoint of one hop of ProxyJump: `[user@]host[:port]` or an ssh:// address."""
    parts = urlsplit(spec if "://" in spec else f"ssh://{spec}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme != "ssh" or parts.path.strip("/"):
        raise InputError(f"`{spec}` is no jump host", hint="write it as [user@]host[:port]")
    start = parts.netloc.lower().rindex(host)
    return resolve(parts.netloc[start : start + len(host)], port=port, user=parts.username, files=files)


class _Reader:
    """What the files say about one host; the first value of each option holds, as ssh has it."""

    def __init__(self, called: str, given: dict[str, tuple[str, ...]]) -> None:
        self.called = called
        self.options = given
        self.identity_files: list[str] = []
        self.final = False
        self.has_final = False

    def one(self, key: str, default: str) -> str:
        return self.options.get(key, (default,))[0]

    def all(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return self.options.get(key, default)

    @property
    def host(self) -> str:
        name = self.one("hostname", self.called)
        return re.sub("%[%h]", lambda token: "%" if token[0] == "%%" else self.called, name)

    @property
    def user(self) -> str:
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
