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
    boards = {f"board-{number:02}": Sshd(folder / f"board-{number:02}") for number in range(count)}
    for name, server in boards.items():
        (folder / "targets" / f"{name}.yaml").write_text(
            f"host: 127.0.0.1\nport: {server.port}\nuser: {server.user}\nidentity_file: {server.identity}\n"
            f"python: {python}\nprovision: false\npatience_s: 0\ntags: [fleet]\n"
        )
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    known = "".join(server.known_hosts.read_text() for server in boards.values())
    (home / ".ssh" / "known_hosts").write_text(known)
    with ExitStack() as stack:
        for server in boards.values():
            stack.callback(server.start().stop)
        yield Servers(folder, home, boards)
