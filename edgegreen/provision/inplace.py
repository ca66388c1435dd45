"""Which kits lie on a board, by their notes; asked without the agent, before anything is sent.

A wheel's folder is called by the first digits of its sha256. See agent/kits.py for what the notes say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from edgegreen.agent import kits as on_board
from edgegreen.formats import RuntimeName
from edgegreen.provision.lockfile import Word
from edgegreen.target import Target
from edgegreen.transport import Transport, shell

LINES_MAX = 200


@dataclass(frozen=True)
class InPlace:
    """A kit that is ready: its version, and the folders of its wheels, the runtime's own first."""

    version: str
    folders: tuple[str, ...]


@dataclass(frozen=True)
class _Note:
    __pydantic_config__ = {"extra": "forbid"}

    runtime: RuntimeName
    version: Word
    python: str | None
    folders: Annotated[tuple[Annotated[str, Field(pattern="^[0-9a-f]{12}$")], ...], Field(max_length=100)]


_NOTE = TypeAdapter(_Note)


def kits(link: Transport, target: Target, python_tag: str | None) -> dict[RuntimeName, InPlace]:
    """The kits on the board that are ready for the Python of that tag. Notes that make no sense are none.

    Raises UnreachableError.
    """
    notes = f"{shell.word(target.folder.rstrip('/'))}/runtimes/*/{on_board.READY}"
    done = link.run(f'for note in {notes}; do [ -r "$note" ] && cat "$note" && echo; done; :')
    found: dict[RuntimeName, InPlace] = {}
    for line in done.stdout.splitlines()[:LINES_MAX]:
        try:
            note = _NOTE.validate_json(line)
        except ValidationError:
            continue
        if note.python == python_tag:
            found[note.runtime] = InPlace(note.version, note.folders)
    return found
