"""Transport without SSH: this machine, by subprocess. Same promises, same errors."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.transport import MAX_OUTPUT_BYTES, Completed, Upload
from edgegreen.transport.localprocess import NAME, LocalProcess, exit_code, kill

_BLOCK_BYTES = 1 << 20


class LocalTransport:
    """`Transport` to this machine."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """What messages call the machine."""
        return NAME

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a POSIX-sh command line to its end."""
        what = " ".join(command.split())[:60]
        process = self._popen(["/bin/sh", "-c", command])
        try:
            stdout, stderr = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired:
            kill(process, signal.SIGKILL)
            process.communicate()
            raise DeviceError(f"{NAME}: `{what}` did not end within {timeout_s:g} s") from None
        if self._closed.is_set():
            raise UnreachableError(f"{NAME}: closed while `{what}` ran")
        if len(stdout) > MAX_OUTPUT_BYTES:
            raise DeviceError(f"{NAME}: `{what}` prints more than {MAX_OUTPUT_BYTES} bytes")
        code = exit_code(process.returncode)
        return Completed(
            code, stdout, stderr, signal.Signals(code - 128).name if process.returncode < 0 else None
        )

    def start(self, argv: Sequence[str]) -> LocalProcess:
        """Start a program."""
        return LocalProcess(self._popen([_at_home(argument) for argument in argv]), self._closed)

    def put(self, uploads: Sequence[Upload], progress: Callable[[int], None] = lambda _: None) -> int:
        """Copy files. Not linked: a file of the user's may change later, what lies under a digest may not."""
        return sum(_copy(upload, progress) for upload in dict.fromkeys(uploads))

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Copy one file here."""
        source = Path(_at_home(remote))
        if not source.is_file():
            raise DeviceError(f"{NAME}: {remote}: no such file")
        if source.stat().st_size > max_bytes:
            raise DeviceError(f"{NAME}: {remote} is larger than {max_bytes} bytes")
        part = local.with_name(f"{local.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(source, part)
            part.replace(local)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DeviceError(f"{NAME}: cannot copy {remote} to {local}: {error.strerror}") from None

    def close(self) -> None:
        """End what runs."""
        self._closed.set()
        for process in self._running:
            kill(process, signal.SIGKILL)

    def _popen(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        if self._closed.is_set():
            raise UnreachableError(f"{NAME}: closed")
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
            )
        except OSError as error:
            raise DeviceError(f"{NAME}: cannot start `{argv[0]}`: {error.strerror}") from None
        except ValueError:
            raise InputError(f"{argv!r:.80}: a path or argument cannot hold a NUL character") from None
        self._running = [*(p for p in self._running if p.returncode is None), process]
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _copy(upload: Upload, progress: Callable[[int], None]) -> int:
    """Copy one file under its name, by way of another name until it is whole."""
    target = Path(_at_home(upload.remote))
    # Two targets may mean this machine, and have threads that copy the same file.
    part = target.with_name(f"{target.name}.{os.getpid()}-{threading.get_ident()}.part")
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with upload.source.open("rb") as source, part.open("wb") as stream:
            while block := source.read(_BLOCK_BYTES):
                stream.write(block)
                digest.update(block)
                progress(len(block))
        if digest.hexdigest() == upload.sha256:
            part.replace(target)
            return upload.size_bytes
    except OSError as error:
        if error.filename == str(upload.source):
            raise InputError(f"{upload.source}: {error.strerror}") from None
        free = shutil.disk_usage(_existing(target.parent)).free
        raise DeviceError(
            f"{NAME}: cannot write {upload.remote}: {error.strerror}",
            hint=f"{free / 1e6:.1f} MB are free there",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    raise DeviceError(f"{NAME}: {upload.source} has changed since it was digested")


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _at_home(text: str) -> str:
    return str(Path.home()) + text[1:] if text == "~" or text.startswith("~/") else text
