"""The series behind a measurement: times of calls, power, clocks, temperatures, hits; kept beside its run.

A Measurement has what they come to. The series themselves are for what is asked later: a comparison with
another run, a plot.
"""

from __future__ import annotations

import hashlib
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegreen.errors import InputError
from edgegreen.history import hits
from edgegreen.history.hits import Hits
from edgegreen.measurement import Measurement

Array = NDArray[Any]
_EMPTY = np.empty(0)


@dataclass(frozen=True)
class Levels:
    """Quantities by name, such as `cpu0` in MHz, at the times `t_ns`; NaN where one was not told."""

    t_ns: Array = field(default_factory=lambda: np.empty(0, np.int64))
    values: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """One trial's series. All of `t_ns` and `windows` are on one monotonic clock, in nanoseconds.

    `invoke_ns` and `end_to_end_ns` are the times of single calls, in order. `power_w` at `power_t_ns` is what
    the meter said, as power; both empty without a meter. `windows` are the edges of `active`, `idle_before`
    and `idle_after`, of those there were. `hits` say which samples were right, where accuracy counts them.
    """

    invoke_ns: Array
    end_to_end_ns: Array
    windows: Mapping[str, tuple[int, int]]
    power_t_ns: Array = field(default_factory=lambda: np.empty(0, np.int64))
    power_w: Array = field(default_factory=lambda: _EMPTY)
    frequency_mhz: Levels = Levels()
    temperature_c: Levels = Levels()
    hits: Hits | None = None


# What numpy and zipfile raise for one that is cut, has a byte changed, or holds other arrays.
UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, TypeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError,
)  # fmt: skip
SeriesOf = Callable[[Measurement], Series | None]
"""The series of a measurement, None where none are kept; raises InputError for some that cannot be read."""


def folder_of(run: Path) -> Path:
    """Where the series of a run are kept whose JSON is this file."""
    return run.with_suffix("")


def trial_of(item: Measurement) -> str:
    """What its series are kept by: the same for the same trial of a run."""
    tuning = item.tuning.model_dump(mode="json") if item.tuning else None
    key = json.dumps([item.target, item.variant, item.runtime.name, item.threads, tuning])
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def name_of(item: Measurement) -> str:
    """What the file of its series is called."""
    return f"{trial_of(item)}.npz"


def pack(of: Series) -> bytes:
    """As a compressed npz file, which `unpack` reads back."""
    arrays: dict[str, Array] = {
        "invoke_ns": of.invoke_ns,
        "end_to_end_ns": of.end_to_end_ns,
        "power_t_ns": of.power_t_ns,
        "power_w": of.power_w,
        "windows": np.array(list(of.windows.values()), np.int64).reshape(-1, 2),
        "window_names": np.array(list(of.windows), "U"),
        **hits.packed(of.hits),
    }
    for what in ("frequency_mhz", "temperature_c"):
        levels: Levels = getattr(of, what)
        arrays |= {f"{what}.t_ns": levels.t_ns, f"{what}.names": np.array(list(levels.values), "U")}
        arrays[f"{what}.values"] = np.array(list(levels.values.values()), float).reshape(
            len(levels.values), len(levels.t_ns)
        )
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def unpack(packed: bytes, where: str) -> Series:
    """The series that `pack` made. Raises InputError, which names `where` they are from."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return _series(arrays)
    except UNREADABLE as error:
        raise InputError(f"{where}: no series that this edgegreen can read: {error}") from None


def save(folder: Path, item: Measurement, of: Series) -> None:
    """Keep the series in `folder`, whole or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(item)
    part = path.with_suffix(".part")
    part.write_bytes(pack(of))
    part.replace(path)


def load(folder: Path, item: Measurement) -> Series | None:
    """The series of a measurement; None where none are kept. Raises InputError for a file that is none."""
    path = folder / name_of(item)
    try:
        packed = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    return unpack(packed, str(path))


def packed_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Those kept in a folder as they are, by their trials. Raises OSError."""
    for path in sorted(folder.glob("*.npz")):
        yield path.stem, path.read_bytes()


def in_folder(folder: Path) -> SeriesOf:
    """Those kept in a folder."""
    return partial(load, folder)


def in_memory(packed: Iterable[tuple[str, bytes]]) -> SeriesOf:
    """Those that `packed_in` gives, read now."""
    known = dict(packed)

    def of(item: Measurement) -> Series | None:
        found = known.get(trial_of(item))
        return unpack(found, f"the series of {item.variant}") if found is not None else None

    return of


def nowhere(_: Measurement) -> None:
    """Of a run without series."""


def _series(arrays: Mapping[str, Array]) -> Series:
    names = [str(name) for name in arrays["window_names"]]
    edges = [(int(start), int(end)) for start, end in arrays["windows"]]
    return Series(
        invoke_ns=arrays["invoke_ns"],
        end_to_end_ns=arrays["end_to_end_ns"],
        windows=dict(zip(names, edges, strict=True)),
        power_t_ns=arrays["power_t_ns"],
        power_w=arrays["power_w"],
        frequency_mhz=_levels(arrays, "frequency_mhz"),
        temperature_c=_levels(arrays, "temperature_c"),
        hits=hits.unpacked(arrays),
    )


def _levels(arrays: Mapping[str, Array], what: str) -> Levels:
    names = [str(name) for name in arrays[f"{what}.names"]]
    return Levels(arrays[f"{what}.t_ns"], dict(zip(names, arrays[f"{what}.values"], strict=True)))
