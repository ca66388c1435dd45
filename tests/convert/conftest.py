"""The models of tests/sources, and one whole build that several tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sources.conftest import models, shop

from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data
from edgegreen.convert import Build, BuildEvent, build
from edgegreen.formats import FORMATS
from edgegreen.recipe import Recipe, Variant

__all__ = ["models", "shop"]

ALL = {
    f"{precision}-{format_}": Variant(format=format_, precision=precision)
    for format_, traits in FORMATS.items()
    if format_ != "edgetpu"  # which takes a compiler: test_edgetpu.py
    for precision in traits.precisions
}
INT8_IO = Variant(format="tflite", precision="int8", io="int8")
BY_TENSORFLOW = {
    f"tensorflow-{precision}": Variant(format="tflite", precision=precision, quantizer="tensorflow")
    for precision in ("fp16", "dynamic", "int8", "int16x8")
}
KWS = {
    **ALL,
    "int8-io": INT8_IO,
    **BY_TENSORFLOW,
    "tensorflow-int8-io": Variant(format="tflite", precision="int8", quantizer="tensorflow", io="int8"),
}


@dataclass
class Built:
    """A finished build, its cache and what was said of it."""

    build: Build
    cache: Cache
    recipe: Recipe
    events: list[BuildEvent] = field(default_factory=list)


def run(recipe: Recipe, variants: dict[str, Variant], folder: Path) -> Built:
    """Build to the end, whatever fails."""
    cache, events = Cache(folder), []
    with build(recipe, variants, cache, events.append) as found:
        for future in (*found.artifacts.values(), *found.expected.values(), found.reference):
            future.exception()
    return Built(found, cache, recipe, events)


def kws_recipe(assets: Path) -> Recipe:
    """MLPerf Tiny's keyword spotting with its data."""
    data = Data(
        calibration=assets / "kws/kws01_calibration.npz", evaluation=assets / "kws/kws01_evaluation.npz"
    )
    return Recipe(name="kws", model=assets / "kws/kws_ref_model", data=data)


@pytest.fixture(scope="session")
def kws(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Every variant of it, from a cold cache."""
    built = run(kws_recipe(assets), KWS, tmp_path_factory.mktemp("kws-cache"))
    yield built
    built.cache.close()
