"""The way to a machine: run a command, start a process, put files, get files.

`connect(target)` gives the Transport for a target. paramiko is imported in `ssh/` alone, and its
exceptions stop there. What to send, and whether it is there already, is `deploy.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from edgegreen.errors import InputError
from edgegreen.target import Target

MAX_OUTPUT_BYTES = 8_000_000
"""The most that one command may print (`Transport.run`); more is a DeviceError."""


@dataclass(frozen=True)
class Completed:
    """A command that ended. `signal` is set when a signal ended it (then `exit_code` is 128 + n)."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    signal: str | None = None


class Process(Protocol):
    """A command that runs, with its standard streams."""

    def write(self, data: bytes) -> None:
        """Send to its stdin.

        Raises UnreachableError when the link is gone, DeviceError when the program ended or reads nothing.
        """

    def close_stdin(self) -> None:
        """Tell it that no more input comes."""

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """Lines of its stdout, without the newline, until it closes.

        Raises UnreachableError when the link breaks, DeviceError when nothing comes for
        `idle_timeout_s` or a line is longer than `max_bytes`.
        """

    def stderr_tail(self) -> str:
        """The last few kB of what it wrote to stderr so far."""

    def close(self) -> int | None:
        """Close its stdin, wait briefly, then end it.

        Returns its exit code, 128 + n when signal n ended it, None when not known. Idempotent.
        """


@dataclass(frozen=True)
class Upload:
    """A local file and the path it shall have on the machine, where it is known by digest.

    `remote` is absolute or starts with `~/`.
    """

    source: Path
    remote: str
    sha256: str
    size_bytes: int


class Transport(Protocol):
    """One machine, connected. Safe to use from one thread; `close` may be called from another."""

    @property
    def name(self) -> str:
        """What messages call the machine."""

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a POSIX-sh command line to its end (quote what goes into it with `shell.word`).

        Raises DeviceError when it takes longer than `timeout_s` or prints more than MAX_OUTPUT_BYTES.
        """

    def start(self, argv: Sequence[str]) -> Process:
        """Start a program; arguments are quoted here, `~/` at the start of one means the home folder."""

    def put(self, uploads: Sequence[Upload], progress: Callable[[int], None] = lambda _: None) -> int:
        """Bring files; each appears under its name whole and verified, or not at all.

        Interrupted uploads are taken up where they broke. `progress` is called with the bytes newly sent.
        Returns the payload bytes sent. Raises DeviceError (disk full, no permission, digest mismatch).
        """

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Fetch one file. Raises DeviceError when it is absent or larger than `max_bytes`."""

    def close(self) -> None:
        """Hang up. Idempotent; unblocks whatever another thread waits for."""

    def __enter__(self) -> Self:
        """Itself, closed when the block ends."""

    def __exit__(self, *_: object) -> None:
        """Close."""


def connect(target: Target) -> Transport:
    """Connect to `target`.

    Raises UnreachableError, RefusedError; InputError for a broken recording, or a board that is not leased.
    """
    if target.wish:
        raise InputError(
            f"`{target.name}` is no board before it is leased, which this command does not do",
            hint="`labgrid-client -p PLACE lock` leases one to you; then give its ssh:// address",
        )
    if target.recording:
        from edgegreen.transport.recording import ReplayTransport

        return ReplayTransport.open(target)
    if target.is_local:
        from edgegreen.transport.local import LocalTransport

        return LocalTransport()
    from edgegreen.transport.ssh import SSHTransport

    return SSHTransport.connect(target)
