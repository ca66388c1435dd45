"""`edgegreen targets provision`: connect to one board, see what it lacks, bring that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from edgegreen import bundle, transport
from edgegreen.artifact import File
from edgegreen.client import Agent, Board
from edgegreen.deployment import deploy
from edgegreen.errors import DeviceError, InputError
from edgegreen.formats import FORMATS, RuntimeName
from edgegreen.home import home
from edgegreen.provision.kit import Site, Told
from edgegreen.provision.provider import Outcome, Want, provide
from edgegreen.target import Target


@dataclass(frozen=True)
class Report:
    """What the board has now. `there` are runtimes that it had before; `asked` says that they were named."""

    board: Board
    there: dict[str, str]
    outcome: Outcome
    asked: bool

    @property
    def lines(self) -> list[str]:
        """A line for each runtime there is."""
        had = [f"{name} {version}  was there" for name, version in self.there.items()]
        sent = f"{self.outcome.sent_bytes / 1e6:.1f} MB sent"
        new = [
            f"{kit.words}  {' with '.join(['brought', *kit.others])}" for kit in self.outcome.brought.values()
        ]
        return [*had, *new, *([sent] if new else [])]

    @property
    def failures(self) -> list[DeviceError]:
        """What could not be brought and had to be: what was asked for by name, or all there was."""
        everything = not (self.there or self.outcome.brought)
        return list(dict.fromkeys(self.outcome.refused.values())) if self.asked or everything else []

    @property
    def remarks(self) -> list[str]:
        """What could not be brought, and need not be."""
        return [] if self.failures else [refusal.line for refusal in self.outcome.refused.values()]


def on_target(target: Target, only: Sequence[RuntimeName], told: Told, *, renew: bool = False) -> Report:
    """Bring the runtimes in `only` (or those the target names, or one for each format) that the board lacks.

    `renew` chooses anew what was brought before, and forgets what was locked. Raises InputError for a
    target that refuses it, UnreachableError, DeviceError; what cannot be brought is in the outcome.
    """
    if not target.provision:
        raise InputError(
            f"{target.name}: the target says `provision: false`", hint="take that line out, and it works"
        )
    named: list[Want] = [(name,) for name in only or target.runtimes or ()]
    wants = named or [traits.runtimes for traits in FORMATS.values()]
    told("connecting", None)
    with transport.connect(target) as link:
        pyz = _agent()
        placed = deploy(link, target.folder, [pyz])
        with Agent.start(link, target.interpreter, placed.agent) as agent:
            board = agent.probe()
            lacking = [want for want in wants if _lacks(board, want, renew)]
            there = {name: version for name, version in board.runtimes.items() if not _renewed(name, lacking)}
            outcome = Outcome()
            if lacking:
                site = Site(link, target, pyz, agent)
                outcome = provide(site, board, lacking, told, Event(), renew=renew)
            return Report(agent.probe(), there, outcome, bool(named))


def _lacks(board: Board, want: Want, renew: bool) -> bool:
    """Whether something is to be brought: what the board's Python has by itself is never replaced."""
    return all(name not in board.runtimes or (renew and name in board.brought) for name in want)


def _renewed(name: str, lacking: Sequence[Want]) -> bool:
    return any(name in want for want in lacking)


def _agent() -> File:
    folder: Path = home() / "cache"
    try:
        return bundle.pack(folder)
    except OSError as error:
        raise InputError(
            f"cannot write to {home()}: {error.strerror}",
            hint="EDGEGREEN_HOME moves everything edgegreen keeps",
        ) from None
