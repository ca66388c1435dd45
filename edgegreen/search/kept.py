"""Searches that are kept: a folder each, with what was asked for and Optuna's journal.

What was measured is in the search's run, among the other runs. Only the same search is taken up again.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from edgegreen.errors import InputError
from edgegreen.history import runs
from edgegreen.home import home
from edgegreen.judging.objectives import ObjectiveName
from edgegreen.measurement import Record, Run

SETTINGS = "search.json"
LATEST = "latest"


class Settings(Record):
    """What a search is, but for how long. `inputs` stands for the model, the data and the space."""

    search_id: str
    recipe: str
    inputs: str
    target: str
    objective: ObjectiveName
    limit: float
    seed: int
    run_id: str | None = None
    """Its run, once something was measured."""

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return _folder() / self.search_id

    @property
    def run(self) -> Run | None:
        """What was measured so far."""
        return runs.load(self.run_id) if self.run_id else None

    def save(self) -> None:
        """Write it. Raises InputError when that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = self.folder / f"{SETTINGS}.part"
            part.write_text(self.model_dump_json(indent=1), encoding="utf-8")
            part.replace(self.folder / SETTINGS)
        except OSError as error:
            raise InputError(
                f"cannot keep the search in {self.folder}: {error.strerror}",
                hint="EDGEGREEN_HOME moves everything edgegreen keeps",
            ) from None


def new_id() -> str:
    """When it began (UTC), and a few random digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def find(ref: str) -> Settings:
    """The search that `ref` means: its id, a beginning of that which no other has, or `latest`.

    Raises InputError when there is none, several, or its file cannot be read.
    """
    known = sorted((path.parent.name for path in _folder().glob(f"*/{SETTINGS}")), reverse=True)
    if not known:
        raise InputError(f"no search is kept in {_folder()} yet", hint="leave `--resume` out to begin one")
    fitting = known[:1] if ref == LATEST else [one for one in known if ref and one.startswith(ref)]
    if len(fitting) != 1:
        what = f"{len(fitting)} searches begin with" if fitting else "no search is called"
        raise InputError(f"{what} `{ref}`", hint=f"there are {', '.join(known[:5])}")
    file = _folder() / fitting[0] / SETTINGS
    try:
        return Settings.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        raise InputError(f"{file}: not a search that this edgegreen can read") from None


def check_same(earlier: Settings, now: Settings) -> None:
    """Raise InputError where a search that is to be taken up again is another one."""
    for key, what in (
        ("recipe", "recipe"), ("target", "target"), ("objective", "objective"), ("limit", "accuracy drop"),
        ("seed", "seed"),
    ):  # fmt: skip
        was, is_now = getattr(earlier, key), getattr(now, key)
        if was != is_now:
            raise InputError(
                f"search {earlier.search_id} has another {what}: {was}, not {is_now}",
                hint="give the same arguments as then, or leave `--resume` out",
            )
    if earlier.inputs != now.inputs:
        raise InputError(
            f"search {earlier.search_id} was of another model, other data, or other things to try",
            hint="what it found does not hold for these; leave `--resume` out",
        )


def _folder() -> Path:
    return home() / "searches"
