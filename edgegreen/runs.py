"""The runs that are kept: found by name, and read back. Nothing is written here; `session` does that.

Everything that shows or compares a run reads it by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edgegreen.errors import InputError
from edgegreen.home import home
from edgegreen.measurement import Failure, Measurement, Run

LATEST = "latest"
MAX_BYTES = 1_000_000_000  # of a file that might be a run
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")  # when it began (UTC), and a few random digits
NAMED = 5  # of many that a message could name


@dataclass(frozen=True)
class Kept:
    """A run's file: what is in it, or what is wrong with it."""

    path: Path
    content: Run | InputError


def folder() -> Path:
    """Where runs are kept, a file each, named by its run's id; ids begin with the time."""
    return home() / "runs"


def load(ref: str) -> Run:
    """The run that `ref` means: its id, a beginning of that which no other has, `latest`, or a JSON file.

    Raises InputError: there is no such run, or several; the file cannot be read or is no run.
    """
    return read(find(ref))


def find(ref: str) -> Path:
    """The file of the run that `ref` means. Raises InputError when there is none, or several."""
    if "/" in ref or ref.endswith(".json"):
        return Path(ref)
    known = _files()
    if not known:
        raise InputError(f"no run is kept in {folder()} yet", hint="`edgegreen deploy` makes one")
    if ref == LATEST:
        return known[0]
    fitting = [path for path in known if path.stem == ref] or [
        path for path in known if ref and path.stem.startswith(ref)
    ]
    if len(fitting) > 1:
        raise InputError(f"{len(fitting)} runs begin with `{ref}`: {_named(fitting)}")
    if not fitting:
        raise InputError(f"no run is called `{ref}`", hint=f"there are {_named(known)}; or give a JSON file")
    return fitting[0]


def latest_of(recipe: str, before: str | None = None) -> Path:
    """The file of the newest run of a recipe that measured something; of those begun before run `before`.

    Runs that cannot be read are passed over. Raises InputError when there is none.
    """
    for path in _files():
        if before is None or path.stem < before:
            try:
                run = read(path)
            except InputError:
                continue
            if run.recipe == recipe and run.results:
                return path
    raise InputError(
        f"no earlier run of recipe `{recipe}` is kept in {folder()}", hint="the first one has none before it"
    )


def read(path: Path) -> Run:
    """The run in a file. Raises InputError when it cannot be read or is none."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: a folder, not a file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES} bytes; this is no run")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    try:
        return Run.model_validate_json(content)
    except ValidationError as error:
        raise InputError(f"{path}: not a run that this edgegreen can read: {_first(error)}") from None


def only(run: Run, targets: Collection[str], variants: Collection[str]) -> Run:
    """The part of a run on these targets and of these variants; all of them where none is named.

    Raises InputError for a name that is not in it.
    """
    parts: tuple[Measurement | Failure, ...] = (*run.results, *run.failures)
    for kind, wanted, known in (
        ("target", targets, {part.target for part in parts}),
        ("variant", variants, {part.variant for part in parts}),
    ):
        for name in wanted:
            if name not in known:
                there = ", ".join(sorted(filter(None, known)))
                raise InputError(f"run {run.run_id} has no {kind} `{name}`", hint=f"it has {there}")

    def fits(part: Measurement | Failure) -> bool:
        """A failure of no target in particular is one of each, and so for variants."""
        on = not targets or part.target is None or part.target in targets
        return on and (not variants or part.variant is None or part.variant in variants)

    return run.model_copy(
        update={
            "results": tuple(filter(fits, run.results)),
            "failures": tuple(filter(fits, run.failures)),
        }
    )


def kept(limit: int | None = None) -> list[Kept]:
    """The runs, the newest first; those that cannot be read are among them, with the reason."""
    found = []
    for path in _files()[:limit]:
        try:
            found.append(Kept(path, read(path)))
        except InputError as error:
            found.append(Kept(path, error))
    return found


def _files() -> list[Path]:
    """The newest first: their names begin with the time."""
    try:
        found = [path for path in folder().glob("*.json") if RUN_ID.fullmatch(path.stem)]
    except OSError as error:
        raise InputError(f"{folder()}: {error.strerror}") from None
    return sorted(found, reverse=True)


def _named(paths: list[Path]) -> str:
    more = len(paths) - NAMED
    return ", ".join(path.stem for path in paths[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    item = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, item["loc"]))
    return " ".join(f"{where}: {item['msg']}".removeprefix(": ").split())
