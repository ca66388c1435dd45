"""The cache of everything built on this host: content-addressed, shared by processes, bounded in size.

An entry is a folder of files under a key, the digest of all that went into it. It appears whole or not at
all, is checked against its digests whenever it is taken, and is never changed. What a live process uses is
not removed. What the entries mean is not known here; see `sources/` and `convert/`. Behind it may stand one
that is shared with others (sharing.py).

    <folder>/entries/<key>/     entry.json, and the files it lists
    <folder>/locks/<key>.make   held by the one process that makes the entry
    <folder>/locks/<key>.use    shared by the processes that use it
    <folder>/making/<host>-<pid>-…/   entries not yet whole
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock

import psutil

from edgegreen.cache import locks
from edgegreen.cache.entry import Entry, Made
from edgegreen.cache.sharing import MANIFEST, Shared
from edgegreen.errors import ConversionError, InputError
from edgegreen.home import home

DEFAULT_LIMIT_BYTES = 20_000_000_000
# A folder in `making/` of another host (the cache may lie on a shared disk) is given up after this long.
ABANDONED_AFTER_S = 86400.0
ASKED_AT_ONCE = 16
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Cache:
    """Entries under `folder`, together at most `limit_bytes` unless all of them are in use.

    Every entry obtained stays in use until `close` or the end of the process. Threads may share one.
    """

    def __init__(
        self, folder: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES, shared: Shared | None = None
    ) -> None:
        self.folder, self.limit_bytes, self.shared = folder, limit_bytes, shared
        self._in_use: dict[str, int] = {}
        self._lock = Lock()

    @classmethod
    def default(cls, shared: str | None = None) -> Cache:
        """The user's cache, with the limit in `$EDGEGREEN_CACHE_LIMIT` (`20GB` when it is not set).

        Behind it stands the shared one at the URL `$EDGEGREEN_CACHE`, or else `shared`, if any. Raises
        InputError for either.
        """
        url = os.environ.get("EDGEGREEN_CACHE") or shared
        limit_bytes = _limit(os.environ.get("EDGEGREEN_CACHE_LIMIT"))
        return cls(home() / "cache", limit_bytes, Shared(url) if url else None)

    def obtain(self, key: str, make: Callable[[Path], Made], stop: Event | None = None) -> Entry:
        """The entry under `key`, fetched or else made by `make(folder)` when it is not there (or damaged).

        Of several processes that want the same entry one makes it and the others wait. Raises what `make`
        raises, CancelledError once `stop` is set, InputError when the folder cannot be used,
        ConversionError when the disk is full.
        """
        if (found := self.get(key)) is None:
            with locks.held(self._folder("locks") / f"{key}.make", stop or Event()):
                if (found := self.get(key)) is None:  # nor made by another process meanwhile
                    return self._fetch(key) or self._make(key, make)
        # Made before there was a shared cache, while that was away, or for somebody who has another one.
        if self.shared is not None and not self.shared.has(key):
            self.shared.put(key, found.folder)
        return found

    def fetch(self, key: str, order: Callable[[], None] | None = None, stop: Event | None = None) -> Entry:
        """The entry under `key`, fetched when it is not here; it is not made here.

        When it cannot be fetched either, `order()` has it put into the shared cache by somebody else. Raises
        what `order` raises, ConversionError when it is nowhere, and as `obtain` does.
        """
        if found := self.get(key):
            return found
        with locks.held(self._folder("locks") / f"{key}.make", stop or Event()):
            found = self.get(key) or self._fetch(key)
            if found is None and order is not None:
                order()
                found = self._fetch(key)
        if found is None:
            place = self.shared.shown if self.shared else "(there is none)"
            raise ConversionError(
                self.complaint
                or f"an entry is not in the shared cache {place}, or is damaged there: {key[:16]}",
                hint="driver and workers need the same; on a worker its own EDGEGREEN_CACHE stands first",
            )
        return found

    def publish(self, key: str, make: Callable[[Path], Made]) -> None:
        """Put what `make(folder)` makes into the shared cache, unless it is there; nothing stays here.

        Raises ConversionError when it cannot be put there, and what `make` raises.
        """
        if self.shared is not None and not self.shared.has(key):
            with self._making() as folder:
                make(folder).write_manifest(key, folder)
                self.shared.put(key, folder)
        if self.complaint:
            raise ConversionError(self.complaint)

    def share(self, key: str) -> None:
        """Put the entry, which is here, into the shared cache, over one that may be there."""
        if self.shared is not None and (entry := self.get(key)):
            self.shared.put(key, entry.folder)

    def has(self, key: str) -> bool:
        """Whether the entry seems to be there, or can be fetched; whether it is whole, `obtain` finds out."""
        return bool(self.known([key]))

    def known(self, keys: Collection[str]) -> set[str]:
        """Those of the keys for which `has` is true; asks about many at once."""
        here = {key for key in keys if self._has(key)}
        others = list(dict.fromkeys(key for key in keys if key not in here))
        if self.shared is None or not others:
            return here
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            there = pool.map(self.shared.has, others)
            return here | {key for key, known in zip(others, there, strict=True) if known}

    @property
    def complaint(self) -> str | None:
        """Why the shared cache is not used any more, if so."""
        return self.shared.complaint if self.shared else None

    def get(self, key: str) -> Entry | None:
        """The entry, in use from now on; None when it is absent here. A damaged one is removed."""
        if not self._has(key):
            return None
        with self._lock:
            self._use(key)
        entry = self._read(key)
        if entry is None or not entry.intact():
            self._remove(key)
            return None
        with suppress(OSError):  # gone just now, or the folder is somebody else's
            os.utime(entry.folder / MANIFEST)
        return entry

    def entries(self) -> list[Entry]:
        """All entries, the latest used first. Reads no contents."""
        folder = self.folder / "entries"
        keys = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        found = [entry for key in keys if (entry := self._read(key))]
        return sorted(found, key=lambda entry: entry.used_at, reverse=True)

    @property
    def size_bytes(self) -> int:
        """All entries together."""
        return sum(entry.size_bytes for entry in self.entries())

    def clear(self) -> int:
        """Remove every entry no process uses, and what dead processes left; the bytes that were freed."""
        self._sweep()
        return sum(entry.size_bytes for entry in self.entries() if self._evict(entry.key))

    def close(self) -> None:
        """Let go of all entries in use, and keep to the limit now that they may go."""
        with self._lock:
            for descriptor in self._in_use.values():
                os.close(descriptor)
            self._in_use.clear()
        self._shrink()

    def _has(self, key: str) -> bool:
        return (self.folder / "entries" / key).is_dir()

    def _make(self, key: str, make: Callable[[Path], Made]) -> Entry:
        with self._making() as folder:
            made = make(folder)
            try:
                made.write_manifest(key, folder)
                entry = self._keep(key, folder)
            except OSError as error:
                raise self._full(made.what, error) from error
        if self.shared:
            self.shared.put(key, entry.folder)
        return entry

    def _fetch(self, key: str) -> Entry | None:
        """The entry from the shared cache; None when it is not there, or damaged."""
        if self.shared is None:
            return None
        with self._making() as folder:
            try:
                if not self.shared.fetch(key, folder):
                    return None
                found = Entry.read(key, folder)
                return self._keep(key, folder) if found and found.intact() else None
            except OSError as error:
                raise self._full("what was fetched", error) from error

    @contextmanager
    def _making(self) -> Iterator[Path]:
        """An empty folder on the entries' disk, gone afterwards unless it has become one."""
        self._sweep()
        prefix = f"{socket.gethostname()}-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self._folder("making")) as temporary:
            folder = Path(temporary, "entry")
            folder.mkdir()
            yield folder

    def _keep(self, key: str, folder: Path) -> Entry:
        """Make an entry of a folder that is whole. Raises OSError."""
        with self._lock:
            self._use(key)
        folder.rename(self._folder("entries") / key)
        self._shrink()
        entry = self._read(key)
        assert entry is not None
        return entry

    def _full(self, what: str, error: OSError) -> ConversionError:
        return ConversionError(
            f"cannot keep {what} in {self.folder}: {error.strerror or error}",
            hint="make room there, or set EDGEGREEN_HOME to a folder on another disk",
        )

    def _read(self, key: str) -> Entry | None:
        return Entry.read(key, self.folder / "entries" / key)

    def _use(self, key: str) -> None:
        """Mark the entry as used by this process; waits while another one is removing it."""
        if key in self._in_use:
            return
        descriptor = os.open(self._folder("locks") / f"{key}.use", os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        self._in_use[key] = descriptor

    def _evict(self, key: str) -> bool:
        """Remove the entry unless a process uses it; whether it was removed."""
        descriptor = os.open(self._folder("locks") / f"{key}.use", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove(key)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _remove(self, key: str) -> None:
        """Take the entry away in one step, then delete it."""
        away = Path(tempfile.mkdtemp(prefix="removed-", dir=self._folder("making")))
        with suppress(FileNotFoundError):  # another process may have removed it
            (self.folder / "entries" / key).rename(away / key)
        shutil.rmtree(away, ignore_errors=True)

    def _shrink(self) -> None:
        """Remove the least recently used entries until the limit is kept."""
        entries = self.entries()
        excess = sum(entry.size_bytes for entry in entries) - self.limit_bytes
        for entry in reversed(entries):
            if excess <= 0:
                break
            if self._evict(entry.key):
                excess -= entry.size_bytes

    def _sweep(self) -> None:
        """Delete what processes that are gone left half made."""
        for left in self._folder("making").iterdir():
            host, _, rest = left.name.rpartition("-")[0].rpartition("-")
            ours = host == socket.gethostname() and rest.isdigit()
            try:
                old = time.time() - left.stat().st_mtime > ABANDONED_AFTER_S
            except FileNotFoundError:
                continue
            if (ours and not psutil.pid_exists(int(rest))) or (not ours and old):
                shutil.rmtree(left, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot use the cache folder {folder}: {error.strerror}",
                hint="set EDGEGREEN_HOME to a folder you can write to",
            ) from None
        return folder


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT_BYTES
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)B?\s*", text.upper())
    if match is None:
        raise InputError(f"EDGEGREEN_CACHE_LIMIT={text} is no size", hint="write it as 500MB or 20GB")
    return int(float(match[1]) * UNITS[match[2]])
