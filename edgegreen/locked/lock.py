"""The lock of a recipe: digests and versions that a run has to find again. A YAML file beside the recipe.

It is committed: no address, no serial number, no path of a machine is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edgegreen.config import yamlfile
from edgegreen.config.references import Sha256
from edgegreen.config.yamlfile import Frozen
from edgegreen.errors import InputError
from edgegreen.formats import RuntimeName
from edgegreen.provision.lockfile import Locked
from edgegreen.recipe import Recipe

HEADING = "# Written by `edgegreen lock`: what `edgegreen deploy --locked` has to find. To be committed.\n"


class RuntimeLock(Frozen):
    """A runtime on a board, and the wheels it was brought in; none where it is the board's own."""

    version: str
    wheels: tuple[Locked, ...] = ()


class BoardLock(Frozen):
    """A board and its system. None is what it does not tell, or what the recipe sets there itself."""

    family: str
    board: str
    """What it says it is: its model, or the maker's name for a PC."""
    emulated: bool = False
    machine: str | None = None
    cpu: str | None = None
    cores: int | None = None
    os: str | None = None
    l4t: str | None = None
    """Of a Jetson."""
    kernel: str | None = None
    libc: str | None = None
    python: str | None = None
    power_mode: str | None = None
    governor: str | None = None
    runtimes: dict[RuntimeName, RuntimeLock] = {}

    @property
    def pinned(self) -> dict[RuntimeName, tuple[Locked, ...]]:
        """The wheels of the runtimes that are brought."""
        return {name: one.wheels for name, one in self.runtimes.items() if one.wheels}


class OriginLock(Frozen):
    """What a run is made from, and the machine that makes it."""

    recipe: dict[str, Sha256]
    """A digest for each top-level key; comments and blanks do not count."""
    files: dict[str, Sha256]
    """By key, such as `data.evaluation`."""
    tools: dict[str, str]
    """Versions of the packages that build and measure."""
    host: str


class Lock(Frozen):
    """All of it."""

    version: Literal[1]
    origin: OriginLock
    artifacts: dict[str, Sha256] = {}
    """Of each variant's built file(s), where they were locked too."""
    targets: dict[str, BoardLock]

    @property
    def summary(self) -> str:
        """One line."""
        origin = self.origin
        parts = [f"{len(origin.files)} files", f"{len(origin.tools)} tools"]
        parts += [f"{len(self.artifacts)} built"] if self.artifacts else []
        return ", ".join([*parts, f"targets {', '.join(self.targets)}"])

    def to_yaml(self) -> str:
        """As it is written: always the same for the same lock."""
        return HEADING + yamlfile.dump(self.model_dump(mode="json", exclude_none=True, exclude_defaults=True))


def place(recipe: Recipe) -> Path:
    """Where a recipe's lock is, or would be: beside it. Raises InputError for a recipe without a file."""
    if recipe.written is None:
        raise InputError(f"recipe `{recipe.name}` has no file that a lock could lie beside")
    return recipe.written.file.with_suffix(".lock")


def read(path: Path) -> Lock:
    """The lock in a file. Raises InputError when there is none, or what is there makes no sense."""
    if not path.exists():
        raise InputError(f"{path}: there is no lock", hint="`edgegreen lock RECIPE --target …` writes it")
    return yamlfile.load(path, Lock)
