"""Transport over SSH: one connection per target, a channel for each command. The only user of paramiko.

Files travel over commands too (upload.py): measured, that is faster than SFTP, needs fewer round trips,
and works on boards whose SSH server has no SFTP.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from edgegreen.errors import DeviceError
from edgegreen.target import Target
from edgegreen.transport import Completed, Upload, upload
from edgegreen.transport.ssh.config import CONFIG_FILES, resolve, resolve_jump
from edgegreen.transport.ssh.connection import Connection, Patience, reach
from edgegreen.transport.ssh.process import RemoteProcess

# What goes wrong is raised here in our own words; paramiko's log would print it a second time.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_STDERR_BYTES_MAX = 1_000_000
_IDLE_S = 60.0
# $1 path. Its size on a line, then its bytes.
_SEND_FILE = '[ -f "$1" ] && [ -r "$1" ] && size=$(wc -c <"$1") && echo $((size)) && exec cat <"$1"'


class SSHTransport:
    """`Transport` to a board. Make one with `connect`."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    @classmethod
    def connect(
        cls,
        target: Target,
        *,
        config_files: Sequence[Path] = CONFIG_FILES,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> Self:
        """Connect to `target`; its own fields win over `config_files` (in ssh_config's format).

        Raises UnreachableError, RefusedError, and InputError for files that cannot be read.
        """
        assert target.host is not None, "target.find gives no target without a host"
        endpoint = resolve(
            target.host,
            port=target.port,
            user=target.user,
            identity_file=target.identity_file,
            proxy_jump=target.proxy_jump,
            files=config_files,
        )
        connection = reach(endpoint, patience, partial(resolve_jump, files=config_files))
        return cls(connection, target.name or target.host)

    @property
    def name(self) -> str:
        """What messages call the board: the target's name."""
        return self._name

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a POSIX-sh command line to its end."""
        process = RemoteProcess(self._connection, self._name, ["sh", "-c", command], _STDERR_BYTES_MAX)
        return process.complete(stdin, timeout_s, " ".join(command.split())[:60])

    def start(self, argv: Sequence[str]) -> RemoteProcess:
        """Start a program."""
        return RemoteProcess(self._connection, self._name, argv)

    def put(self, uploads: Sequence[Upload], progress: Callable[[int], None] = lambda _: None) -> int:
        """Bring files."""
        return upload.send(self.start, self._name, uploads, progress)

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Fetch one file."""
        process = self.start(["sh", "-c", _SEND_FILE, "sh", remote])
        part = local.with_name(f"{local.name}.{os.getpid()}.part")
        try:
            size_bytes = int(next(process.lines(_IDLE_S, 100), b"-1"))
            if size_bytes < 0:
                raise DeviceError(
                    f"{self._name}: {remote}: {process.stderr_tail().strip() or 'no such file'}"
                )
            if size_bytes > max_bytes:
                raise DeviceError(f"{self._name}: {remote} is larger than {max_bytes} bytes")
            with part.open("wb") as stream:
                while data := process.read(_IDLE_S):
                    stream.write(data)
                    if stream.tell() > size_bytes:
                        break
                if stream.tell() != size_bytes:
                    raise DeviceError(f"{self._name}: {remote} changed while it was fetched")
            part.replace(local)
        except OSError as error:
            raise DeviceError(f"cannot write {local}: {error.strerror}") from None
        finally:
            process.close()
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
