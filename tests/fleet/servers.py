"""Many boards on one machine: an OpenSSH server each, the real agent, and a runtime that waits (board/)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sshd import Sshd

STAND_IN = Path(__file__).parent / "board"


@dataclass(frozen=True)
class Servers:
    """`folder` has `targets/board-00.yaml` and so on, tagged `fleet`; `home` is one that knows them."""

    folder: Path
    home: Path
    boards: dict[str, Sshd]


@contextmanager
def running(folder: Path, count: int) -> Iterator[Servers]:
    """So many servers, until the block ends."""
    (folder / "targets").mkdir(parents=True)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={STAND_IN} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    boards: dict[str, Sshd] = {}
    with ExitStack() as stack:
        for name in (f"board-{number:02}" for number in range(count)):
            # Started before the next one looks for a free port, or two of so many would find the same.
            server = boards[name] = Sshd(folder / name).start()
            stack.callback(server.stop)
            (folder / "targets" / f"{name}.yaml").write_text(
                f"host: 127.0.0.1\nport: {server.port}\nuser: {server.user}\n"
                f"identity_file: {server.identity}\n"
                f"python: {python}\nprovision: false\npatience_s: 0\ntags: [fleet]\n"
            )
        known = "".join(server.known_hosts.read_text() for server in boards.values())
        (home / ".ssh" / "known_hosts").write_text(known)
        yield Servers(folder, home, boards)
