"""Keys of the cache: a digest over everything that decides what an entry is."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from typing import Any

# Raised when entries of an older edgegreen can no longer be read.
SCHEMA = 1


def key_of(kind: str, **parts: Any) -> str:
    """The key for `kind` made from `parts`: plain JSON values, in any order of names."""
    text = json.dumps([SCHEMA, kind, parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def versions(*distributions: str) -> dict[str, str | None]:
    """Installed versions by distribution (None: not installed), read without importing anything."""
    found: dict[str, str | None] = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
