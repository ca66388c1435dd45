"""A cache shared by people and machines: entries of the cache, an archive each, in a bucket or a folder.

It stands behind the cache of this host (store.py), which alone is worked on: an entry that lacks there is
fetched, one that was made there is put here. Nothing that goes wrong with it stops a run, which is then done
without it.

    <url>/v1/<first two digits of the key>/<key>.zip     entry.json and the files that it lists
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from edgegreen.errors import InputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")
LAYOUT = "v1"
MANIFEST = "entry.json"
MANIFEST_BYTES_MAX = 100_000_000
READ_AT_MOST = 5
ENTRY_BYTES_MAX = 100_000_000_000  # of its files together, unpacked
# Where an object appears whole or not at all, so that it needs no other name until it is.
ATOMIC = {"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"}
# A place that does not answer must not hold up a run for minutes.
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}}},
}
FORM = "write it as s3://bucket/folder or file:///folder"
EXTRA = "pip install 'edgegreen[shared-cache]'"


class Shared:
    """The entries at a URL. Threads and processes may share it.

    After the place has failed once it is left alone, and `complaint` says why.
    """

    def __init__(self, url: str) -> None:
        """Raises InputError for a URL that is none, and for one that takes a package that is not there."""
        self.url = url
        self._files, root = _opened(url)
        self._root = f"{root.rstrip('/')}/{LAYOUT}"
        self.shown = without_secrets(url)
        """The URL as it may be shown."""
        self._atomic = urlsplit(url).scheme in ATOMIC
        self.complaint: str | None = None

    def has(self, key: str) -> bool:
        """Whether there is such an entry; whether it is whole, `fetch` finds out."""
        return self._reach("look into", lambda: bool(self._files.exists(self._place(key))), otherwise=False)

    def fetch(self, key: str, folder: Path) -> bool:
        """Unpack the entry into `folder`, which is empty; whether there is one, and it could be unpacked.

        Whether the files are what their manifest says is for the caller to see. Raises OSError when they
        cannot be written.
        """
        with tempfile.TemporaryFile() as archive:
            found = self._reach("read", lambda: self._read(key, archive), otherwise=False)
            return found and unpack(archive, folder)

    def put(self, key: str, folder: Path) -> None:
        """Put the entry in `folder` there, over one that may be there."""
        self._reach("write to", lambda: self._write(key, folder), otherwise=None)

    def _read(self, key: str, archive: IO[bytes]) -> bool:
        for left in reversed(range(READ_AT_MOST)):
            try:
                with self._files.open(self._place(key), "rb") as stream:
                    shutil.copyfileobj(stream, archive)
                return True
            except FileNotFoundError:
                return False
            except OSError as error:
                # s3fs reads in blocks, and says so when somebody has put the entry anew in between.
                if error.errno != errno.EBUSY or not left:
                    raise
                archive.seek(0)
                archive.truncate()
        return False

    def _write(self, key: str, folder: Path) -> None:
        place = self._place(key)
        with tempfile.NamedTemporaryFile(suffix=".zip") as archive:
            pack(folder, Path(archive.name))
            self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            if self._atomic:
                self._files.put_file(archive.name, place)
            else:
                part = f"{place}.{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}.part"
                self._files.put_file(archive.name, part)
                self._files.mv(part, place)

    def _place(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key}.zip"

    def _reach(self, what: str, work: Callable[[], T], *, otherwise: T) -> T:
        if self.complaint:
            return otherwise
        try:
            return work()
        except Exception as error:  # each kind of place has its own
            said = " ".join(str(error).split())[:200] or type(error).__name__
            self.complaint = f"cannot {what} the shared cache {self.shown}, going on without it: {said}"
            return otherwise


def without_secrets(url: str) -> str:
    """The URL without a password, or options that may hold one."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def pack(folder: Path, archive: Path) -> None:
    """All files of an entry as one zip archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder).as_posix())


def unpack(archive: IO[bytes], folder: Path) -> bool:
    """The files that the archive's manifest lists, and the manifest; False for an archive that is damaged.

    Somebody else has made it: no name leads out of the folder, and no file is larger than it is said to be.
    Raises OSError when they cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            with packed.open(MANIFEST) as stream:
                text = stream.read(MANIFEST_BYTES_MAX + 1)
            listed = {str(name): int(size) for name, _, size in json.loads(text)["files"]}
            if not all(map(_inside, listed)) or sum(listed.values()) > ENTRY_BYTES_MAX:
                return False
            (folder / MANIFEST).write_bytes(text)
            return all(_extracted(packed, name, size, folder / name) for name, size in listed.items())
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError, NotImplementedError, zlib.error):
        return False


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts and name != MANIFEST


def _extracted(packed: zipfile.ZipFile, name: str, size_bytes: int, to: Path) -> bool:
    if packed.getinfo(name).file_size != size_bytes:
        return False
    to.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(name) as stream, to.open("wb") as file:
        shutil.copyfileobj(stream, file)
    return True


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL, and the path in it."""
    scheme, host, path = urlsplit(url)[:3]
    if not scheme or "://" not in url:
        raise InputError(f"the shared cache `{url}` is no URL", hint=FORM)
    # `file://mnt/lab` would be a folder `mnt` wherever one happens to stand.
    if not (path if scheme == "file" else host) or (scheme == "file" and host):
        raise InputError(f"the shared cache {without_secrets(url)} names no place", hint=FORM)
    try:
        import fsspec
    except ImportError:
        raise InputError("a shared cache takes a package that is not installed", hint=EXTRA) from None
    try:
        # Not fsspec's instance of an earlier one: the environment may name another server now.
        files, root = fsspec.core.url_to_fs(url, skip_instance_cache=True, **OPTIONS.get(scheme, {}))
    except (ImportError, ValueError) as error:
        raise InputError(
            f"the shared cache {without_secrets(url)} cannot be used: {error}",
            hint=f"{EXTRA} brings s3:// and file://" if isinstance(error, ImportError) else FORM,
        ) from None
    return files, root
