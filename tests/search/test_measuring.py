"""What is built ahead is in the cache when it is wanted; a search that ends does not wait for it."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from places import REPO

from edgegreen import convert
from edgegreen.cache.store import Cache
from edgegreen.config.datakeys import Data
from edgegreen.errors import ConversionError, UnreachableError
from edgegreen.measurement import Failure
from edgegreen.recipe import Recipe, Variant
from edgegreen.search.measuring import Measuring, Round
from edgegreen.target import Target

MODELS = REPO / "tests" / "fixtures" / "models"
BOARD = Target(host="board.test").called("board")
SHIPPED = {"one": Variant(format="tflite")}


class Quiet:
    def step(self, *_: object) -> None: ...
    def finish(self, *_: object) -> None: ...
    def note(self, *_: object) -> None: ...


def recipe() -> Recipe:
    return Recipe(name="r", model=MODELS / "two_in_two_out.tflite", data=Data())


def built() -> bool:
    with closing(Cache.default()) as cache, convert.build(recipe(), SHIPPED, cache, lambda _: None) as found:
        return found.unchanged == {"one"}


def test_what_is_built_ahead_is_not_built_again(home: Path) -> None:
    with Measuring(recipe(), BOARD, Quiet(), None) as measuring:
        assert not built_yet(home)
        measuring._ahead.begin(SHIPPED)
        last = measuring._ahead._last
        assert last is not None
        last.result(60)
    assert built()


def test_ending_ends_what_is_being_built() -> None:
    began_s = time.monotonic()
    with Measuring(recipe(), BOARD, Quiet(), None) as measuring:
        measuring._ahead.begin(SHIPPED)
        measuring._ahead.begin(SHIPPED)
    assert time.monotonic() - began_s < 30


def test_a_lost_cluster_ends_a_search_and_a_variants_own_failure_does_not() -> None:
    def failed(exit_code: int) -> Failure:
        return Failure(target=None, variant="a", stage="convert", error="gone", exit_code=exit_code)

    lost = failed(UnreachableError.exit_code)
    assert Round((), (failed(ConversionError.exit_code),), interrupted=False).broken is None
    assert Round((), (failed(ConversionError.exit_code), lost), interrupted=False).broken == lost


def built_yet(home: Path) -> bool:
    return (home / "cache" / "entries").is_dir()
