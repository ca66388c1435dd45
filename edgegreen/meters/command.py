"""Any meter that a program can read: the program prints watts, one reading a line.

It either keeps printing, with or without times of its own, or is run anew for each reading. It is run
without a shell, in a process group of its own, and ended with it.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from edgegreen.agent.meters.base import About
from edgegreen.agent.meters.tree import Unreadable
from edgegreen.agent.wire import one_line, printable
from edgegreen.config.meterkeys import Command
from edgegreen.meters.asked import Asked
from edgegreen.meters.base import Clock, watts
from edgegreen.meters.told import Told

FIRST_S = 10.0  # for the first reading
RUN_S = 5.0  # for one run of a program that is run for each reading
END_S = 2.0
SILENT = "does it print each line at once? (`flush=True`, `stdbuf -oL`)"
MAX_LINE_BYTES = 4096
STDERR_BYTES = 4096
AHEAD_MAX_S, BEHIND_MAX_S = 0.1, 60.0  # of this machine's clock, for the time that a line claims
CLOCKS: dict[Clock, Callable[[], int]] = {"monotonic": time.monotonic_ns, "unix": time.time_ns}


def open_meter(keys: Command) -> Asked | Told:
    """Start the program, or make ready to run it. Raises Unreadable."""
    about = About(
        kind="command",
        rail=keys.rail,
        scope=keys.scope,
        source=one_line(" ".join(keys.command), 100),
        main=True,
        averaging_s=keys.averaging_s,
    )
    if keys.every_s is not None:
        return Asked(Runs(about, keys.command), keys.every_s)
    return Stream(about, keys).meter


class Runs:
    """A program that is run once for each reading; the last line it prints is the reading."""

    def __init__(self, about: About, command: tuple[str, ...]) -> None:
        self.about, self._command = about, command

    def read(self) -> float:
        """Watts. Raises Unreadable."""
        process = _start(self._command)
        try:
            out, err = process.communicate(timeout=RUN_S)
        except subprocess.TimeoutExpired:
            raise Unreadable(f"`{self.about.source}` took more than {RUN_S:g} s") from None
        finally:
            _end(process)
            for pipe in (process.stdout, process.stderr):
                assert pipe
                pipe.close()
        if process.returncode:
            raise Unreadable(_ending(self.about.source, process.returncode, err))
        lines = out.decode("utf-8", "replace").strip().splitlines()
        return watts(lines[-1].strip() if lines else "", f"`{self.about.source}`")

    def close(self) -> None:
        """Nothing runs between two readings."""


class Stream:
    """A program that keeps printing, and the two threads that listen to it."""

    def __init__(self, about: About, keys: Command) -> None:
        self._source, self._stamped = about.source, keys.timestamps != "none"
        clock: Clock = "unix" if keys.timestamps == "unix" else "monotonic"
        self._now = CLOCKS[clock]
        self.meter = Told(about, self._stop, clock=clock, first_s=FIRST_S, silent=SILENT)
        self._process = _start(keys.command)
        self._stderr = b""
        self._aside = threading.Thread(target=self._listen_aside, daemon=True, name="meter's complaints")
        self._aside.start()
        threading.Thread(target=self._listen, daemon=True, name="meter's lines").start()

    def _stop(self) -> None:
        _end(self._process)

    def _listen(self) -> None:
        """Hand over each line; those that come together have been waiting, and have the time of the last."""
        assert self._process.stdout
        rest = b""
        with self._process.stdout as pipe:
            while data := os.read(pipe.fileno(), 65536):
                now_ns = self._now()
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line.decode("utf-8", "replace").strip(), now_ns)
                if len(rest) > MAX_LINE_BYTES:
                    self.meter.end(f"`{self._source}` prints a line of more than {MAX_LINE_BYTES} bytes")
                    return
        code = self._process.wait()
        self._aside.join(END_S)
        self.meter.end(_ending(self._source, code, self._stderr))

    def _listen_aside(self) -> None:
        """Keep the end of what it complains of, and never let it wait for somebody to read it."""
        assert self._process.stderr
        with self._process.stderr as pipe:
            while data := os.read(pipe.fileno(), 65536):
                self._stderr = (self._stderr + data)[-STDERR_BYTES:]

    def _take(self, line: str, now_ns: int) -> None:
        if not line or line.startswith("#"):
            return
        try:
            t_ns, level_w = self._reading(line, now_ns)
        except Unreadable as error:
            self.meter.say(now_ns, math.nan, str(error))
            return
        self.meter.say(t_ns, level_w)

    def _reading(self, line: str, now_ns: int) -> tuple[int, float]:
        fields = line.replace(",", " ").replace(";", " ").split()
        wanted = "time watts" if self._stamped else "watts"
        if len(fields) != len(wanted.split()):
            raise Unreadable(
                f"`{self._source}` prints {printable(line[:60])!r}, where a line should be `{wanted}`"
            )
        level_w = watts(fields[-1], f"`{self._source}`")
        return (self._time(fields[0], now_ns) if self._stamped else now_ns), level_w

    def _time(self, text: str, now_ns: int) -> int:
        """Nanoseconds from seconds; raises Unreadable for a time that cannot be this machine's."""
        try:
            t_ns = int(Decimal(text) * 10**9)
        except (InvalidOperation, ValueError, OverflowError):
            raise Unreadable(f"`{self._source}` prints {printable(text[:60])!r} for a time") from None
        ahead_s = (t_ns - now_ns) / 1e9
        if not -BEHIND_MAX_S <= ahead_s <= AHEAD_MAX_S:
            name = "since 1970, UTC" if self._now is time.time_ns else "of the monotonic clock"
            off = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's clock"
            raise Unreadable(
                f"the times that `{self._source}` prints are {off}", f"seconds {name} are wanted"
            )
        return t_ns


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Raises Unreadable."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"`{command[0]}` cannot be run: {said}") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its children: asked first, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            if number == signal.SIGTERM:
                continue
            return


def _ending(source: str, code: int, stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"`{source}` {how}" + (f": {one_line(printable(lines[-1]), 200)}" if lines else "")
