"""The reserve of workers of one Dask worker: a plugin of that worker, which Dask ends with it.

The first task puts it there, and not a client: clients that share the worker would replace each other's.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from distributed import Worker, WorkerPlugin
from distributed.utils import sync
from tornado.ioloop import PeriodicCallback

from edgegreen.cluster.reserve import Reserve
from edgegreen.errors import ConversionError

NAME = "edgegreen-standby"
SWEEP_S = 15.0
START_S = 10.0
_lock = Lock()


def reserve(worker: Worker, tools: dict[str, str | None]) -> Reserve:
    """The worker's reserve, for a task that uses these versions of tools. Called in a task's thread.

    Raises ConversionError where the worker can write nothing.
    """
    with _lock:
        if NAME not in worker.plugins:
            folder = Path(worker.local_directory, NAME)
            try:
                standby = Standby(folder)
            except OSError as error:
                raise ConversionError(f"cannot write to {folder}: {error.strerror}") from None
            sync(worker.loop, worker.plugin_add, standby, NAME, False, callback_timeout=START_S)
        there: Standby = worker.plugins[NAME]
        return there.reserve(tools)


class Standby(WorkerPlugin):  # type: ignore[misc]
    """Has the reserve, and begins another when its workers are no more what a fresh one would be."""

    def __init__(self, folder: Path) -> None:
        self._reserve, self._tools = Reserve(folder), dict[str, str | None]()
        self._environment = dict(os.environ)
        self._sweeping = PeriodicCallback(self._sweep, SWEEP_S * 1000)

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Called by Dask, in the worker's loop."""
        self._sweeping.start()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """Called by Dask when the worker closes."""
        self._sweeping.stop()
        self._reserve.close()

    def reserve(self, tools: dict[str, str | None]) -> Reserve:
        """The reserve; a new one after a tool was replaced by another version, or the environment changed."""
        replaced = any(self._tools.get(name, version) != version for name, version in tools.items())
        if replaced or self._environment != dict(os.environ):
            self._reserve.close()
            self._reserve, self._tools = Reserve(self._reserve.folder), {}
            self._environment = dict(os.environ)
        self._tools |= tools
        return self._reserve

    def _sweep(self) -> None:
        self._reserve.sweep()
