"""The files that a recipe names, looked at before any work: whether they are there, and the model is one.

Light, so that `--dry-run` can: nothing is fetched, and little is read. A mistake is named with the recipe's
own line.
"""

from __future__ import annotations

from pathlib import Path

from edgegreen.config import mistakes, references, yamlfile
from edgegreen.config.mistakes import Place
from edgegreen.errors import InputError
from edgegreen.locked import origin
from edgegreen.recipe import Recipe
from edgegreen.sources import files


def check(recipe: Recipe) -> None:
    """Raise InputError for every file that is not there, or for a model that is of no kind known here.

    What is known by its digest (`url`, `file`) is looked for when it is needed.
    """
    named = [(place, ref) for place, ref in origin.places(recipe) if isinstance(ref, Path)]
    wrong = [
        f"{at(recipe, place)}{path} {why}"
        for place, path in named
        if (why := references.absent(path, folder=place == ("model",)))
    ]
    if wrong:
        raise InputError("\n".join(wrong), hint="paths are relative to the recipe")
    if isinstance(recipe.model, Path):
        try:
            files.format_of(recipe.model)
        except InputError as error:
            raise InputError(f"{at(recipe, ('model',))}{error.message}", hint=error.hint) from None


def at(recipe: Recipe, place: Place) -> str:
    """`recipe.yaml:7: `model`: `; without the file where the recipe comes from none."""
    name = f"`{mistakes.dotted(place)}`: "
    written = recipe.written
    return f"{written.file}:{yamlfile.line_of(written.text, place)}: {name}" if written else name
