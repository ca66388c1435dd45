"""One run of trtexec, from its start to its end: its lines as they come, its memory, its time limit."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections import deque
from typing import Callable, NamedTuple, Sequence

from .. import system

READ_BYTES = 1 << 16
LINES_KEPT = 2000
LINE_BYTES = 4096
TICK_S = 1.0


Tick = Callable[[float, Sequence[str]], None]


class Heard(NamedTuple):
    """A line and when it was read, on this machine's monotonic clock."""

    t_ns: int
    text: str


class Ended(NamedTuple):
    """How it ended: its exit code (below 0: the signal that killed it) and lines.

    `rss_bytes` is the most memory it was seen to hold, 0 where the kernel does not tell. `in_time` is false
    when it was ended for having taken too long.
    """

    code: int
    heard: list[Heard]
    rss_bytes: int
    start_ns: int
    took_s: float
    in_time: bool

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return [one.text for one in self.heard]


def run(
    command: Sequence[str],
    folder: str,
    timeout_s: float,
    *,
    tick: Tick = lambda _elapsed_s, _lines: None,
) -> Ended:
    """Run the command in a folder. `tick` is told the seconds so far and the lines, about once a second.

    It dies with this process, however that ends. Raises OSError when it cannot be started.
    """
    start_ns = time.monotonic_ns()
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        preexec_fn=system.killed_with_parent(),  # noqa: PLW1509  (does no more than one system call)
        env=dict(os.environ, LC_ALL="C"),
    )
    assert process.stdout
    listener = _Listener(process, timeout_s, tick)
    try:
        listener.listen()
    finally:
        if not listener.in_time:
            process.kill()
        process.stdout.close()
        code = process.wait()
    took_s = (time.monotonic_ns() - start_ns) / 1e9
    return Ended(code, list(listener.heard), listener.rss_bytes, start_ns, took_s, listener.in_time)


class _Listener:
    """Reads lines until the pipe closes, or it takes too long; looks at the memory whenever it wakes."""

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float, tick: Tick) -> None:
        assert process.stdout
        self._pid, self._pipe = process.pid, process.stdout.fileno()
        self._timeout_s, self._tick = timeout_s, tick
        self._rest = b""
        self.heard: deque[Heard] = deque(maxlen=LINES_KEPT)
        self.rss_bytes = 0
        self.in_time = False

    def listen(self) -> None:
        """`in_time` is true afterwards unless it took too long."""
        start = told = time.monotonic()
        while not self.in_time:
            now = time.monotonic()
            if now - start >= self._timeout_s:
                return
            if now - told >= TICK_S:
                self._tick(now - start, [one.text for one in self.heard])
                told = now
            if select.select([self._pipe], [], [], min(TICK_S, self._timeout_s - (now - start)))[0]:
                self.in_time = not self._hear()
            self.rss_bytes = system.peak_rss_of(self._pid) or self.rss_bytes

    def _hear(self) -> bool:
        """Read once; false when there will be no more."""
        data = os.read(self._pipe, READ_BYTES)
        t_ns = time.monotonic_ns()
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-LINE_BYTES:]
        if not data and rest:
            lines.append(rest)
        told = (line[:LINE_BYTES].decode("utf-8", "replace").rstrip() for line in lines)
        self.heard.extend(Heard(t_ns, text) for text in told)
        return bool(data)
