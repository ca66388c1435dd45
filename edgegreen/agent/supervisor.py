"""The agent as the host sees it: answers requests on stdin until it closes, one trial process at a time.

It runs no model itself, so nothing a runtime does can take it along. While a trial is silent it repeats
the last progress as a heartbeat. When the host goes (stdin closes), the trial is killed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, BinaryIO, Sequence

from . import system, wire

BULK = (b'{"v":1,"event":"outputs"', b'{"v":1,"event":"latencies"')  # large, and of no concern here
READ_BYTES = 1 << 16
LAST_WORDS = ("measured", "failed")
OUT_OF_MEMORY = ("bad_alloc", "Cannot allocate memory", "MemoryError")


class HostGone(Exception):
    """Nobody listens any more."""


class Lines:
    """Whole lines out of a file descriptor that delivers pieces."""

    def __init__(self, fd: int) -> None:
        self.fd, self.closed = fd, False
        self._rest = bytearray()

    def pull(self) -> list[bytes]:
        """Read once, which must not block; the lines that are now complete, newlines included."""
        data = os.read(self.fd, READ_BYTES)
        if not data:
            self.closed = True
            return []
        self._rest += data
        if b"\n" not in data:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [line + b"\n" for line in lines]

    def pending(self) -> int:
        """Bytes of the line that is not complete yet."""
        return len(self._rest)


class Supervisor:
    """Answers the host. `command` starts a trial's process."""

    def __init__(self, command: Sequence[str], out: BinaryIO) -> None:
        self.command, self.out = list(command), out
        self.requests = Lines(0)
        self.waiting: list[bytes] = []

    def serve(self) -> None:
        """Answer until the host is gone."""
        try:
            self.write(b"\n")  # ends whatever a login script left on the line
            while True:
                while self.waiting:
                    self.answer(self.waiting.pop(0))
                self.hear()
        except HostGone:
            pass

    def hear(self) -> None:
        """Wait for something on stdin. Raises HostGone when it closes."""
        self.waiting += self.requests.pull()
        if self.requests.closed or self.requests.pending() > wire.MAX_REQUEST_BYTES:
            raise HostGone

    def answer(self, line: bytes) -> None:
        """Do what one request asks for."""
        try:
            request = wire.decode(line)
            verb = request.get("verb")
            if verb == "probe":
                self.say("probed", **system.facts())
            elif verb == "measure" and isinstance(request.get("id"), str):
                wire.Job.parse(request.get("job"))
                TrialProcess(self, request["id"]).run(line)
            else:
                raise wire.NotUnderstood("no such request: {}".format(wire.one_line(repr(verb))))
        except wire.NotUnderstood as error:
            self.say("error", error=str(error))

    def say(self, event: str, **fields: Any) -> None:
        """Send one event. Raises HostGone."""
        self.write(wire.encode(dict(event=event, **fields)))

    def write(self, data: bytes) -> None:
        """Send bytes. Raises HostGone."""
        try:
            self.out.write(data)
            self.out.flush()
        except OSError:
            raise HostGone from None


class TrialProcess:
    """A trial's process, from its start to its last word or its death."""

    def __init__(self, supervisor: Supervisor, id_: str) -> None:
        self.supervisor, self.id = supervisor, id_
        self.progress: dict[str, Any] = {"stage": "load", "done": 0.0}
        self.spoken = False
        self.stderr = b""
        self.next_beat = time.monotonic() + wire.HEARTBEAT_S

    def run(self, request: bytes) -> None:
        """Run it to its end, whatever that is. Raises HostGone, the trial killed."""
        kills_before = system.oom_kills()
        process = subprocess.Popen(
            [*self.supervisor.command, str(os.getpid())],
            bufsize=0,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self.relay(process, request)
        finally:
            _kill(process)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        if not self.spoken:
            self.supervisor.say("failed", id=self.id, **self.obituary(process.returncode, kills_before))

    def relay(self, process: subprocess.Popen[bytes], request: bytes) -> None:
        """Pass on what the trial says until it has ended. Raises HostGone."""
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            process.stdin.write(request)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once, which is noticed below
        words, noise = Lines(process.stdout.fileno()), process.stderr.fileno()
        pipes = {words.fd, noise}
        while True:
            ended = process.poll() is not None
            ready = self.wait(pipes, 0.0 if ended else self.next_beat - time.monotonic())
            if ended and not ready:
                return  # all it said is read; a helper it started may still hold the pipes open
            if noise in ready:
                pipes -= self.listen(noise)
            if words.fd in ready:
                for line in words.pull():
                    self.pass_on(line)
                if words.closed:
                    pipes.discard(words.fd)
                    _wait(process, 1.0)
            self.beat()

    def wait(self, pipes: set[int], timeout_s: float) -> set[int]:
        """Those of `pipes` that can be read. Raises HostGone."""
        ready, _, _ = select.select([self.supervisor.requests.fd, *pipes], [], [], max(0.0, timeout_s))
        if self.supervisor.requests.fd in ready:
            self.supervisor.hear()
        return pipes & set(ready)

    def listen(self, noise: int) -> set[int]:
        """Keep the tail of its stderr; the pipe itself once it is closed."""
        data = os.read(noise, READ_BYTES)
        self.stderr = (self.stderr + data)[-wire.MAX_DETAIL :]
        return set() if data else {noise}

    def pass_on(self, line: bytes) -> None:
        """Send one of its events to the host. Raises HostGone."""
        if not line.startswith(BULK):
            event = wire.decode(line)
            if event["event"] == "progress":
                self.progress = {"stage": event["stage"], "done": event["done"]}
            self.spoken = self.spoken or event["event"] in LAST_WORDS
        self.supervisor.write(line)
        self.next_beat = time.monotonic() + wire.HEARTBEAT_S

    def beat(self) -> None:
        """A heartbeat, when it is time for one. Raises HostGone."""
        if time.monotonic() >= self.next_beat and not self.spoken:
            self.supervisor.say("progress", id=self.id, **self.progress)
            self.next_beat = time.monotonic() + wire.HEARTBEAT_S

    def obituary(self, code: int, kills_before: int | None) -> dict[str, Any]:
        """The `failed` event's fields for a trial that died without a last word."""
        tail = self.stderr.decode("utf-8", "replace")
        name = signal.Signals(-code).name if code < 0 else None
        kills = system.oom_kills()
        killed_for_memory = name == "SIGKILL" and None not in (kills, kills_before) and kills != kills_before
        kind, what = "died", "died of " + name if name else "ended with exit code {}".format(code)
        if killed_for_memory:
            kind, what = "memory", "was killed by the kernel: out of memory"
        elif any(words in tail for words in OUT_OF_MEMORY):
            kind, what = "memory", what + ", out of memory"
        error = "the trial {} in stage `{}`".format(what, self.progress["stage"])
        return {"kind": kind, "error": error, "detail": tail, "signal": name}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # all gone
    _wait(process, 5.0)


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        pass


def _go(*_: object) -> None:
    raise HostGone


def main(program: str) -> None:
    """Serve stdin until it closes; `program` is the file Python is to run for a trial."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _go)
    out = wire.take_stdout()
    Supervisor([sys.executable, program, "trial"], out).serve()
    # Not through the interpreter's end: it would try a last flush to a host that is gone, and complain.
    os._exit(0)
