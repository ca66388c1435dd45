"""What differs between two states of the same things, named key by key. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgegreen.judging.pairing import Difference

NOTHING = "nothing"
DIGEST = re.compile(r"[0-9a-f]{64}")
SHORT = 12  # digits that tell digests apart, for people


def between(locked: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """Keys whose values differ, dotted (`tools.numpy`), in the order of `locked`. None is as if left out."""
    then, now = dict(_flat(locked, "")), dict(_flat(found, ""))
    return [
        Difference(what=key, before=shown(then.get(key)), after=shown(now.get(key)))
        for key in dict.fromkeys((*then, *now))
        if then.get(key) != now.get(key)
    ]


def shown(value: object) -> str:
    """A value as a message has it: digests are cut."""
    if value is None:
        return NOTHING
    text = str(value)
    return f"sha256 {text[:SHORT]}…" if DIGEST.fullmatch(text) else text


def words(differences: Iterable[Difference], then: str = "locked") -> list[str]:
    """`kernel: locked Linux 6.6.31, found Linux 6.6.51`."""
    return [f"{one.what}: {then} {one.before}, found {one.after}" for one in differences]


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
