"""What a part of a build takes, as plain JSON: the recipe, its files replaced by keys of the shared cache.

The driver puts the files there, each under the digest of its content; the worker takes them into its own
cache, which checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from edgegreen import data
from edgegreen.artifact import File
from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Hook
from edgegreen.config.references import Download
from edgegreen.config.yamlfile import Frozen
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import files

# What decides what is built: all else of a recipe stays here.
KEPT = {"name", "model", "input_shape", "signature", "data", "variants", "seed"}


@dataclass(frozen=True)
class Shipment:
    """A recipe as JSON, in which a file is `<key>/<name>`, and the keys of all its files."""

    recipe: dict[str, Any]
    inputs: tuple[str, ...]


class Shipping:
    """Packs recipes; each file is read and put into the shared cache once. Threads may share one."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._keys: dict[Path, str] = {}
        self._lock = Lock()

    def pack(self, recipe: Recipe, variants: Mapping[str, Variant]) -> Shipment:
        """The recipe with these variants alone, its files put into the shared cache.

        Raises InputError for a file that cannot be found, ConversionError when the cache cannot be written.
        """
        inputs: dict[str, None] = {}

        def place(ref: Path | Download) -> Path:
            path = data.locate(ref, "file").absolute()
            key = self._put(path)
            inputs[key] = None
            return Path(key, path.name)

        placed = _placed(_needed(recipe, variants), place)
        return Shipment(placed.model_dump(mode="json", exclude_unset=True, include=KEPT), tuple(inputs))

    def _put(self, path: Path) -> str:
        with self._lock:
            if path not in self._keys:
                self._keys[path] = _publish(path, self._cache)
            return self._keys[path]


def unpack(shipment: Shipment, cache: Cache, stop: Event) -> Recipe:
    """The recipe, its files in `cache` and in use while that is open. Raises ConversionError."""
    for key in shipment.inputs:
        cache.fetch(key, stop=stop)
    return Recipe.model_validate(shipment.recipe, context={"folder": cache.folder / "entries"})


def _needed(recipe: Recipe, variants: Mapping[str, Variant]) -> Recipe:
    """The recipe without the data that building these variants does not look at."""
    changes: dict[str, Any] = {"validation": None}
    if not any(one.passes or one.accuracy_drop_max is not None for one in variants.values()):
        changes["training"] = None
    wanted = {"data": recipe.data.model_copy(update=changes), "variants": dict(variants)}
    return recipe.model_copy(update=wanted)


def _placed(value: Any, place: Any) -> Any:
    """The value with every file in it, however deep, replaced by `place(file)`."""
    match value:
        case Path() | Download():
            return place(value)
        case Hook():
            file, _, function = value.python.rpartition(":")
            return value.model_copy(update={"python": f"{place(Path(file))}:{function}"})
        case Frozen():
            old = {
                name: getattr(value, name)
                for name in type(value).model_fields
                if name in value.model_fields_set
            }
            return value.model_copy(update={name: _placed(one, place) for name, one in old.items()})
        case dict():
            return {name: _placed(one, place) for name, one in value.items()}
        case tuple():
            return tuple(_placed(one, place) for one in value)
        case _:
            return value


def _publish(path: Path, cache: Cache) -> str:
    """Put a file, or a model of several, into the shared cache; its key there."""
    several = path.is_dir() or path.suffix.lower() in (".xml", ".onnx")
    parts = files.parts(path, files.format_of(path)) if several else (path,)
    named = {part.relative_to(path.parent).as_posix(): part for part in parts}
    digests = {name: File.of(part).sha256 for name, part in named.items()}

    def make(folder: Path) -> Made:
        for name, part in named.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(part.absolute())
        return Made(path.name, {})

    key = key_of("input", files=digests)
    cache.publish(key, make)
    return key
