"""What a run is made from: the recipe, the files it names, the tools, the commit. Builds nothing."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from edgegreen import data
from edgegreen.artifact import File
from edgegreen.cache.keys import versions
from edgegreen.config.datakeys import Hook
from edgegreen.config.mistakes import Place
from edgegreen.config.references import Download
from edgegreen.measurement import Commit, Origin
from edgegreen.recipe import Recipe
from edgegreen.sources import files

# What builds and measures on the host: another version of one of them may give another reading.
TOOLS = (
    "edgegreen",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "keras",
    "nncf",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "tensorflow",
    "tf2onnx",
    "tf-keras",
    "tflite-runtime",
)
GIT_TIMEOUT_S = 5.0


def of(recipe: Recipe) -> Origin:
    """What a run of this recipe comes from. Raises InputError for a file that cannot be read."""
    written = recipe.written
    return Origin(
        recipe_file=written.file.name if written else None,
        recipe_text=written.text if written else None,
        files={key: digest(data.locate(ref, key)) for key, ref in named(recipe)},
        tools={name: version for name, version in versions(*TOOLS).items() if version},
        host=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        git=_commit(written.file.absolute().parent) if written else None,
    )


def named(recipe: Recipe) -> Iterator[tuple[str, Path | Download]]:
    """Every file and folder that the recipe names, by its key, such as `model` or `data.evaluation`."""
    return ((".".join(map(str, place)), ref) for place, ref in places(recipe))


def places(recipe: Recipe) -> Iterator[tuple[Place, Path | Download]]:
    """The same by their places in the recipe, such as `("data", "evaluation")`."""
    return _named(recipe, ())


def digest(path: Path) -> str:
    """sha256 of a file; of a model of several files, the digest of theirs."""
    several = path.is_dir() or path.suffix.lower() in (".xml", ".onnx")
    return files.digest(path, files.format_of(path)) if several else File.of(path).sha256


def _named(value: object, place: Place) -> Iterator[tuple[Place, Path | Download]]:
    match value:
        case Path() | Download():
            yield place, value
        case Hook():
            yield place, Path(value.python.rpartition(":")[0])
        case BaseModel():
            for name in type(value).model_fields:
                yield from _named(getattr(value, name), (*place, name))
        case dict():
            for name, one in value.items():
                yield from _named(one, (*place, name))
        case tuple():
            for index, one in enumerate(value):
                yield from _named(one, (*place, index))
        case _:
            pass


def _commit(folder: Path) -> Commit | None:
    """The commit checked out there; None where there is no repository, or no git."""
    sha = _git(folder, "rev-parse", "HEAD")
    if sha is None:
        return None
    return Commit(sha=sha, modified=bool(_git(folder, "status", "--porcelain")))


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
