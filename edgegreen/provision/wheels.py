"""Wheels on this side: fetched with the user's own pip and its configuration, kept by digest.

Which index they come from is the user's business (pip.conf, PIP_INDEX_URL, PIP_FIND_LINKS …). Where this
Python has no pip, uv runs one. What is kept once is never fetched again, so a second board of a kind needs
no network.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from edgegreen.artifact import File
from edgegreen.cache import locks
from edgegreen.errors import DeviceError, InputError
from edgegreen.home import home
from edgegreen.interpreter import Interpreter
from edgegreen.provision.lockfile import Locked
from edgegreen.releases import Pin
from edgegreen.sources import toolenv

TIMEOUT_S = 1800.0
# pip run by uv does not read uv's settings; what these variables say holds for both.
UV_TO_PIP = {
    "UV_DEFAULT_INDEX": "PIP_INDEX_URL",
    "UV_INDEX_URL": "PIP_INDEX_URL",
    "UV_INDEX": "PIP_EXTRA_INDEX_URL",
    "UV_EXTRA_INDEX_URL": "PIP_EXTRA_INDEX_URL",
    "UV_FIND_LINKS": "PIP_FIND_LINKS",
    "UV_NO_INDEX": "PIP_NO_INDEX",
}


class NotPublished(DeviceError):
    """The user's index has no such wheel."""


@dataclass(frozen=True)
class Wheel:
    """A wheel that is here. `locked` says which one, `file` where."""

    locked: Locked
    file: File

    @property
    def folder(self) -> str:
        """Its folder's name on a board."""
        return self.locked.folder

    @property
    def unpacked_bytes(self) -> int:
        """What it takes on a board, byte code included: about as much as the sources again."""
        with zipfile.ZipFile(self.file.path) as archive:
            return sum(
                member.file_size * (2 if member.filename.endswith(".py") else 1)
                for member in archive.infolist()
            )


def obtain(pins: Sequence[Pin], interpreter: Interpreter, stop: Event) -> list[Wheel]:
    """The wheels of `pins` for `interpreter`, in that order, fetched.

    Raises DeviceError, NotPublished; InputError when they cannot be kept; CancelledError.
    """
    try:
        with _at_work(stop) as folder:
            paths = _download(pins, interpreter, folder, stop)
            return [_kept(pin, path) for pin, path in zip(pins, paths, strict=True)]
    except OSError as error:
        raise InputError(
            f"cannot keep wheels in {_folder()}: {error.strerror}",
            hint="EDGEGREEN_HOME moves everything edgegreen keeps",
        ) from None


def obtain_locked(wheels: Sequence[Locked], interpreter: Interpreter, stop: Event) -> list[Wheel]:
    """Exactly these wheels, from what is kept or else from the index.

    Raises DeviceError when the index now has another file under that name, or does not have it any more.
    """
    found = {locked: _at_hand(locked) for locked in wheels}
    absent = [locked for locked, wheel in found.items() if wheel is None]
    if absent:
        pins = [Pin(locked.name, locked.version) for locked in absent]
        for locked, wheel in zip(absent, obtain(pins, interpreter, stop), strict=True):
            if wheel.locked != locked:
                raise DeviceError(
                    f"{locked.file} is not what was locked: {wheel.locked.file} with sha256 "
                    f"{wheel.file.sha256[:12]}… came instead of {locked.sha256[:12]}…",
                    hint="if you trust it, choose anew: `edgegreen targets provision NAME --renew`",
                )
            found[locked] = wheel
    return [wheel for wheel in found.values() if wheel is not None]


def _at_hand(locked: Locked) -> Wheel | None:
    """The wheel, if it is kept and undamaged."""
    path = _folder() / locked.sha256 / locked.file
    if not path.is_file():
        return None
    file = File.of(path)
    return Wheel(locked, file) if file.sha256 == locked.sha256 else None


def _kept(pin: Pin, path: Path) -> Wheel:
    """Put a fetched wheel where it is kept."""
    file = File.of(path)
    target = _folder() / file.sha256 / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    locked = Locked(pin.name, pin.version, path.name, file.sha256, file.size_bytes)
    return Wheel(locked, File(target, file.sha256, file.size_bytes))


def _folder() -> Path:
    return home() / "provision" / "wheels"


@contextmanager
def _at_work(stop: Event) -> Iterator[Path]:
    """A folder to fetch into, one process at a time: of several boards of a kind the first one fetches."""
    _folder().mkdir(parents=True, exist_ok=True)
    with (
        locks.held(_folder() / "fetching.lock", stop),
        tempfile.TemporaryDirectory(prefix="fetching-", dir=_folder()) as folder,
    ):
        yield Path(folder)


def _download(pins: Sequence[Pin], interpreter: Interpreter, folder: Path, stop: Event) -> list[Path]:
    names = [str(pin) for pin in pins]
    options = ["--disable-pip-version-check", "--no-input", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command = [*_pip(), "download", *options, *interpreter.pip_options, "--dest", str(folder), *names]
    code, said = toolenv.run(command, stop, TIMEOUT_S)
    if code != 0:
        raise _failure(names, interpreter, said)
    found = {_distribution(path): path for path in folder.glob("*.whl")}
    try:
        return [found[_normal(pin.name)] for pin in pins]
    except KeyError as error:
        raise DeviceError(f"pip fetched no wheel of {error.args[0]} for {interpreter.words}") from None


def _failure(names: Sequence[str], interpreter: Interpreter, said: str) -> DeviceError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines[-2:]
    what = f"{' '.join(names)} for {interpreter.words}"
    reason = " / ".join(errors)[:500] or "no reason given"
    # Known to the index, but not for this board: another release may be.
    published_elsewhere = "No matching distribution" in said and "from versions: none" not in said
    kind = NotPublished if published_elsewhere else DeviceError
    return kind(
        f"cannot fetch {what}: {reason}",
        hint="wheels are fetched from your package index once, and kept: is it in reach from here, "
        "and does it have them for this kind of board?",
    )


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        settings = {pip: os.environ[own] for own, pip in UV_TO_PIP.items() if own in os.environ}
        environment = [f"{name}={value}" for name, value in settings.items() if name not in os.environ]
        return ["env", *environment, uv, "tool", "run", "--quiet", "pip"]
    raise InputError(
        f"{sys.executable} has no pip, and there is no uv: nothing to fetch wheels with",
        hint="install pip there, or uv",
    )


def _distribution(wheel: Path) -> str:
    return _normal(wheel.name.split("-")[0])


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
