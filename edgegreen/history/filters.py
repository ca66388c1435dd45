"""Which runs are meant: by recipe, target, variant, time, commit, verdict, failure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from edgegreen.errors import InputError
from edgegreen.history import schema
from edgegreen.measurement import Measurement

LAST = "\U0010ffff"  # sorts behind every other character
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Filter:
    """What a run has to be; None asks for nothing. `since` is in it, `until` and `before` (an id) are not.

    `target`, `variant` and `verdict` together are asked of one result; without `verdict` a failure will do
    as well. `failed`: something failed.
    """

    recipe: str | None = None
    target: str | None = None
    variant: str | None = None
    verdict: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    git: str | None = None
    before: str | None = None
    failed: bool = False

    def fits(self, item: Measurement) -> bool:
        """Whether a result of such a run is itself what was asked for."""
        return all(
            wanted is None or wanted == there
            for wanted, there in (
                (self.target, item.target), (self.variant, item.variant), (self.verdict, item.verdict),
            )
        )  # fmt: skip

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """The same, of rows of `run`."""
        run, result, failure = schema.run.c, schema.result.c, schema.failure.c
        if self.recipe is not None:
            yield run.recipe == self.recipe
        if self.since:
            yield run.started_at >= self.since
        if self.until:
            yield run.started_at < self.until
        if self.git:
            yield begins(run.git_commit, self.git.lower())
        if self.before:
            yield run.run_id < self.before
        places = [
            (name, wanted) for name, wanted in (("target", self.target), ("variant", self.variant)) if wanted
        ]
        failures = sa.exists().where(
            failure.run_id == run.run_id, *(failure[name] == wanted for name, wanted in places)
        )
        if self.failed:
            yield failures
        if self.verdict or (places and not self.failed):
            of_result = [result[name] == wanted for name, wanted in places]
            if self.verdict:
                of_result.append(result.verdict == self.verdict)
            results = sa.exists().where(result.run_id == run.run_id, *of_result)
            yield results if self.verdict else sa.or_(results, failures)


def begins(column: sa.ColumnElement[str], prefix: str) -> sa.ColumnElement[bool]:
    """Whether a name begins so; by its order, which an index knows."""
    return sa.and_(column >= prefix, column < prefix + LAST)


def moment(text: str, *, end: bool = False) -> datetime:
    """`2026-11-22`, `2026-11-22T10:30` (UTC where no zone is given), or `90m`, `12h`, `7d`, `2w` ago.

    With `end` a day means its end. Raises InputError.
    """
    try:
        if ago := re.fullmatch(r"(\d{1,6})([mhdw])", text):
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
        if end and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
            found += timedelta(days=1)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"`{text}` is no time", hint="write it as 2026-11-22, 2026-11-22T10:30, or 12h, 7d, 2w ago"
        ) from None
