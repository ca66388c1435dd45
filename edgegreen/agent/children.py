"""The processes that the supervisor starts: their lines, their end; the sampler and the guard among them.

Reads and kills; what their words mean is for the supervisor to know.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any, Callable, Mapping, Sequence

from . import wire

READ_BYTES = 1 << 16


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


class SamplerProcess:
    """A sampler from its start to its end; `ready` once it samples, `over` once it has said all."""

    def __init__(self, command: Sequence[str], spec: Mapping[str, Any]) -> None:
        self._process = start([*command, json.dumps(dict(spec))])
        assert self._process.stdout
        assert self._process.stderr
        self._words, self._noise = Lines(self._process.stdout.fileno()), self._process.stderr.fileno()
        self.pipes = {self._words.fd, self._noise}
        self.ready = self.over = False
        self._stderr = b""

    def hear(self, ready: set[int]) -> list[dict[str, Any]]:
        """What it says, `ready` being the descriptors that can be read. Its death is a `sampled`, too."""
        if self._noise in ready & self.pipes:
            data = os.read(self._noise, READ_BYTES)
            self._stderr = (self._stderr + data)[-wire.MAX_TEXT :]
            self.pipes -= set() if data else {self._noise}
        if self.over or self._words.fd not in ready:
            return []
        events: list[dict[str, Any]] = []
        for line in self._words.pull():
            try:
                event = wire.decode(line)
            except wire.NotUnderstood as error:
                return [*events, self.give_up("it makes no sense: {}".format(error))]
            if event["event"] == "error":
                return [*events, self.give_up(event["error"])]
            self.ready = self.ready or event["event"] == "meter"
            self.over = event["event"] == "sampled"
            events.append(event)
        if self.over:
            self.pipes = set()
        if self._words.closed and not self.over:
            wait(self._process, 1.0)
            tail = self._stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            events.append(self.give_up(tail or "exit code {}".format(self._process.returncode)))
        return events

    def give_up(self, why: str) -> dict[str, Any]:
        """Listen no more; the event `sampled` that says why."""
        self.over, self.pipes = True, set()
        error = wire.one_line("the power sampler ended early: {}".format(why))
        return {"event": "sampled", "summary": None, "error": error}

    def finish(self) -> None:
        """Ask it to come to its end; what it still has to say is to be heard."""
        assert self._process.stdin
        self._process.stdin.close()

    def kill(self) -> None:
        """End it now."""
        kill(self._process)


class GuardProcess:
    """The guard of the board's settings. It is never killed: when its stdin closes it puts them back."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = start(command)
        assert self._process.stdout
        self._words = Lines(self._process.stdout.fileno())
        self.over = False

    def ask(
        self, line: bytes, wait_: Callable[[set[int], float], set[int]], timeout_s: float
    ) -> dict[str, Any]:
        """Its answer to an order: a `tuned` event. `over` once there will be no more."""
        assert self._process.stdin
        deadline = time.monotonic() + timeout_s
        try:
            self._process.stdin.write(line)
        except BrokenPipeError:
            return self._give_up("it has ended")
        while time.monotonic() < deadline:
            if wait_({self._words.fd}, deadline - time.monotonic()):
                for answer in self._words.pull():
                    return wire.decode(answer)
                if self._words.closed:
                    return self._give_up(self._last_words())
        return self._give_up("no answer for {:g} s".format(timeout_s))

    def _last_words(self) -> str:
        assert self._process.stderr
        wait(self._process, 1.0)
        tail = self._process.stderr.read() or b""
        return tail.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it has ended"

    def _give_up(self, why: str) -> dict[str, Any]:
        self.over = True
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        error = wire.one_line("the process that changes the board's settings: {}".format(why))
        return {"event": "tuned", "restored": [], "error": error, "hint": None}


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """A process in a session of its own, all three streams unbuffered pipes."""
    return subprocess.Popen(
        list(command),
        bufsize=0,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started, and close its pipes."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        pass  # all gone
    wait(process, 5.0)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            pipe.close()


def wait(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Wait for its end, but not for long."""
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        pass
