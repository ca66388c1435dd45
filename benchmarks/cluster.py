"""What building on a cluster costs over building here, and Dask's nanny over none: whole builds, timed.

    python -m benchmarks.cluster [RECIPE] [--repeat N]

Ways in turn, each from empty caches: `--executor local:1`, one conversion at a time; the same with the
environment that the nanny gives its worker (MALLOC_TRIM_THRESHOLD_ and one thread for BLAS); a scheduler and
one worker on 127.0.0.1, where edgegreen takes that environment away from its conversions, and a second build
by the same worker, its converters waiting; the same with a threshold that edgegreen takes for the user's own
and leaves; and `local` against two workers. All have to make the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dask.config
import distributed

RECIPE = Path(__file__).parent.parent / "recipes" / "digits.yaml"
TRIMMING = {"MALLOC_TRIM_THRESHOLD_": "65537"}


@dataclass(frozen=True)
class Way:
    """`executor` with `environ`; or so many Dask workers with it, and a build for each name in turn."""

    names: tuple[str, ...]
    workers: int = 0
    executor: str = "local"
    environ: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Time the ways, print medians and ratios; exits with 1 when they do not make the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    parser.add_argument("--repeat", type=int, default=3)
    wanted = parser.parse_args()
    took_s: dict[str, list[float]] = {}
    used_s: dict[str, list[float]] = {}
    made: set[str] = set()
    for _ in range(wanted.repeat):
        for way in ways():
            with tempfile.TemporaryDirectory() as folder:
                before_s = cpu_s()
                for name, seconds, digest in builds(way, wanted.recipe, Path(folder)):
                    took_s.setdefault(name, []).append(seconds)
                    made.add(digest)
                used_s.setdefault(way.names[-1], []).append(cpu_s() - before_s)
    local_s = statistics.median(took_s["local:1"])
    for name, times_s in took_s.items():
        median_s = statistics.median(times_s)
        spread = f"{min(times_s):.1f} … {max(times_s):.1f}"
        cpu = f"CPU of all {statistics.median(used_s[name]):.1f} s" if name in used_s else ""
        print(f"{name:36} {median_s:6.1f} s  ({spread})  × {median_s / local_s:.2f}  {cpu}")
    print(f"{len(made)} different sets of files (1: all the same bytes)")
    sys.exit(len(made) != 1)


def ways() -> list[Way]:
    """All that is timed."""
    return [
        Way(("local:1",), executor="local:1"),
        Way(("local:1, the nanny's environment",), executor="local:1", environ=nannys()),
        Way(("one worker", "one worker, second build"), workers=1),
        Way(("one worker, trimming",), workers=1, environ=TRIMMING),
        Way(("local",)),
        Way(("two workers", "two workers, second build"), workers=2),
    ]


def cpu_s() -> float:
    """Seconds of processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def builds(way: Way, recipe: Path, folder: Path) -> Iterator[tuple[str, float, str]]:
    """The way's name, seconds and digest of each of its builds, all with empty caches."""
    if not way.workers:
        yield way.names[0], *convert(recipe, folder, way.executor, way.environ)
        return
    with cluster(way, folder) as executor:
        for name in way.names:
            for cache in folder.glob("worker-*/cache"):
                shutil.rmtree(cache)
            yield name, *convert(recipe, folder / name, executor, {})


@contextmanager
def cluster(way: Way, folder: Path) -> Iterator[str]:
    """A scheduler and the way's workers on loopback, as an executor."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options, address = ["--nthreads", "1", "--resources", "convert=1"], f"tcp://127.0.0.1:{port}"
    started = [run(folder, "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port))]
    try:
        started += [
            run(folder / f"worker-{number}", "dask", "worker", address, *options, **way.environ)
            for number in range(way.workers)
        ]
        with distributed.Client(address, timeout=30) as client:
            client.wait_for_workers(way.workers, timeout=60)
        yield f"dask://127.0.0.1:{port}"
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def convert(recipe: Path, home: Path, executor: str, environ: dict[str, str]) -> tuple[float, str]:
    """Seconds of one `edgegreen convert`, and a digest of all that it made."""
    began_s, made = time.monotonic(), home / "files"
    arguments = ["edgegreen", "convert", str(recipe), "--executor", executor, "--output", str(made)]
    process = run(home, *arguments, "--cache", f"file://{home}/shared", **environ)
    if process.wait() != 0:
        sys.exit(f"{' '.join(arguments)} failed")
    took_s, digest = time.monotonic() - began_s, hashlib.sha256()
    files = sorted(made.iterdir())
    if not files:
        sys.exit(f"{' '.join(arguments)} made nothing")
    for path in files:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return took_s, digest.hexdigest()


def nannys() -> dict[str, str]:
    """What Dask's nanny puts into its worker's environment."""
    given = dask.config.get("distributed.nanny.pre-spawn-environ")
    return {name: str(value) for name, value in given.items()}


def run(home: Path, module: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
    """Start a module as a program with a home of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | {"EDGEGREEN_HOME": str(home)} | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
