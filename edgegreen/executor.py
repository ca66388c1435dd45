"""Where models are built: on this machine, or on the workers of a cluster (`--executor`).

Boards stay with this process either way; only conversion, passes and the host's own evaluation go elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgegreen.errors import InputError

if TYPE_CHECKING:
    from edgegreen.cache.store import Cache
    from edgegreen.convert import Build, BuildEvent
    from edgegreen.recipe import Recipe, Variant

VARIABLE = "EDGEGREEN_EXECUTOR"


@dataclass(frozen=True)
class Executor:
    """`address` is that of a Dask scheduler, `tcp://host:port`; None: this machine, with `at_once` jobs."""

    address: str | None = None
    at_once: int | None = None


def parse(text: str) -> Executor:
    """`local`, `local:4`, `dask://host:8786`. Raises InputError."""
    if local := re.fullmatch(r"local(?::([1-9]\d{0,3}))?", text):
        return Executor(at_once=int(local[1]) if local[1] else None)
    if dask := re.fullmatch(r"dask://((?:[^\s/:@\[\]]+|\[[0-9a-fA-F:.]+\]):\d{1,5})/?", text):
        return Executor(f"tcp://{dask[1]}")
    raise InputError(
        f"`{text}` is no executor", hint="write it as local, local:4 or dask://host:8786 (Dask's scheduler)"
    )


@contextmanager
def build(
    recipe: Recipe, variants: Mapping[str, Variant], cache: Cache, on_event: Callable[[BuildEvent], None]
) -> Iterator[Build]:
    """`convert.build`, by the executor that `$EDGEGREEN_EXECUTOR` names; `local` when it is not set."""
    from edgegreen import convert

    chosen = parse(os.environ.get(VARIABLE) or "local")
    if chosen.address is None:
        with convert.build(recipe, variants, cache, on_event, at_once=chosen.at_once) as built:
            yield built
        return
    if cache.shared is None:
        raise InputError(
            "what a cluster builds comes back through a shared cache, and there is none",
            hint="--cache s3://bucket/folder or file:///folder, which its workers reach as well",
        )
    from edgegreen.cluster.driver import Cluster

    with (
        Cluster(chosen.address, cache, cache.shared, on_event) as cluster,
        convert.build(recipe, variants, cache, on_event, elsewhere=cluster) as built,
    ):
        yield built
