"""One run of trtexec, from its start to its end: its lines as they come, its memory, its time limit."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from typing import Callable, NamedTuple, Sequence

from .. import system

READ_BYTES = 1 << 16
LINES_KEPT = 2000
LINE_BYTES = 4096
TICK_S = 1.0


class Heard(NamedTuple):
    """A line and when it was read, on this machine's monotonic clock."""

    t_ns: int
    text: str


class Ended(NamedTuple):
    """How it ended: its exit code (below 0: the signal that killed it), lines, most memory held.

    `in_time` is false when it was ended for having taken too long.
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
    tick: Callable[[float, str], None] = lambda _elapsed_s, _line: None,
) -> Ended:
    """Run the command in a folder. `tick` is told the seconds so far and the last line, about once a second.

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
    in_time = False
    heard: deque[Heard] = deque(maxlen=LINES_KEPT)
    try:
        in_time = _listen(process.stdout.fileno(), heard, timeout_s, tick)
    finally:
        if not in_time:
            os.kill(process.pid, signal.SIGKILL)  # not through Popen, which would reap it
        process.stdout.close()
        code, rss_bytes = _reaped(process)
    took_s = (time.monotonic_ns() - start_ns) / 1e9
    return Ended(code, list(heard), rss_bytes, start_ns, took_s, in_time)


def _listen(pipe: int, heard: deque[Heard], timeout_s: float, tick: Callable[[float, str], None]) -> bool:
    """Read lines until the pipe closes; false when that takes too long."""
    rest = b""
    start = told = time.monotonic()
    while True:
        now = time.monotonic()
        if now - start >= timeout_s:
            return False
        if now - told >= TICK_S:
            tick(now - start, heard[-1].text if heard else "")
            told = now
        if not select.select([pipe], [], [], min(TICK_S, timeout_s - (now - start)))[0]:
            continue
        data = os.read(pipe, READ_BYTES)
        t_ns = time.monotonic_ns()
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[-LINE_BYTES:]
        if not data and rest:
            lines.append(rest)
        heard.extend(Heard(t_ns, line[:LINE_BYTES].decode("utf-8", "replace").rstrip()) for line in lines)
        if not data:
            return True


def _reaped(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Its exit code and the most memory it held, both of which only who waits for it is told."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return process.returncode, usage.ru_maxrss * system.MAXRSS_UNIT
