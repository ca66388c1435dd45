"""Where a host really is and how to log in there: a Target's fields, and what ~/.ssh/config says besides."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgegreen.errors import InputError
from edgegreen.transport.ssh.configfile import Reader

CONFIG_FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
_KNOWN_HOSTS = (
    "~/.ssh/known_hosts", "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2",
)  # fmt: skip


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
    reader = Reader(called, {key: (value,) for key, value in given.items() if value is not None})
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
