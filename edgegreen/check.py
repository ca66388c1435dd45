"""Check a recipe or target file without running anything: what `edgegreen validate` does."""

from __future__ import annotations

import re
from pathlib import Path

from edgegreen import data, nameddata, namedfiles, recipe, sources, target
from edgegreen.config import yamlfile
from edgegreen.config.references import Download
from edgegreen.convert import edgetpu, refusals
from edgegreen.recipe import Recipe


def file(path: Path) -> str:
    """Check `path`, a recipe (it has a `model:`) or else a target; says in words what it is.

    Raises InputError naming every mistake with its line; also for files a recipe names that are
    absent or no models, for variants that cannot be built from them or name no machine to compile on, and
    for data that cannot work (see `nameddata`). Nothing is fetched.
    """
    if re.search(r"(?m)^(model|variants|data|benchmark)\s*:", yamlfile.read_text(path)):
        loaded = recipe.load(path)
        _check_files(loaded)
        count = len(loaded.variants) or "the default"
        lacks = loaded.footprint.lacks if loaded.footprint else None
        note = f"; but {lacks}" if lacks else ""
        return f"recipe `{loaded.name}`, {count} variant{'s' * (count != 1)}: ok{note}"
    found = target.load(path)
    return f"target `{found.name}` ({found.family}): ok" + ("" if found.host else ", `host` not set yet")


def _check_files(loaded: Recipe) -> None:
    namedfiles.check(loaded)
    named = {
        what: getattr(loaded.data, what) for what in ("calibration", "evaluation", "training", "validation")
    }
    here = {what: path for what, path in named.items() if isinstance(path, Path)}
    nameddata.check(loaded, here, loaded.model if isinstance(loaded.model, Path) else None)
    for variant in loaded.variants.values():
        if variant.compile_on:
            edgetpu.machine(variant.compile_on)
    if not isinstance(loaded.model, Download):
        model = data.locate(loaded.model, "model")
        refusals.check(
            loaded.variants, sources.format_of(model), sources.kind_of(model),
            calibrated=loaded.data.calibration is not None, trained=loaded.data.training is not None,
        )  # fmt: skip
