"""An entry of the cache: files in a folder, and the manifest that lists them with their digests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgegreen.artifact import File
from edgegreen.cache.sharing import MANIFEST


@dataclass(frozen=True)
class Entry:
    """What is kept under one key. `what` says it in words; `facts` is what its maker wrote down."""

    key: str
    what: str
    folder: Path
    files: tuple[File, ...]
    facts: dict[str, Any]
    used_at: datetime

    @classmethod
    def read(cls, key: str, folder: Path) -> Entry | None:
        """What the folder's manifest says; None when it has none for this key."""
        try:
            manifest = folder / MANIFEST
            tree = json.loads(manifest.read_text(encoding="utf-8"))
            files = tuple(File(folder / name, digest, size) for name, digest, size in tree["files"])
            used_at = datetime.fromtimestamp(manifest.stat().st_mtime, UTC)
            found = cls(key, str(tree["what"]), folder, files, dict(tree["facts"]), used_at)
            return found if tree["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def size_bytes(self) -> int:
        """All its files together."""
        return sum(file.size_bytes for file in self.files)

    def path(self, name: str) -> Path:
        """Where its file `name` lies."""
        return self.folder / name

    def intact(self) -> bool:
        """Whether its files are those that the manifest lists; reads them all."""
        try:
            return all(
                file.path.stat().st_size == file.size_bytes and File.of(file.path).sha256 == file.sha256
                for file in self.files
            )
        except OSError:
            return False


@dataclass(frozen=True)
class Made:
    """What a maker has put into the folder it was given: what it is, in words, and the facts to keep."""

    what: str
    facts: dict[str, Any]

    def write_manifest(self, key: str, folder: Path) -> None:
        """List the folder's files, so that it can be an entry."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        listed = [(path.relative_to(folder).as_posix(), File.of(path)) for path in files]
        tree = {
            "key": key,
            "what": self.what,
            "facts": self.facts,
            "files": [(name, file.sha256, file.size_bytes) for name, file in listed],
        }
        (folder / MANIFEST).write_text(json.dumps(tree, indent=1), encoding="utf-8")
