"""Whether the samples a model is judged by are apart from those it is trained, chosen or calibrated on.

Samples are the same when all their inputs are, value by value (`data.digest_of`). What was counted is kept in
the cache: the data may be large.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgegreen.agent.npz import DataError
from edgegreen.artifact import File
from edgegreen.cache.entry import Made
from edgegreen.cache.keys import key_of
from edgegreen.cache.store import Cache
from edgegreen.data import digest_of, open_samples
from edgegreen.errors import InputError


def refuse_shared(
    file: File, evaluation: File, cache: Cache, *, what: str, used: str, judge: str = "evaluation"
) -> None:
    """Raise InputError when a sample of the `what` data is among those that judge, too.

    `used` says for what they serve (`trained on`): that proves nothing of a model. `judge` is what the
    others are called.
    """
    told = f"{what} data {file.path}"
    if file.sha256 == evaluation.sha256:
        raise InputError(
            f"{told}: are the {judge} data as well",
            hint=f"keep some samples apart: what was {used} proves nothing",
        )
    if count := shared(file, evaluation, cache):
        raise InputError(
            f"{told}: have {_samples(count)} of the {judge} data {evaluation.path}",
            hint=f"leave them out of one of both: what was {used} proves nothing",
        )


def note_on(calibration: File | None, evaluation: File | None, cache: Cache) -> str | None:
    """What is to be said of calibration data that are evaluated on as well; None when none are."""
    if not calibration or not evaluation or not (count := shared(calibration, evaluation, cache)):
        return None
    return (
        f"{_samples(count)} of the evaluation data are among the calibration data: "
        "the accuracy of integer variants is flattered by them"
    )


def shared(file: File, evaluation: File, cache: Cache) -> int:
    """How many samples of the evaluation data are in `file` as well. Raises InputError for broken data."""

    def make(_: Path) -> Made:
        seen = set(_digests(file.path))
        count = sum(digest in seen for digest in _digests(evaluation.path))
        return Made(f"samples that {file.path.name} and {evaluation.path.name} share", {"count": count})

    key = key_of("shared, value by value", one=file.sha256, other=evaluation.sha256)
    return int(cache.obtain(key, make).facts["count"])


def _digests(path: Path) -> Iterator[bytes]:
    """One for each sample."""
    with open_samples(path, "the") as samples:
        try:
            yield from map(digest_of, samples.rows())
        except DataError as error:
            raise InputError(f"data {path}: {error}") from None


def _samples(count: int) -> str:
    return f"{count} sample{'s' * (count != 1)}"
