"""Find the files a recipe names: beside it, in the download cache, in `$EDGEGREEN_ASSETS`, by URL.

A downloaded file is known by its sha256 and by nothing else; what does not match is not used.
"""

from __future__ import annotations

import glob
import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from edgegreen.agent.npz import DataError, Samples
from edgegreen.artifact import File
from edgegreen.config.references import Download, absent
from edgegreen.errors import InputError
from edgegreen.home import home

MAX_DOWNLOAD_BYTES = 4 << 30
TIMEOUT_S = 30.0


def locate(ref: Path | Download, what: str) -> Path:
    """The file or folder `ref` names, fetched if need be; `what` it is called in errors ("model").

    Raises InputError when it is absent, cannot be fetched, or is not what its digest says.
    """
    if isinstance(ref, Path):
        if why := absent(ref, folder=True):
            raise InputError(f"{what}: {ref} {why}", hint="paths are relative to the recipe")
        return ref
    try:
        if ref.sha256:
            return _one(ref.file or ref.url or "", ref.sha256, what)
        return _folder(ref, what)
    except OSError as error:
        raise InputError(
            f"{what}: cannot keep it in {home() / 'downloads'}: {error.strerror}",
            hint="EDGEGREEN_HOME moves everything edgegreen keeps",
        ) from None


def open_samples(path: Path, what: str) -> Samples:
    """Open an npz file of samples; raises InputError that says which data file is wrong and how."""
    try:
        return Samples(str(path))
    except (DataError, OSError) as error:
        raise InputError(f"{what} data {path}: {getattr(error, 'strerror', None) or error}") from None


def digest_of(sample: Iterable[NDArray[Any]]) -> bytes:
    """Equal for samples whose inputs are equal, value by value, whatever type each file keeps them in.

    Values are compared as float32, which is what a model takes: 0.1 in eight bytes is 0.1 in four.
    """
    digest = hashlib.blake2b(digest_size=16)
    for value in sample:
        digest.update((value.astype(np.float32) + np.float32(0)).tobytes())  # -0 + 0 is 0
    return digest.digest()


def _basename(place: str) -> str:
    """The file's name in a URL or in a path below `$EDGEGREEN_ASSETS`."""
    path = unquote(urlsplit(place).path) if place.startswith("https://") else place
    return path.rstrip("/").rpartition("/")[2] or "download"


def _one(place: str, sha256: str, what: str) -> Path:
    """One file, by URL or by its path below `$EDGEGREEN_ASSETS`."""
    name = _basename(place)
    kept = home() / "downloads" / sha256 / name
    if kept.is_file():
        return kept
    for candidate in _assets(name):
        if File.of(candidate).sha256 == sha256:
            return candidate
    if not place.startswith("https://"):
        raise InputError(
            f"{what}: {place} (sha256 {sha256[:12]}…) is not in $EDGEGREEN_ASSETS",
            hint="set EDGEGREEN_ASSETS to the folder that holds it; nobody serves it by URL",
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    _fetch(place, sha256, kept, what)
    return kept


def _folder(ref: Download, what: str) -> Path:
    """A folder of downloads, put together once from its files under the digest of its list."""
    files = ref.files or {}
    place = (ref.file or ref.url or "").rstrip("/")
    listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    kept = home() / "downloads" / hashlib.sha256(listing.encode()).hexdigest() / _basename(place)
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as temporary:
        whole = Path(temporary, kept.name)
        for name, digest in files.items():
            found = _one(f"{place}/{quote(name) if ref.url else name}", digest, what)
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, whole / name)
        try:
            whole.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another process was first, with the same content
                raise
    return kept


def _assets(name: str) -> Iterator[Path]:
    root = os.environ.get("EDGEGREEN_ASSETS")
    if root and Path(root).is_dir():
        # The digest decides; the name only says where to look first, for people rename what they fetch.
        alike = (path for path in Path(root).rglob(f"*{glob.escape(Path(name).suffix)}") if path.is_file())
        yield from sorted(alike, key=lambda path: (path.name != name, path))


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, as file servers use them, but never to an address that is not https."""

    def redirect_request(  # noqa: PLR0917
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            fp.close()
            raise URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, sha256: str, to: Path, what: str) -> None:
    """Download to a temporary file, check, rename: what appears under `to` is whole and right."""
    with tempfile.NamedTemporaryFile(dir=to.parent, delete=False) as part:
        try:
            try:
                found = _receive(url, part, what)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, HTTPError):
                    error.close()  # it is the server's answer, too
                raise InputError(
                    f"{what}: cannot fetch {url}: {getattr(error, 'reason', error)}",
                    hint="fetch it on another machine and set EDGEGREEN_ASSETS to the folder that holds it",
                ) from None
            if found != sha256:
                raise InputError(
                    f"{what}: {url} has sha256 {found}, the recipe says {sha256}",
                    hint="the file was changed upstream, or the recipe's digest is wrong",
                )
            Path(part.name).rename(to)
        finally:
            Path(part.name).unlink(missing_ok=True)


def _receive(url: str, to: IO[bytes], what: str) -> str:
    """Write what `url` serves to `to`, and return its sha256. Raises OSError, HTTPException."""
    digest, size = hashlib.sha256(), 0
    with urllib.request.build_opener(_HttpsOnly).open(url, timeout=TIMEOUT_S) as answer:
        promised = answer.headers.get("Content-Length")
        while block := answer.read(1 << 20):
            size += len(block)
            if size > MAX_DOWNLOAD_BYTES:
                raise InputError(f"{what}: {url} is larger than {MAX_DOWNLOAD_BYTES} bytes")
            digest.update(block)
            to.write(block)
    if promised is not None and size < int(promised):
        raise URLError(f"the connection ended after {size} of {promised} bytes")
    to.flush()
    return digest.hexdigest()
