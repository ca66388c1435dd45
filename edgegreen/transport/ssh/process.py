"""A command on the board, in a channel of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from paramiko.ssh_exception import SSHException

from edgegreen.errors import DeviceError, EdgegreenError
from edgegreen.transport import MAX_OUTPUT_BYTES, Completed, shell
from edgegreen.transport.ssh import greeting
from edgegreen.transport.ssh.connection import Connection
from edgegreen.transport.ssh.greeting import Greeting
from edgegreen.transport.stream import Lines, Tail

_POLL_S = 0.2
_STDIN_STUCK_S = 60.0
_SEND_BYTES = 32_768 - 64  # what fits one packet of any server
_FLIGHT_BYTES = 256 << 10
_FULL_SPEED_BYTES_PER_S = 200e6
_TAIL_BYTES = 8192
_GRACE_S = 2.0
_LAST_GRACE_S = 1.0


class RemoteProcess:
    """`Process` over SSH. stderr is read along with stdout, so neither can fill up and block the program."""

    def __init__(
        self, connection: Connection, name: str, argv: Sequence[str], tail_bytes: int = _TAIL_BYTES
    ) -> None:
        self._connection = connection
        self._name = name
        self._greeting = Greeting()
        self._lines = Lines()
        self._stderr = Tail(tail_bytes)
        self._exit_code: int | None = None
        self._closed = False
        self._window = 0  # the most the server ever allowed to be on its way
        self._channel = connection.open_session()
        self._channel.settimeout(_POLL_S)
        self._exec(shell.encode(greeting.wrapped(argv)))

    def write(self, data: bytes) -> None:
        """Send to its stdin."""
        self._write(data, _STDIN_STUCK_S)

    def _write(self, data: bytes, stuck_s: float) -> None:
        view = memoryview(data)
        moved_s = time.monotonic()
        while view:
            try:
                sent = self._channel.send(bytes(view[:_SEND_BYTES])) if self._may_send() else 0
            except TimeoutError:
                sent = 0
            except (SSHException, EOFError, OSError) as error:
                raise self._ended_early(error) from None
            if sent:
                view = view[sent:]
                moved_s = time.monotonic()
            elif self._channel.closed:
                raise self._ended_early(None)
            elif time.monotonic() - moved_s > stuck_s:
                raise DeviceError(f"{self._name}: the program reads no input")
        if self._connection.is_lost():
            raise self._connection.broken()

    def close_stdin(self) -> None:
        """Tell it that no more input comes."""
        with suppress(SSHException, EOFError, OSError):
            self._channel.shutdown_write()

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """Lines of its stdout until it closes."""
        while True:
            while (line := self._lines.next(max_bytes, self._name)) is not None:
                yield line
            data = self._read(idle_timeout_s)
            if not data:
                break
            self._lines.feed(data)
        if rest := self._lines.rest():
            yield rest

    def read(self, idle_timeout_s: float) -> bytes:
        """Bytes of its stdout, b"" at the end."""
        return self._lines.rest() or self._read(idle_timeout_s)

    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr."""
        self._drain_stderr()
        return self._stderr.text()

    def close(self) -> int | None:
        """Close its stdin, wait briefly, then end it."""
        return self._stop(_GRACE_S)

    def complete(self, stdin: bytes, timeout_s: float, what: str) -> Completed:
        """Feed it, wait for its end, and give what it printed."""
        deadline_s = time.monotonic() + timeout_s
        output = bytearray()
        try:
            with suppress(DeviceError):  # a command need not read its input
                self._write(stdin, min(timeout_s, _STDIN_STUCK_S))
            self.close_stdin()
            while data := self._read_until(deadline_s):
                output += data
                if len(output) > MAX_OUTPUT_BYTES:
                    raise DeviceError(f"{self._name}: `{what}` prints more than {MAX_OUTPUT_BYTES} bytes")
                if time.monotonic() > deadline_s:
                    raise TimeoutError
            if not self._ends_within(max(0.0, deadline_s - time.monotonic())):
                raise TimeoutError
        except TimeoutError:
            raise DeviceError(f"{self._name}: `{what}` did not end within {timeout_s:g} s") from None
        finally:
            code = self._stop(0.0)
        if code is not None:
            return Completed(code, bytes(output), self._stderr.bytes(), signal_of(code))
        if self._connection.is_lost(_POLL_S):
            raise self._connection.broken()
        raise DeviceError(f"{self._name}: `{what}` was ended from outside")

    def _stop(self, grace_s: float) -> int | None:
        if self._closed:
            return self._exit_code
        self._closed = True
        self.close_stdin()
        for kill in ("TERM", "KILL"):
            if self._ends_within(grace_s):
                break
            self._signal(kill)
            grace_s = _LAST_GRACE_S
        else:
            self._ends_within(grace_s)
        if self._channel.exit_status >= 0:
            self._exit_code = self._channel.exit_status
        with suppress(SSHException, EOFError, OSError):
            self._channel.close()
        return self._exit_code

    def _may_send(self) -> bool:
        """Whether little enough is on its way; waits a moment when it is too much.

        What the program has not read yet lies in the SSH server's buffer, and OpenSSH moves all of it about
        with each packet: 2 MB there make it ten times slower than 0.5 MB. So what is on its way is kept to
        what the round trip needs at full speed.
        """
        channel = self._channel
        with channel.lock:
            self._window = max(self._window, channel.out_window_size)
            limit = _FLIGHT_BYTES + self._connection.round_trip_s * _FULL_SPEED_BYTES_PER_S
            if self._window - channel.out_window_size <= limit or channel.closed:
                return True
            channel.out_buffer_cv.wait(_POLL_S)  # woken when the server has taken some
            return False

    def _exec(self, command: bytes) -> None:
        try:
            self._channel.exec_command(command)
        except (SSHException, EOFError, OSError) as error:
            if self._connection.is_lost(_POLL_S):
                raise self._connection.broken(error) from None
            raise DeviceError(f"{self._name}: the SSH server runs no commands for us ({error})") from None

    def _read(self, idle_timeout_s: float) -> bytes:
        window = None
        while window != self._channel.out_window_size:  # it still takes in what we sent: the link is slow
            window = self._channel.out_window_size
            with suppress(TimeoutError):
                return self._read_until(time.monotonic() + idle_timeout_s)
        raise DeviceError(
            f"{self._name}: nothing came for {idle_timeout_s:g} s, though the connection lives",
            hint="does something there keep the board busy, or its disk?",
            transient=True,
        )

    def _read_until(self, deadline_s: float) -> bytes:
        """The next bytes of the program's stdout, b"" at the end; TimeoutError at the deadline."""
        while True:
            data = self._receive(deadline_s)
            if not data and not self._greeting.came:
                raise self._not_started()
            if (ours := self._greeting.after(data)) or not data:
                return ours

    def _not_started(self) -> DeviceError:
        said = self._greeting.skipped + self._stderr.bytes()
        text = " / ".join(said.decode("utf-8", "replace").split("\n")[:3]).strip()
        return DeviceError(
            f"{self._name}: the login shell did not run our command" + (f": {text[:300]}" if text else ""),
            hint="log in with ssh and see that the account has an ordinary shell (sh, bash, zsh, fish)",
        )

    def _receive(self, deadline_s: float) -> bytes:
        while True:
            self._drain_stderr()
            try:
                data = self._channel.recv(65536)
            except TimeoutError:
                if time.monotonic() > deadline_s:
                    raise
                continue
            if data:
                return data
            self._drain_stderr()
            # An end without end-of-file and exit status is the link's, not the program's.
            if not self._channel.eof_received and self._connection.is_lost(_POLL_S):
                raise self._connection.broken()
            return b""

    def _drain_stderr(self) -> None:
        while self._channel.recv_stderr_ready():
            self._stderr.add(self._channel.recv_stderr(65536))

    def _ended_early(self, error: Exception | None) -> EdgegreenError:
        if self._connection.is_lost(_POLL_S):
            return self._connection.broken(error)
        return DeviceError(f"{self._name}: the program ended before it had read all its input")

    def _ends_within(self, limit_s: float) -> bool:
        """Whether it ends in time; what it still prints is dropped."""
        deadline_s = time.monotonic() + limit_s
        while not self._channel.exit_status_ready():
            if time.monotonic() > deadline_s:
                return False
            self._discard()
            self._channel.status_event.wait(0.02)
        return True

    def _discard(self) -> None:
        self._drain_stderr()
        while self._channel.recv_ready():
            self._greeting.after(self._channel.recv(65536))

    def _signal(self, name: str) -> None:
        """Send a signal to it and all it started: OpenSSH gives each command a process group.

        Other servers do not; there its own child gets the signal, and what that started is left to it.
        """
        pid = self._greeting.pid
        if pid is None:
            return
        with suppress(EdgegreenError, SSHException, EOFError, OSError):
            channel = self._connection.open_session()
            alone = f"{{ pkill -{name} -P {pid}; kill -s {name} {pid}; }}"
            channel.exec_command(f"kill -s {name} -- -{pid} || {alone}")
            channel.status_event.wait(_LAST_GRACE_S)
            channel.close()


def signal_of(exit_code: int) -> str | None:
    """The signal's name that an exit code of 128 + n stands for."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code > 128 else None
    except ValueError:
        return None
