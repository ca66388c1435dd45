"""Finding out what a board is, in one round trip and with nothing installed there.

`probe` asks it with `script.sh` over a Transport; `parse` makes facts of the reply, `identity` says which
board that is, `doctor` what would spoil a run, and `targetfile` writes a target of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgegreen import transport
from edgegreen.errors import DeviceError
from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.identity import Identity, identify
from edgegreen.probe.parse import parse
from edgegreen.target import Target
from edgegreen.transport import Transport, shell

SCRIPT = Path(__file__).with_name("script.sh")
TIMEOUT_S = 120.0  # each command in it has 10 s; few boards have more than two that hang


@dataclass(frozen=True)
class Probed:
    """A target, what it told, and which board that makes it."""

    target: Target
    facts: BoardFacts
    identity: Identity


def probe(target: Target) -> Probed:
    """Connect to `target` and ask it. Raises UnreachableError, RefusedError, DeviceError."""
    with transport.connect(target) as link:
        facts = ask(link, target)
    return Probed(target, facts, identify(facts))


def ask(link: Transport, target: Target) -> BoardFacts:
    """What the board at the other end of `link` says of itself; one command, one round trip.

    Raises UnreachableError, and DeviceError when the script does not end or nothing comes of it.
    """
    output = recite(link, target)
    return parse(output.text, output.host_s)


@dataclass(frozen=True)
class Recited:
    """What the script printed, and this machine's clock (since 1970) when it began."""

    text: bytes
    host_s: float


def recite(link: Transport, target: Target) -> Recited:
    """Run the script on the board. It travels on stdin: some SSH servers limit a command's length."""
    arguments = shell.words([target.sysfs_root, target.interpreter, target.folder])
    command = f'set -- {arguments}; eval "$(cat)"'
    host_s = time.time()
    done = link.run(command, stdin=SCRIPT.read_bytes(), timeout_s=TIMEOUT_S)
    if b"@@ system" not in done.stdout:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
        raise DeviceError(
            f"{link.name}: the board did not answer the probe" + (f": {said}" if said else ""),
            hint="log in with ssh and see that the account has an ordinary shell, and `cat` and `head`",
        )
    return Recited(done.stdout, host_s)
