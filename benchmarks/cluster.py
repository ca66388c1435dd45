"""What Dask's nanny would cost conversions, and what a cluster of one costs over none: whole builds, timed.

    python -m benchmarks.cluster [RECIPE] [--repeat N]

Ways in turn, each from empty caches, one conversion at a time: `--executor local:1`; the same with the
environment that the nanny gives its worker (MALLOC_TRIM_THRESHOLD_ and one thread for BLAS); a scheduler and
one worker on 127.0.0.1, where edgegreen takes that environment away from its conversions; the same with a
threshold that it takes for the user's own and leaves.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dask.config
import distributed

RECIPE = Path(__file__).parent.parent / "recipes" / "digits.yaml"
WAYS = ("local", "with the nanny's environment", "cluster of one", "cluster of one, trimming")
TRIMMING = {"MALLOC_TRIM_THRESHOLD_": "65537"}


def main() -> None:
    """Time the ways, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path, nargs="?", default=RECIPE)
    parser.add_argument("--repeat", type=int, default=3)
    wanted = parser.parse_args()
    took_s: dict[str, list[float]] = {way: [] for way in WAYS}
    used_s: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(wanted.repeat):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                before_s = cpu_s()
                took_s[way].append(timed(way, wanted.recipe, Path(folder)))
                used_s[way].append(cpu_s() - before_s)
    local_s = statistics.median(took_s["local"])
    for way, times_s in took_s.items():
        median_s = statistics.median(times_s)
        spread = f"{min(times_s):.1f} … {max(times_s):.1f}"
        cpu = f"CPU {statistics.median(used_s[way]):.1f} s"
        print(f"{way:32} {median_s:6.1f} s  ({spread})  × {median_s / local_s:.2f}  {cpu}")


def cpu_s() -> float:
    """Seconds of processor time of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(way: str, recipe: Path, folder: Path) -> float:
    """Seconds of one `edgegreen convert` with empty caches."""
    if not way.startswith("cluster"):
        environ = nannys() if way != "local" else {}
        return convert(recipe, folder, "local:1", environ)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [run(folder / "worker", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port))]
    try:
        options = ["--nthreads", "1", "--resources", "convert=1"]
        address, environ = f"tcp://127.0.0.1:{port}", TRIMMING if way.endswith("trimming") else {}
        started.append(run(folder / "worker", "dask", "worker", address, *options, **environ))
        with distributed.Client(f"tcp://127.0.0.1:{port}", timeout=30) as client:
            client.wait_for_workers(1, timeout=60)
        return convert(recipe, folder / "driver", f"dask://127.0.0.1:{port}", {})
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def convert(recipe: Path, home: Path, executor: str, environ: dict[str, str]) -> float:
    """Seconds."""
    began_s = time.monotonic()
    cache = f"file://{home}/shared"
    arguments = ["edgegreen", "convert", str(recipe), "--executor", executor, "--cache", cache]
    process = run(home, *arguments, **environ)
    if process.wait() != 0:
        sys.exit(f"{' '.join(arguments)} failed")
    return time.monotonic() - began_s


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
