"""The history's own cost: runs put in, and listed among many, against the bare sqlite3 module.

    python benchmarks/history.py [RUNS]

Puts RUNS runs (10,000 when left out) of four results each into a new history; a bare script puts the same
records, as rows of an id and a text, one transaction a run, into an SQLite file with the same settings, and
lists the last of them. Then whole processes of `edgegreen runs` against those of an empty history. Ratios are
of the same machine in the same minutes; absolute times are those of this machine.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

REPO = Path(__file__).parent.parent
sys.path[:0] = [str(REPO), str(REPO / "tests")]
from builders import measurement, run  # noqa: E402

from edgegreen.history import engine, rows  # noqa: E402
from edgegreen.history.filters import Filter  # noqa: E402
from edgegreen.history.store import Store  # noqa: E402
from edgegreen.measurement import Run  # noqa: E402

ROUNDS, PAGE = 15, 20


def made(n: int) -> Run:
    """The n-th run: four results, as of a recipe with four variants."""
    items = (measurement(f"variant-{k}", p50=1 + k) for k in range(4))
    return run(*items).model_copy(update={"run_id": f"202611{n // 1000 + 1:02}-{n:06}-abc123"})


def bare(path: Path) -> sqlite3.Connection:
    """A database that is written to disk as surely as the history is."""
    found = sqlite3.connect(path, isolation_level=None)
    found.execute("PRAGMA journal_mode = WAL")
    found.execute(
        "CREATE TABLE record (run_id TEXT, position INTEGER, record TEXT, PRIMARY KEY (run_id, position))"
    )
    return found


def put_bare(connection: sqlite3.Connection, one: Run) -> None:
    """The same records, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    texts = [rows.of_run(one)["record"], *(item.model_dump_json() for item in one.results)]
    connection.executemany(
        "INSERT INTO record VALUES (?, ?, ?)", [(one.run_id, n, text) for n, text in enumerate(texts)]
    )
    connection.execute("COMMIT")


def list_bare(connection: sqlite3.Connection) -> None:
    """The last records of runs."""
    connection.execute(
        "SELECT run_id, record FROM record WHERE position = 0 ORDER BY run_id DESC LIMIT ?", (PAGE,)
    ).fetchall()


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(work: Callable[[], object]) -> float:
    """Of several rounds, the first left out."""
    return statistics.median([timed(work) for _ in range(ROUNDS + 1)][1:])


def listing(*homes: Path) -> list[float]:
    """Seconds of whole processes, by turns."""
    command = [sys.executable, "-m", "edgegreen", "runs"]
    taken: list[list[float]] = [[] for _ in homes]
    for _ in range(ROUNDS):
        for home, mine in zip(homes, taken, strict=True):
            env = os.environ | {"EDGEGREEN_HOME": str(home), "PYTHONPATH": str(REPO)}
            mine.append(
                timed(lambda env=env: subprocess.run(command, env=env, check=True, capture_output=True))
            )
    return [statistics.median(one) for one in taken]


def told(what: str, ours: float, theirs: float) -> None:
    """One line."""
    print(f"{what:20}{1000 * ours:7.2f} ms, bare {1000 * theirs:.2f} ms: {ours / theirs:.1f} ×")


def main(count: int) -> None:
    """Put, list, and list by processes."""
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder, "full"), Path(folder, "empty")
        os.environ.pop("EDGEGREEN_DB", None)
        os.environ["EDGEGREEN_HOME"] = str(full)
        store = Store.open(engine.url())
        ours, theirs = 0.0, 0.0
        with closing(bare(Path(folder, "bare.db"))) as connection:
            for n in range(count):
                one = made(n)
                ours += timed(lambda one=one: store.put(one, ()))
                theirs += timed(lambda one=one: put_bare(connection, one))
            found, same = median(lambda: store.find(Filter(), PAGE)), median(lambda: list_bare(connection))
        told("put a run", ours / count, theirs / count)
        told(f"list {PAGE} of {count}", found, same)
        filtered = median(lambda: store.find(Filter(variant="variant-1", recipe="keyword-spotting"), PAGE))
        print(f"with filters        {1000 * filtered:7.2f} ms")
        many, none = listing(full, empty)
        print(f"`edgegreen runs` {many:.3f} s, of an empty history {none:.3f} s: {many / none:.2f} ×")
        size = (full / "history.db").stat().st_size
        print(f"{size / count / 1024:.1f} KiB a run of four results, without series")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
