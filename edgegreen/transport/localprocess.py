"""A program on this machine, in a process group of its own."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from edgegreen.errors import DeviceError, UnreachableError
from edgegreen.transport.stream import Lines, Tail

NAME = "local"
"""What messages call this machine."""
_TAIL_BYTES = 8192
_GRACE_S = 2.0


class LocalProcess:
    """`Process` on this machine."""

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
            raise DeviceError(f"{NAME}: the program ended before it had read all its input") from None

    def close_stdin(self) -> None:
        """Tell it that no more input comes."""
        with suppress(OSError):
            self._stdin.close()

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """Lines of its stdout until it closes."""
        while True:
            while (line := self._lines.next(max_bytes, NAME)) is not None:
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
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if self._ends_within(_GRACE_S):
                break
            kill(self._process, ending)
        self._exit_code = exit_code(self._process.wait())
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
                raise DeviceError(f"{NAME}: nothing came for {idle_timeout_s:g} s", transient=True)
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
            raise UnreachableError(f"{NAME}: the connection was closed from this side")


def exit_code(returncode: int) -> int:
    """Popen's return code as a shell counts: 128 + n for signal n."""
    return returncode if returncode >= 0 else 128 - returncode


def kill(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process and what it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr
