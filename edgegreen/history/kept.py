"""A run that is kept: what was measured, and where the series behind it come from.

It is the same thing for whoever reads one, be it from the history, the spool or a file that the user names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edgegreen.errors import InputError
from edgegreen.history import journal, series
from edgegreen.history.series import SeriesOf
from edgegreen.measurement import Run

MAX_BYTES = 1_000_000_000  # of a file that might be a run


@dataclass(frozen=True)
class Kept:
    """A run; `series` gives those of one of its measurements. `remark`: why it may not be the one meant."""

    run: Run
    series: SeriesOf
    remark: str | None = None


def of_file(path: Path) -> Kept:
    """The run whose JSON this file is; its series are in the folder beside it. Raises InputError."""
    run = read(path)
    try:
        run = journal.merged(run, path)
    except OSError as error:
        raise InputError(f"{journal.of_file(path)}: {error.strerror}") from None
    return Kept(run, series.in_folder(series.folder_of(path)))


def read(path: Path) -> Run:
    """The run in a file. Raises InputError when it cannot be read or is none."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: a folder, not a file")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES} bytes; this is no run")
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    try:
        return Run.model_validate_json(content)
    except ValidationError as error:
        raise unreadable(str(path), error) from None


def unreadable(where: str, error: ValidationError) -> InputError:
    """What to say of a record that is no run, or one of another edgegreen: the first thing that is wrong."""
    item = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, item["loc"]))
    what = " ".join(f"{place}: {item['msg']}".removeprefix(": ").split())
    return InputError(f"{where}: not a run that this edgegreen can read: {what}")
