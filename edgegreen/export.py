"""The results of many runs as one table, for spreadsheets and data frames: CSV, or Parquet.

The columns are those of the report of one run as CSV (`report/table.py`). Runs are read one after another, so
there may be any number of them.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegreen.errors import EdgegreenError, InputError
from edgegreen.history.filters import Filter
from edgegreen.history.shelf import Shelf
from edgegreen.judging import comparison
from edgegreen.report import table

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 2000  # rows that are written together
Entry = dict[str, table.Value]
# Which columns hold no text, by how their names end, or are.
WHOLE = ("_bytes", "_n", "threads")
TRUTH = ("emulated", "replayed")
REAL = (
    "_ms", "_w", "_mj", "_per_s", "speedup", "n_effective",
    "accuracy", "accuracy_float_model", "accuracy_change",
)  # fmt: skip


def entries(known: Shelf, wanted: Filter, complain: Callable[[EdgegreenError], None]) -> Iterator[Entry]:
    """A row for each result that is wanted, the oldest first; runs that cannot be read are told."""
    for one in reversed(known.find(wanted)):
        try:
            run = known.get(one.run_id).run
        except InputError as error:
            complain(error)
            continue
        for row in comparison.of(run):
            if wanted.fits(row.measurement):
                yield table.entry(run, row)


def csv(rows: Iterable[Entry], to: Path) -> tuple[int, int]:
    """Write a CSV file, or to stdout for `-`; how many rows, of how many runs. Raises InputError."""
    counted = _Counted(rows)
    if str(to) == "-":
        table.write(counted, sys.stdout)
    else:
        with _replacing(to) as part, part.open("w", encoding="utf-8", newline="") as stream:
            table.write(counted, stream)
    return counted.rows, len(counted.runs)


def parquet(rows: Iterable[Entry], to: Path) -> tuple[int, int]:
    """Write a Parquet file, or a folder with a part for each recipe; how many rows, of how many runs.

    Raises InputError, also where pyarrow is not installed, or the folder is not empty.
    """
    try:
        from pyarrow import ArrowException, dataset
        from pyarrow import parquet as pq
    except ModuleNotFoundError:
        raise InputError(
            "--parquet needs the package pyarrow", hint="pip install 'edgegreen[parquet]'"
        ) from None
    counted, columns = _Counted(rows), schema()
    try:
        if not to.is_dir():
            with _replacing(to) as part, pq.ParquetWriter(part, columns) as writer:
                for batch in _batches(counted, columns):
                    writer.write_batch(batch)
        elif any(to.iterdir()):
            raise InputError(f"{to}: not empty", hint="name an empty folder, or a file")
        else:
            dataset.write_dataset(
                _batches(counted, columns), to, schema=columns, format="parquet",
                partitioning=["recipe"], partitioning_flavor="hive",
            )  # fmt: skip
    except (OSError, ArrowException) as error:
        raise InputError(f"cannot write {to}: {error}") from None
    return counted.rows, len(counted.runs)


def schema() -> pa.Schema:
    """The columns of a Parquet file, and their types."""
    import pyarrow as pa

    kinds = ((WHOLE, pa.int64()), (TRUTH, pa.bool_()), (REAL, pa.float64()))
    named = {
        name: next((kind for ends, kind in kinds if name.endswith(ends)), pa.string()) for name in table.NAMES
    }
    return pa.schema(named | {"started_at": pa.timestamp("us", "UTC")})


def _batches(rows: Iterable[Entry], columns: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    left = iter(rows)
    while some := list(itertools.islice(left, BATCH)):
        yield pa.RecordBatch.from_pylist([_typed(row) for row in some], schema=columns)


def _typed(row: Entry) -> dict[str, Any]:
    """Times as such; a power mode, which is a number or a name, as a name."""
    mode = row["power_mode"]
    return row | {
        "started_at": datetime.fromisoformat(str(row["started_at"])),
        "power_mode": None if mode is None else str(mode),
    }


class _Counted:
    """Rows, counted as they go by."""

    def __init__(self, rows: Iterable[Entry]) -> None:
        self._rows = rows
        self.rows, self.runs = 0, set[Any]()

    def __iter__(self) -> Iterator[Entry]:
        for row in self._rows:
            self.rows += 1
            self.runs.add(row["run_id"])
            yield row


@contextmanager
def _replacing(to: Path) -> Iterator[Path]:
    """A file that takes the place of `to` when the block ends well; a device is itself. InputError."""
    special = to.exists() and not to.is_file()
    part = to if special else to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        yield part
        if not special:
            part.replace(to)
    except OSError as error:
        raise InputError(f"cannot write {to}: {error.strerror or error}") from None
    finally:
        if not special:
            part.unlink(missing_ok=True)
