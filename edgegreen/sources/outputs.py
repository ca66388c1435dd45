"""A model's outputs on many samples, kept as .npy files: written row by row, read memory-mapped.

A folder holds `<batch>-<output>.npy`. Rows whose shapes differ from the row before (detections, say) start
a new batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.artifact import TensorSpec
from edgegreen.errors import InputError

Row = list[NDArray[Any]]
Rows = Iterator[Row]
BATCH_BYTES = 8_000_000
LIMIT_BYTES = 4_000_000_000


def write(folder: Path, rows: Iterable[Row]) -> int:
    """Keep one row of outputs per sample in `folder`; how many there were.

    A leading extent of 1 is the batch and becomes the samples' dimension; an output without one gets one.
    Raises InputError beyond LIMIT_BYTES.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pending: list[Row] = []
    count = size = written = 0
    for outputs in rows:
        row = [value if value.shape[:1] == (1,) else value[None] for value in outputs]
        if pending and (size > BATCH_BYTES or [v.shape for v in row] != [v.shape for v in pending[0]]):
            _save(folder, count, pending)
            count, pending, size = count + len(pending), [], 0
        pending.append(row)
        size += sum(value.nbytes for value in row)
        written += sum(value.nbytes for value in row)
        if written > LIMIT_BYTES:
            raise InputError(
                f"the outputs of {count + len(pending)} samples take more than {LIMIT_BYTES >> 20} MB",
                hint="evaluate on fewer samples, or export the model with a smaller output",
            )
    if pending:
        _save(folder, count, pending)
    return count + len(pending)


def batches(folder: Path) -> Iterator[tuple[int, Row]]:
    """(number of the first sample, one array per output with the samples first), in order."""
    starts = sorted({int(path.name.partition("-")[0]) for path in folder.glob("*.npy")})
    for start in starts:
        parts = sorted(folder.glob(f"{start:08d}-*.npy"))
        yield start, [np.load(part, mmap_mode="r", allow_pickle=False) for part in parts]


def specs(folder: Path, names: Sequence[str]) -> tuple[TensorSpec, ...]:
    """What outputs called `names` are, told from the first sample's."""
    _, first = next(batches(folder))
    return tuple(
        TensorSpec(name, (1, *array.shape[1:]), array.dtype.name)
        for name, array in zip(names, first, strict=True)
    )


def rows(folder: Path) -> Rows:
    """One sample's outputs after the other, each with a leading extent of 1."""
    for _, arrays in batches(folder):
        for index in range(len(arrays[0])):
            yield [array[index : index + 1] for array in arrays]


def _save(folder: Path, start: int, pending: list[Row]) -> None:
    for number, column in enumerate(zip(*pending, strict=True)):
        np.save(folder / f"{start:08d}-{number:03d}.npy", np.concatenate(column), allow_pickle=False)
