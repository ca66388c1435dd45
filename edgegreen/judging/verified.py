"""Whether a repetition gave what a run gave: file, accuracy, latency and energy of each trial. Shows nothing.

A figure reproduces when it is as before to within `within`, or when the 95 % interval of the ratio says that
it may be. The intervals know the noise within each run, and not what differs from one start to the next: that
is what `within` is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from edgegreen.errors import InputError
from edgegreen.history.hits import COUNTED
from edgegreen.judging import against, pairing
from edgegreen.judging.against import Source
from edgegreen.judging.changes import Change
from edgegreen.judging.compared import EMULATED, Absent, Compared, Side
from edgegreen.judging.pairing import Difference, Pair
from edgegreen.measurement import Record

WITHIN = 0.05
ROUNDING = 1e-4  # what another order of sums may change of any other metric, as a share
What = Literal["file", "accuracy", "p50", "energy"]


class Check(Record):
    """One reading of a trial, then and now. `reproduces` is None where that cannot be told; `word` says why.

    `change` is there for p50 and energy, `values` for an accuracy, the digests of both files in `files`.
    """

    what: What
    reproduces: bool | None
    word: str
    change: Change | None = None
    values: tuple[float, float] | None = None
    files: tuple[str, str] | None = None


class Repeated(Record):
    """A trial that was repeated: how it compares, and each check.

    `reproduces` is False when one check says no, None when one cannot tell.
    """

    compared: Compared
    checks: tuple[Check, ...]
    reproduces: bool | None


class Verified(Record):
    """A run and its repetition: the JSON of `verify`, schema 1.

    `origin` is what differs in what they are made from, `absent` are trials that could not be repeated.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    before: Side
    after: Side
    within: float
    reproduces: bool | None
    origin: tuple[Difference, ...]
    trials: tuple[Repeated, ...]
    absent: tuple[Absent, ...]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> str:
        """Indented."""
        return self.model_dump_json(indent=2, by_alias=True)


def of(
    before: Source,
    after: Source,
    origin: Sequence[Difference] = (),
    *,
    within: float = WITHIN,
    force: bool = False,
) -> Verified:
    """Every trial that both have. With `force` also those that differ in more than the model.

    Raises InputError when they have none in common.
    """
    found = against.compare(before, after, force=force)
    if found.nothing_common:
        raise InputError(f"run {found.after.run_id} has {found.nothing_common}")
    pairs = pairing.pairs(before.run.results, after.run.results).pairs
    trials = tuple(_trial(pair, one, within) for pair, one in zip(pairs, found.trials, strict=True))
    return Verified(
        before=found.before,
        after=found.after,
        within=within,
        reproduces=_all([*(trial.reproduces for trial in trials), *(None for _ in found.only_before)]),
        origin=tuple(origin),
        trials=trials,
        absent=found.only_before,
    )


def _trial(pair: Pair, one: Compared, within: float) -> Repeated:
    checks = tuple(_checks(pair, one, within))
    return Repeated(compared=one, checks=checks, reproduces=_all([check.reproduces for check in checks]))


def _all(said: Sequence[bool | None]) -> bool | None:
    return False if False in said else None if None in said else True


def _checks(pair: Pair, one: Compared, within: float) -> Iterator[Check]:
    yield _of_file(pair)
    if pair.before.accuracy or pair.after.accuracy:
        yield _of_accuracy(pair, one)
    if EMULATED in one.notes:
        return
    yield _of_change("p50", one.latency, one, within)
    if pair.before.energy or pair.after.energy:
        yield _of_change("energy", one.energy, one, within)


def _of_file(pair: Pair) -> Check:
    then, now = pair.before.artifact.sha256, pair.after.artifact.sha256
    word = "the same file" if then == now else "another file"
    return Check(what="file", reproduces=then == now, word=word, files=(then, now))


def _of_accuracy(pair: Pair, one: Compared) -> Check:
    then, now = pair.before.accuracy, pair.after.accuracy
    if not (then and now and one.compared) or (then.metric, then.n) != (now.metric, now.n):
        return Check(what="accuracy", reproduces=None, word="not compared")
    # Of a share of samples, one may fall the other way.
    allowed = 1 / then.n if then.metric in COUNTED else ROUNDING * abs(then.value)
    word, reproduces = "outputs differ", False
    if now.value == then.value:
        word, reproduces = "equal", True
    elif abs(now.value - then.value) <= allowed * (1 + 1e-9):
        word = "one sample fell the other way" if then.metric in COUNTED else "equal but for rounding"
        reproduces = True
    return Check(what="accuracy", reproduces=reproduces, word=word, values=(then.value, now.value))


def _of_change(what: What, change: Change | None, one: Compared, within: float) -> Check:
    if change is None:
        return Check(what=what, reproduces=None, word="not compared")
    if not one.trusted:
        return Check(what=what, reproduces=None, word=change.word, change=change)
    low, high = change.ci95
    if abs(math.log(change.ratio)) <= math.log1p(within):
        word, reproduces = f"within {100 * within:.3g} %", True
    elif low <= 1 <= high:
        word, reproduces = "within its interval", True
    else:
        word, reproduces = change.word, False
    return Check(what=what, reproduces=reproduces, word=word, change=change)
