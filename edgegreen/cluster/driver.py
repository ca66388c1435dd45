"""The side that orders: connects to a Dask scheduler, submits parts, passes on what is heard of them.

The only client of Dask. Nothing is waited for that cannot come: what lacks is named within seconds.
"""

from __future__ import annotations

import logging
import uuid
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self

from edgegreen.cache.keys import versions
from edgegreen.cache.sharing import Shared
from edgegreen.cache.store import Cache
from edgegreen.cluster import task
from edgegreen.cluster.shipping import Shipping
from edgegreen.convert import BuildEvent
from edgegreen.convert.elsewhere import Part
from edgegreen.errors import ConversionError, EdgegreenError, InputError, UnreachableError
from edgegreen.recipe import Recipe, Variant

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 5.0
WATCH_S = 1.0
# A nanny starts its worker again within a few seconds.
WORKERLESS_S = 20.0
POLL_S = 0.1
RETRIES = 2
ENDS = ("done", "cached", "failed")
# What Dask's own talk depends on.
SPOKEN = ("python", "dask", "distributed", "cloudpickle", "msgpack", "tornado", "toolz")
EXTRA = "pip install 'edgegreen[dask]'"
START = "dask worker {address} --nthreads 1 --resources convert=1"


class Cluster:
    """One build's share of a cluster. A context manager; connects when something has to be made."""

    def __init__(
        self, address: str, cache: Cache, shared: Shared, on_event: Callable[[BuildEvent], None]
    ) -> None:
        self._address, self._cache_url, self._on_event = address, shared.url, on_event
        self._shipping = Shipping(cache)
        self._run = uuid.uuid4().hex[:12]
        self._client: Client | None = None
        self._end = Event()
        self._lost: UnreachableError | None = None
        self._noted: set[tuple[str | None, str]] = set()

    def begin(self, recipe: Recipe, variants: Mapping[str, Variant], tools: frozenset[str]) -> None:
        """See `Elsewhere`."""
        self._recipe, self._variants = recipe, variants
        self._tools = versions(*tools)
        self._client = self._connect()
        try:
            workers = self._workers()
            if not workers:
                raise InputError(
                    f"{self._shown}: no worker there has the resource `{task.RESOURCE}`",
                    hint="start some: " + START.format(address=self._address),
                )
            self._check_versions(list(workers))
        except (OSError, TimeoutError):
            raise self._gone() from None
        self._shipping.pack(recipe, variants)
        self._client.subscribe_topic(task.TOPIC, self._heard)
        Thread(target=self._watch, name="edgegreen-cluster", daemon=True).start()

    def make(self, part: Part, stop: Event) -> None:
        """See `Elsewhere`."""
        assert self._client is not None
        if self._lost or self._client.status == "closed":
            raise self._lost or self._gone()
        mine = {part.variant: self._variants[part.variant]} if part.variant else {}
        order = task.Order(
            self._run, part, self._shipping.pack(self._recipe, mine), self._tools, self._cache_url
        )
        name = "-".join(["edgegreen", part.what, *([part.variant] if part.variant else [])])
        self._on_event(BuildEvent(part.variant, "waiting for a worker"))
        future = self._client.submit(
            task.make, order,
            key=f"{name}-{uuid.uuid4().hex[:12]}", resources={task.RESOURCE: 1}, retries=RETRIES, pure=False,
        )  # fmt: skip
        try:
            while not self._settled(future):
                if stop.wait(POLL_S):
                    raise CancelledError
        finally:
            if not future.done() and self._lost is None:
                future.cancel()

    def _settled(self, future: Future) -> bool:
        """Whether the task is done; raises what became of it, or of the cluster, instead."""
        if self._lost:
            raise self._lost
        if not future.done():
            return False
        if future.status == "error":
            raise self._failed(future.exception(timeout=CONNECT_S))
        if future.status != "finished":
            raise self._gone()
        try:
            error: EdgegreenError | None = future.result(timeout=CONNECT_S)
        except TimeoutError:  # its worker died with the answer, and another one makes it again
            return False
        if error:
            raise error
        return True

    def _failed(self, cause: BaseException) -> ConversionError:
        """Why Dask gave a task up, after having tried it again."""
        from distributed import KilledWorker

        if isinstance(cause, KilledWorker):
            return ConversionError(
                f"every worker of {self._shown} that took it died over it",
                hint="their logs say why; most often it is lack of memory",
            )
        said = " ".join(str(cause).split())[:300]
        return ConversionError(f"a worker of {self._shown} failed: {type(cause).__name__}: {said}")

    @property
    def _shown(self) -> str:
        return self._address.replace("tcp://", "dask://")

    def _gone(self) -> UnreachableError:
        return UnreachableError(f"{self._shown}: the link to the scheduler broke", transient=True)

    def _connect(self) -> Client:
        try:
            from distributed import Client
            from distributed.versions import VersionMismatchWarning
        except ImportError:
            raise InputError(f"{self._shown}: takes a package that is not installed", hint=EXTRA) from None
        for name in list(logging.root.manager.loggerDict):
            if name.partition(".")[0] == "distributed":
                logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said once, as an error
        try:
            with warnings.catch_warnings(record=True) as unlike:  # its word of versions is a page long
                warnings.simplefilter("always")
                client = Client(self._address, timeout=CONNECT_S, set_as_default=False, name="edgegreen")
        except (OSError, TimeoutError, ImportError) as error:
            said = " ".join(str(error).split())[:200]
            raise UnreachableError(
                f"{self._shown}: no scheduler answers within {CONNECT_S:.0f} s ({said})",
                hint="is `dask scheduler` running there, and of the same version of distributed?",
            ) from None
        if any(issubclass(one.category, VersionMismatchWarning) for one in unlike):
            self._note_versions(client.get_versions())
        return client

    def _note_versions(self, told: dict[str, Any]) -> None:
        """Say in a line where Dask itself, or what it speaks with, is of another version."""
        mine = {name: told["client"]["packages"].get(name) for name in SPOKEN}
        others = {"the scheduler": told["scheduler"]}
        others |= {f"worker {address}": found for address, found in told["workers"].items()}
        wrong = {who: task.differing(mine, found["packages"]) for who, found in others.items()}
        if listed := "; ".join(f"{who} has {words}" for who, words in wrong.items() if words):
            note = f"{self._shown}: Dask may not work between different versions: {listed}"
            self._on_event(BuildEvent(None, "checking", note=note))

    def _workers(self) -> dict[str, Any]:
        """Those that take conversions, by address. Raises OSError, TimeoutError."""
        assert self._client is not None
        found = self._client.sync(self._client.scheduler.identity, n_workers=-1, callback_timeout=CONNECT_S)
        return {
            address: worker
            for address, worker in found["workers"].items()
            if worker["resources"].get(task.RESOURCE, 0) >= 1
        }

    def _check_versions(self, workers: list[str]) -> None:
        assert self._client is not None
        told = self._client.run(versions, *self._tools, workers=workers, on_error="return")
        for address, found in told.items():
            wrong = str(found) if isinstance(found, Exception) else task.differing(self._tools, found)
            if wrong:
                raise InputError(
                    f"{self._shown}: worker {address} cannot build what is built here: {wrong}",
                    hint="install the same versions there, or end this worker",
                )

    def _heard(self, event: tuple[float, dict[str, Any]]) -> None:
        """Pass word of our parts on (called by the client's own thread)."""
        said = event[1]
        if said["run"] != self._run:
            return
        word = BuildEvent(**said["event"])
        if word.stage in ENDS:  # what is at its end, its own build knows
            return
        if word.note:  # several parts have the same to say
            if word.variant is None or (word.variant, word.note) in self._noted:
                return
            self._noted.add((word.variant, word.note))
        self._on_event(word)

    def _watch(self) -> None:
        """Notice when nobody is left who could make anything."""
        alone_s = 0.0
        while not self._end.wait(WATCH_S):
            try:
                alone_s = 0.0 if self._workers() else alone_s + WATCH_S
            except (OSError, TimeoutError):
                self._lost = self._gone()
                return
            if alone_s >= WORKERLESS_S:
                self._lost = UnreachableError(
                    f"{self._shown}: no worker with the resource `{task.RESOURCE}` is left",
                    hint="start some, then the same command again: " + START.format(address=self._address),
                    transient=True,
                )
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._client is not None:
            self._client.close(timeout=CONNECT_S)
