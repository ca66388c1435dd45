"""What runs on a Dask worker: makes one part of a build, into the shared cache. Returns next to nothing.

The work itself is done by processes of edgegreen's own (`workers/`), for which the worker's Python waits: it
answers the scheduler meanwhile, and its nanny's settings do not reach them. Between tasks they stand by
(standby.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from threading import Event
from typing import TYPE_CHECKING

from edgegreen.cache.keys import versions
from edgegreen.cache.store import Cache
from edgegreen.cluster import shipping
from edgegreen.cluster.shipping import Shipment
from edgegreen.errors import ConversionError, EdgegreenError

if TYPE_CHECKING:
    from distributed import Worker

    from edgegreen.convert.elsewhere import Part
    from edgegreen.recipe import Recipe

TOPIC = "edgegreen"
RESOURCE = "convert"
STOP_CHECK_S = 0.5


@dataclass(frozen=True)
class Order:
    """One part to make. `run` is whose events they are, `tools` the versions there, `cache` the URL there."""

    run: str
    part: Part
    shipment: Shipment
    tools: dict[str, str | None]
    cache: str


def make(order: Order) -> EdgegreenError | None:
    """Make the part; None, or why it could not be made, which would be the same on any worker."""
    from distributed import get_worker

    from edgegreen import convert
    from edgegreen.cluster import standby
    from edgegreen.convert import BuildEvent

    worker = get_worker()

    def told(event: BuildEvent) -> None:
        worker.log_event(TOPIC, {"run": order.run, "event": asdict(event)})

    if wrong := differing(order.tools, versions(*order.tools)):
        return ConversionError(f"worker {worker.name} has other versions: {wrong}")
    _without_the_nannys(os.environ)
    try:
        with _until_cancelled(worker) as stop, closing(Cache.default(order.cache)) as cache:
            recipe = _unpacked(order, cache, stop, worker.name)
            depot = standby.reserve(worker, order.tools)
            convert.make(recipe, recipe.variants, order.part, cache, told, stop=stop, depot=depot)
            if cache.complaint:
                return ConversionError(f"worker {worker.name}: {cache.complaint}")
    except EdgegreenError as error:
        return error
    return None


def differing(wanted: dict[str, str | None], found: dict[str, str | None]) -> str:
    """Which of the versions differ, in words; empty when none does."""
    unlike = [name for name in sorted(wanted) if found.get(name) != wanted[name]]
    return ", ".join(
        f"{name} {found.get(name) or 'is not installed'} ({wanted[name] or 'not installed'} here)"
        for name in unlike
    )


def _unpacked(order: Order, cache: Cache, stop: Event, worker: object) -> Recipe:
    try:
        return shipping.unpack(order.shipment, cache, stop)
    except ConversionError as error:
        raise ConversionError(f"worker {worker}: {error.message}", hint=error.hint) from error


@contextmanager
def _until_cancelled(worker: Worker) -> Iterator[Event]:
    """An event that is set when nobody wants this task any more: Dask itself cannot end what runs."""
    stop, key = Event(), worker.get_current_task()

    def watch() -> None:
        while not stop.wait(STOP_CHECK_S):
            task = worker.state.tasks.get(key)
            if task is None or task.state in ("cancelled", "released", "forgotten"):
                stop.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield stop
    finally:
        stop.set()


def _without_the_nannys(environment: MutableMapping[str, str]) -> None:
    """Take out what Dask's nanny set for a worker that computes by itself.

    MALLOC_TRIM_THRESHOLD_=65536 makes work on large arrays several times slower, and one thread for BLAS is
    not what a conversion has anywhere else.
    """
    import dask.config

    for name, value in dask.config.get("distributed.nanny.pre-spawn-environ", {}).items():
        if environment.get(name) == str(value):
            del environment[name]
