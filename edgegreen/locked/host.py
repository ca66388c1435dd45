"""What a lock holds fixed on this machine: the recipe, the files that it names, the tools, what is built."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from edgegreen.artifact import Artifact
from edgegreen.config import yamlfile
from edgegreen.convert import Build
from edgegreen.errors import InputError
from edgegreen.locked import differing, lock, origin
from edgegreen.locked.lock import Lock, OriginLock
from edgegreen.plan import Plan
from edgegreen.recipe import Recipe

AGAIN = "if that is meant, lock anew: `edgegreen lock {recipe}` with the same targets"


def sections(text: str) -> dict[str, str]:
    """A digest for each top-level key of a recipe's text: of its values, however they are written.

    The order of keys does not count, but for variants, of which the first is the baseline.
    """
    tree = yamlfile.plain(text, "the recipe")
    return {
        key: hashlib.sha256(
            json.dumps([tree[key], list(tree[key]) if key == "variants" else None], sort_keys=True).encode()
        ).hexdigest()
        for key in sorted(tree)
    }


def of(recipe: Recipe) -> OriginLock:
    """As it is now. Raises InputError for a file that cannot be read."""
    found = origin.of(recipe)
    return OriginLock(
        recipe=sections(found.recipe_text or ""), files=found.files, host=found.host, tools=found.tools
    )


def required(plan: Plan) -> Lock:
    """The lock of the plan's recipe, once this machine is as it says.

    Raises InputError: there is no lock, a target is not in it, or what differs, each by name.
    """
    file = lock.place(plan.recipe)
    locked = lock.read(file)
    for one in plan.targets:
        if one.name not in locked.targets:
            raise InputError(
                f"{file}: target `{one.name}` is not locked",
                hint=f"it has {', '.join(locked.targets) or 'none'}; `edgegreen lock` locks all it is given",
            )
    said = differing.words(differing.between(locked.origin.model_dump(), of(plan.recipe).model_dump()))
    if said:
        raise InputError(
            "\n".join([f"{file}: this is not what was locked", *(f"  {one}" for one in said)]),
            hint=AGAIN.format(recipe=_given(plan)),
        )
    return locked


def as_locked(built: Build, locked: Lock) -> Build:
    """The same; the future of a file that is not the locked one raises InputError."""
    return replace(
        built,
        artifacts={
            name: _checked(future, wanted) if (wanted := locked.artifacts.get(name)) else future
            for name, future in built.artifacts.items()
        },
    )


def _given(plan: Plan) -> Path:
    assert plan.recipe.written
    return plan.recipe.written.file


def _checked(built: Future[Artifact], wanted: str) -> Future[Artifact]:
    checked: Future[Artifact] = Future()

    def look(done: Future[Artifact]) -> None:
        try:
            artifact = done.result()
            if artifact.sha256 != wanted:
                locked, found = differing.shown(wanted), differing.shown(artifact.sha256)
                raise InputError(
                    f"the built file is not what was locked: locked {locked}, found {found}",
                    hint="if that is meant, lock anew: `edgegreen lock RECIPE --build`",
                )
        except BaseException as error:
            checked.set_exception(error)
        else:
            checked.set_result(artifact)

    built.add_done_callback(look)
    return checked
