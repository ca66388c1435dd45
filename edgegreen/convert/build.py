"""Build every variant of a recipe: one thread each, which takes it from the cache or has a worker make it.

The source is loaded only when something is not in the cache. Whatever one variant runs into is its own
future's exception; the others go on. Threads do nothing but wait; the work is done in processes (`workers/`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from edgegreen import data, holdout
from edgegreen.cache.store import Cache
from edgegreen.convert import apart, compressing, refusals, yardstick
from edgegreen.convert.built import Build, BuildEvent
from edgegreen.convert.elsewhere import Elsewhere, Part
from edgegreen.convert.work import Work
from edgegreen.recipe import Recipe, Variant
from edgegreen.sources import kind_of
from edgegreen.sources.request import Request
from edgegreen.workers.pool import Depot


@contextmanager
def build(
    recipe: Recipe,
    variants: Mapping[str, Variant],
    cache: Cache,
    on_event: Callable[[BuildEvent], None],
    *,
    elsewhere: Elsewhere | None = None,
    at_once: int | None = None,
) -> Iterator[Build]:
    """Build `variants` of the recipe's model while the block runs; leaving it ends all that still works.

    `on_event` is called from several threads. At most `at_once` conversions run side by side; `elsewhere`, if
    given, makes all that lacks, for which the cache needs a shared one. Raises InputError, before any work,
    for a model or data that are not what they should be, and for variants that cannot be built from them;
    and what `elsewhere` raises.
    """
    how = {"at_once": at_once, "elsewhere": elsewhere}
    with _work(recipe, variants, cache, on_event, stop=Event(), **how) as work:
        yield work.start()


def make(
    recipe: Recipe,
    variants: Mapping[str, Variant],
    part: Part,
    cache: Cache,
    on_event: Callable[[BuildEvent], None],
    *,
    stop: Event,
    depot: Depot,
) -> None:
    """Make one part of a build, into the cache and the shared one behind it. Raises as its future would.

    Its workers come from `depot`, and go there.
    """
    with _work(recipe, variants, cache, on_event, stop=stop, depot=depot) as work:
        work.make(part)


@contextmanager
def _work(
    recipe: Recipe,
    variants: Mapping[str, Variant],
    cache: Cache,
    on_event: Callable[[BuildEvent], None],
    **how: Any,
) -> Iterator[Work]:
    """Everything that can be wrong looked at, and nothing begun."""
    recipe = holdout.resolved(recipe, cache)
    request = _request(recipe)
    refusals.check(
        variants, request.format, kind_of(request.path),
        calibrated=request.calibration is not None, trained=recipe.data.training is not None,
    )  # fmt: skip
    training = compressing.training_data(recipe, variants, request.evaluation, cache)
    stick = yardstick.of(recipe, variants, request.evaluation, cache)
    calibrated = any(one.calibrated for one in variants.values())
    if note := apart.note_on(request.calibration if calibrated else None, request.evaluation, cache):
        on_event(BuildEvent(None, "checking", note=note))
    with tempfile.TemporaryDirectory(prefix="edgegreen-") as logs:
        work = Work(
            request, training=training, yardstick=stick, variants=variants, cache=cache,
            on_event=on_event, logs=Path(logs), recipe=recipe, **how,
        )  # fmt: skip
        try:
            yield work
        finally:
            work.end()


def _request(recipe: Recipe) -> Request:
    wanted = recipe.data
    return Request.of(
        data.locate(recipe.model, "model"),
        signature=recipe.signature,
        input_shape=recipe.input_shape,
        calibration=data.locate(wanted.calibration, "calibration") if wanted.calibration else None,
        evaluation=data.locate(wanted.evaluation, "evaluation") if wanted.evaluation else None,
        normalize=wanted.normalize.steps if wanted.normalize else None,
    )
