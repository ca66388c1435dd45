"""A real Dask scheduler on a loopback port, and workers with homes of their own; ended by pid."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sshd import free_port

START_S = 40.0


class Dask:
    """The processes of one cluster, as its users start them: by Dask's command line."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url, self._started = f"dask://127.0.0.1:{self.port}", 0
        listening = ["--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]
        self.scheduler = self._run("scheduler", *listening)
        self.workers: list[subprocess.Popen[bytes]] = []
        deadline_s = time.monotonic() + START_S
        while not _listens(self.port):
            assert time.monotonic() < deadline_s, "the scheduler does not listen"
            time.sleep(0.05)

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one more; it is there when this returns."""
        number = self._started
        options = options or ("--nthreads", "1", "--resources", "convert=1")
        address, home = f"tcp://127.0.0.1:{self.port}", str(self.folder / f"home-{number}")
        started = self._run("worker", address, "--no-dashboard", *options, EDGEGREEN_HOME=home, **environment)
        self.workers.append(started)
        return started

    def wait_for_workers(self) -> None:
        """Until all that run have registered."""
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", set_as_default=False) as client:
            client.wait_for_workers(len(self.running), timeout=START_S)

    @property
    def running(self) -> list[subprocess.Popen[bytes]]:
        """The workers that were not killed; each is its nanny."""
        return [one for one in self.workers if one.poll() is None]

    def forget(self) -> None:
        """Have every worker begin with nothing built and no converter; none may be at work."""
        self.forget_built()
        for worker in self.converting():
            for converter in converters(worker):
                converter.kill()

    def forget_built(self) -> None:
        """Have every worker begin with nothing built."""
        for home in self.folder.glob("home-*/cache"):
            shutil.rmtree(home)

    def converting(self) -> list[psutil.Process]:
        """Workers with converters: the processes that the nannies look after, not these."""
        every = [child for one in self.running for child in _children(one.pid)]
        return [child for child in every if converters(child)]

    def end(self) -> None:
        """Kill everything that was started."""
        for process in [*self.workers, self.scheduler]:
            kill(process)

    def _run(self, what: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        self._started += 1
        # A worker's own would stand before the driver's.
        inherited = {name: value for name, value in os.environ.items() if name != "EDGEGREEN_CACHE"}
        with (self.folder / f"{self._started}-{what}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "dask", what, *arguments],
                env=inherited | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip


def converters(worker: psutil.Process) -> list[psutil.Process]:
    """The processes in which a worker has conversions done."""
    return [child for child in _children(worker.pid) if _converts(child)]


def kill(process: subprocess.Popen[bytes]) -> None:
    """With -9, and all below it: a nanny could start another worker."""
    below = _children(process.pid, recursive=True)
    process.kill()
    for child in below:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()


@contextmanager
def running(folder: Path, workers: int) -> Iterator[Dask]:
    """A cluster with so many workers, one conversion each."""
    dask = Dask(folder)
    try:
        for _ in range(workers):
            dask.worker()
        dask.wait_for_workers()
        yield dask
    finally:
        dask.end()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _children(pid: int, *, recursive: bool = False) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=recursive)
    except psutil.NoSuchProcess:
        return []


def _converts(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "edgegreen.workers.process" in process.cmdline()
    return False
