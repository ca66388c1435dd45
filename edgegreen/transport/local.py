"""Transport without SSH: this machine, by subprocess. Same promises, same errors."""

from __future__ import annotations

import hashlib
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.transport import MAX_OUTPUT_BYTES, Completed, Upload
from edgegreen.transport.stream import Lines, Tail

_NAME = "local"
_TAIL_BYTES = 8192
_GRACE_S = 2.0
_BLOCK_BYTES = 1 << 20


class LocalTransport:
    """`Transport` to this machine."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """What messages call the machine."""
        return _NAME

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a POSIX-sh command line to its end."""
        what = " ".join(command.split())[:60]
        process = self._popen(["/bin/sh", "-c", command])
        try:
            stdout, stderr = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process, signal.SIGKILL)
            process.communicate()
            raise DeviceError(f"{_NAME}: `{what}` did not end within {timeout_s:g} s") from None
        if self._closed.is_set():
            raise UnreachableError(f"{_NAME}: closed while `{what}` ran")
        if len(stdout) > MAX_OUTPUT_BYTES:
            raise DeviceError(f"{_NAME}: `{what}` prints more than {MAX_OUTPUT_BYTES} bytes")
        code = _exit_code(process.returncode)
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
            raise DeviceError(f"{_NAME}: {remote}: no such file")
        if source.stat().st_size > max_bytes:
            raise DeviceError(f"{_NAME}: {remote} is larger than {max_bytes} bytes")
        part = local.with_name(f"{local.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(source, part)
            part.replace(local)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise DeviceError(f"{_NAME}: cannot copy {remote} to {local}: {error.strerror}") from None

    def close(self) -> None:
        """End what runs."""
        self._closed.set()
        for process in self._running:
            _kill(process, signal.SIGKILL)

    def _popen(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        if self._closed.is_set():
            raise UnreachableError(f"{_NAME}: closed")
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
            )
        except OSError as error:
            raise DeviceError(f"{_NAME}: cannot start `{argv[0]}`: {error.strerror}") from None
        except ValueError:
            raise InputError(f"{argv!r:.80}: a path or argument cannot hold a NUL character") from None
        self._running = [*(p for p in self._running if p.returncode is None), process]
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalProcess:
    """`Process` on this machine, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], transport_closed: threading.Event) -> None:
        self._process = process
        self._transport_closed = transport_closed
        self._lines = Lines()
        self._stderr = Tail(_TAIL_BYTES)
        self._stdin, self._stdout, self._stderr_pipe = _pipes(process)
        self._open = selectors.DefaultSelector()
        self._open.register(self._stdout, selectors.EVENT_READ)
        self._open.register(self._stderr_pipe, selectors.EVENT_READ)
        self._exit_code: int | None = None

    def write(self, data: bytes) -> None:
        """Send to its stdin."""
        view = memoryview(data)
        try:
            while view:
                view = view[self._stdin.write(view) :]
        except (OSError, ValueError):
            self._check_open()
            raise DeviceError(f"{_NAME}: the program ended before it had read all its input") from None

    def close_stdin(self) -> None:
        """Tell it that no more input comes."""
        with suppress(OSError):
            self._stdin.close()

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """Lines of its stdout until it closes."""
        while True:
            while (line := self._lines.next(max_bytes, _NAME)) is not None:
                yield line
            data = self._read(idle_timeout_s)
            if not data:
                break
            self._lines.feed(data)
        if rest := self._lines.rest():
            yield rest

    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr."""
        if self._exit_code is None:
            self._read_ready(0.0, {self._stderr_pipe})
        return self._stderr.text()

    def close(self) -> int | None:
        """Close its stdin, wait briefly, then end it."""
        if self._exit_code is not None:
            return self._exit_code
        self.close_stdin()
        for kill in (signal.SIGTERM, signal.SIGKILL):
            if self._ends_within(_GRACE_S):
                break
            _kill(self._process, kill)
        self._exit_code = _exit_code(self._process.wait())
        self._ends_within(0.0)
        self._open.close()
        self._stdout.close()
        self._stderr_pipe.close()
        return self._exit_code

    def _read(self, idle_timeout_s: float) -> bytes:
        deadline_s = time.monotonic() + idle_timeout_s
        while self._stdout in self._registered():
            left_s = deadline_s - time.monotonic()
            if left_s < 0:
                raise DeviceError(f"{_NAME}: nothing came for {idle_timeout_s:g} s")
            if data := self._read_ready(left_s, self._registered()):
                return data
        self._check_open()
        return b""

    def _read_ready(self, timeout_s: float, wanted: set[IO[bytes]]) -> bytes:
        """Wait for output; stderr goes to its tail, stdout is returned. An ended stream is dropped."""
        data = b""
        for key, _ in self._open.select(timeout_s):
            stream = key.fileobj
            if stream not in wanted:
                continue
            chunk = os.read(key.fd, 65536)
            if not chunk:
                self._open.unregister(stream)
            elif stream is self._stdout:
                data = chunk
            else:
                self._stderr.add(chunk)
        return data

    def _registered(self) -> set[IO[bytes]]:
        streams = (self._stdout, self._stderr_pipe)
        return {stream for stream in streams if stream in self._open.get_map()}

    def _ends_within(self, limit_s: float) -> bool:
        """Whether it ends in time; what it still prints is dropped."""
        deadline_s = time.monotonic() + limit_s
        while True:
            ended = self._process.poll() is not None
            while self._read_ready(0.0, self._registered()):
                pass
            if ended or time.monotonic() > deadline_s:
                return ended
            time.sleep(0.005)

    def _check_open(self) -> None:
        if self._transport_closed.is_set():
            raise UnreachableError(f"{_NAME}: the connection was closed from this side")


def _copy(upload: Upload, progress: Callable[[int], None]) -> int:
    """Copy one file under its name, by way of another name until it is whole."""
    target = Path(_at_home(upload.remote))
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
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
            f"{_NAME}: cannot write {upload.remote}: {error.strerror}",
            hint=f"{free / 1e6:.1f} MB are free there",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    raise DeviceError(f"{_NAME}: {upload.source} has changed since it was digested")


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _at_home(text: str) -> str:
    return str(Path.home()) + text[1:] if text == "~" or text.startswith("~/") else text


def _exit_code(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and what it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr
