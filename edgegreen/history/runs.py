"""The runs that are kept: found by name, wherever they are, and narrowed down. Nothing is written here.

Everything that shows or compares a run reads it by `find` or `load`. A name is an id, the beginning of one,
`latest`, or a JSON file. While the database is away, runs that wait in the spool are found all the same.
SQLAlchemy is imported only where the history is asked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgegreen.errors import InputError
from edgegreen.history import kept, spool
from edgegreen.history.kept import Kept
from edgegreen.measurement import Failure, Measurement, Run

if TYPE_CHECKING:
    from edgegreen.history.shelf import Shelf

LATEST = "latest"
NAMED = 5  # of many that a message could name


def load(ref: str) -> Run:
    """The run that `ref` means: its id, a beginning of that which no other has, `latest`, or a JSON file.

    Raises InputError: there is no such run, or several; it cannot be read or is no run; the history is away.
    """
    return find(ref).run


def find(ref: str, *, recipe: str | None = None, before: str | None = None) -> Kept:
    """The run that `ref` means, and its series; with `recipe`, `latest` is that of `latest_of`.

    Raises InputError as `load` does.
    """
    if ref == LATEST and recipe is not None:
        return latest_of(recipe, before)
    if "/" in ref or ref.endswith(".json"):
        path = Path(ref)
        if path.exists() or path.absolute().parent != spool.folder().absolute():
            return kept.of_file(path)
        ref = path.stem  # of the spool, and taken into the history since it was named
    from edgegreen.history import shelf

    with shelf.opened() as known:
        found = known.get(_meant(ref, known))
        if known.away and ref != found.run.run_id:  # the database may have a later one, or several such
            remark = f"`{ref}` is looked for in the spool alone: {known.away.message}"
            return replace(found, remark=remark)
        return found


def latest_of(recipe: str, before: str | None = None) -> Kept:
    """The newest run of a recipe that measured something; of those begun before run `before`.

    Runs that cannot be read are passed over. Raises InputError when there is none, or the database is away:
    limits are judged against this run, and no other will do.
    """
    from edgegreen.history import shelf
    from edgegreen.history.filters import Filter

    with shelf.opened() as known:
        if known.away:
            raise known.away
        for one in known.find(Filter(recipe=recipe, before=before)):
            try:
                if one.results:
                    return known.get(one.run_id)
            except InputError:
                continue
    raise InputError(
        f"no earlier run of recipe `{recipe}` is in the history", hint="the first one has none before it"
    )


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


def _meant(ref: str, known: Shelf) -> str:
    """The id that `ref` means. Raises InputError when there is none, or several."""
    if ref == LATEST:
        if found := known.ids():
            return found[0]
        raise InputError("no run is in the history yet", hint="`edgegreen deploy` makes one")
    fitting = known.ids(ref) if ref else []
    if ref in fitting:
        return ref
    if known.away and not fitting:
        raise known.away
    if len(fitting) > 1:
        raise InputError(f"{len(fitting)} runs begin with `{ref}`: {_named(fitting)}")
    if not fitting:
        there = known.ids()
        hint = f"there are {_named(there)}; or give a JSON file" if there else "there are none yet"
        raise InputError(f"no run is called `{ref}`", hint=hint)
    return fitting[0]


def _named(ids: list[str]) -> str:
    more = len(ids) - NAMED
    return ", ".join(ids[:NAMED]) + (f" and {more} more" if more > 0 else "")
