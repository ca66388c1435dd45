"""The agent as the host sees it: answers requests on stdin until it closes, one trial process at a time.

It runs no model itself, so nothing a runtime does can take it along. Around a trial it has a sampler, in
a process of its own as well, read the meter and watch the board. While a trial is silent it repeats the
last progress as a heartbeat. When the host goes (stdin closes; or, while we hold the board, nothing is heard
of it for a minute, as when a link dies in silence), both are killed; the guard of the board's settings, if
there is one, sees us go and puts them back.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, BinaryIO, Callable, Sequence

from . import children, conditions, guard, kits, system, tuning, wire
from .children import READ_BYTES, GuardProcess, Lines, SamplerProcess
from .lock import BoardLock

MEASURED = b'{"v":1,"event":"measured"'
BULK = (b'{"v":1,"event":"outputs"', b'{"v":1,"event":"latencies"')  # large, and of no concern here
LAST_WORDS = ("measured", "failed")
SAMPLER_S = (
    30.0  # for a sampler to begin, and to end: it asks a board's tools, each of which may hang for 5 s
)
COOLING_S = 1.0  # between two looks at a board that cools
TUNE_S = 50.0  # nvpmodel alone may take 20 s; the host waits 60 s for any word
PIECE_BYTES = 4096  # a pipe that can be written to takes as much without blocking
OUT_OF_MEMORY = ("bad_alloc", "Cannot allocate memory", "MemoryError")


class HostGone(Exception):
    """Nobody listens any more."""


class Supervisor:
    """Answers the host. `command` starts a process of the agent, by its further arguments.

    Runtimes that the host brought along are in `kits_folder`.
    """

    def __init__(self, command: Sequence[str], out: BinaryIO, kits_folder: str = "") -> None:
        self.command, self.out, self.kits_folder = list(command), out, kits_folder
        self.requests = Lines(0)
        self.waiting: list[bytes] = []
        self.lock = BoardLock()
        self.guard: GuardProcess | None = None

    def serve(self) -> None:
        """Answer until the host is gone."""
        try:
            self.write(b"\n")  # ends whatever a login script left on the line
            while True:
                while self.waiting:
                    self.answer(self.waiting.pop(0))
                self.hear()
        except HostGone as gone:
            if str(gone):
                sys.stderr.write("{}\n".format(gone))
                sys.stderr.flush()

    def hear(self) -> None:
        """Wait for something on stdin. Raises HostGone when it closes."""
        self.waiting += self.requests.pull()
        if self.requests.closed or self.requests.pending() > wire.MAX_REQUEST_BYTES:
            raise HostGone
        self.heard()

    def heard(self) -> None:
        """Count the host's silence from now on, if we hold the board."""
        if self.lock.held:
            signal.setitimer(signal.ITIMER_REAL, wire.HOST_SILENCE_S)

    def answer(self, line: bytes) -> None:
        """Do what one request asks for."""
        try:
            request = wire.decode(line)
            verb = request.get("verb")
            if verb == "probe":
                self.say("probed", **system.facts(kits_folder=self.kits_folder))
            elif verb == "hold" and isinstance(request.get("owner"), str):
                self.say("holding", **self.lock.take(request["owner"]))
                self.heard()
            elif verb == "stay":
                pass  # to have been heard is enough
            elif verb == "clock":
                self.say("clock", t_ns=time.monotonic_ns())  # what a trial stamps its windows with
            elif verb == "measure" and isinstance(request.get("id"), str):
                TrialProcess(self, request["id"], wire.Job.parse(request.get("job"))).run(line)
            elif verb == "tune":
                self.tune(line, tuning.Order.parse(request))
            else:
                raise wire.NotUnderstood("no such request: {}".format(wire.one_line(repr(verb))))
        except wire.NotUnderstood as error:
            self.say("error", error=str(error))

    def tune(self, line: bytes, order: tuning.Order) -> None:
        """Have the guard do it, which outlives us; there is none unless it is needed. Raises HostGone."""
        if self.guard is None:
            if order.restores and not guard.pending(order.folder):
                self.say("tuned", restored=[], error=None, hint=None)
                return
            self.guard = GuardProcess([*self.command, "guard"])
        answer = self.guard.ask(line, self.wait, TUNE_S)
        if self.guard.over:
            self.guard = None
        self.write(wire.encode(answer))

    def wait(self, pipes: set[int], timeout_s: float) -> set[int]:
        """Those of `pipes` that can be read. Raises HostGone."""
        ready, _, _ = select.select([self.requests.fd, *pipes], [], [], max(0.0, timeout_s))
        if self.requests.fd in ready:
            self.hear()
        return pipes & set(ready)

    def say(self, event: str, **fields: Any) -> None:
        """Send one event. Raises HostGone."""
        self.write(wire.encode(dict(event=event, **fields)))

    def write(self, data: bytes) -> None:
        """Send bytes, and hear the host meanwhile: a link may be slow, or gone. Raises HostGone."""
        view = memoryview(data)
        while view:
            heard, free, _ = select.select([self.requests.fd], [self.out], [])
            if heard:
                self.hear()
            if free:
                try:
                    view = view[os.write(self.out.fileno(), view[:PIECE_BYTES]) :]
                except OSError:
                    raise HostGone from None


class TrialProcess:
    """A trial's process and its sampler's, from their start to the last word or death."""

    def __init__(self, supervisor: Supervisor, id_: str, job: wire.Job) -> None:
        self.supervisor, self.id, self.job, self.meter = supervisor, id_, job, job.meter
        self.sampler: SamplerProcess | None = None
        self.progress: dict[str, Any] = {"stage": "load", "done": 0.0}
        self.last_word = b""
        self.stderr = b""
        self.next_beat = time.monotonic() + wire.HEARTBEAT_S

    def run(self, request: bytes) -> None:
        """Run it to its end, whatever that is. Raises HostGone, all processes killed.

        The sampler begins before the trial does and ends after it; the last word comes after all of it.
        """
        self.cool()
        kills_before = system.oom_kills()
        try:
            if self.meter is not None:
                self.sampler = SamplerProcess([*self.supervisor.command, "sampler"], self.meter)
                self.follow_sampler(lambda sampler: sampler.ready)
            process = children.start([*self.supervisor.command, "trial", str(os.getpid())])
            system.offer_to_oom_killer(process.pid)  # from its first moment: importing takes memory, too
            try:
                self.relay(process, request)
            finally:
                children.kill(process)
            if self.sampler and self.last_word.startswith(MEASURED):
                self.sampler.finish()
                self.follow_sampler(lambda sampler: sampler.over)
        finally:
            if self.sampler:
                self.sampler.kill()
        if self.last_word:
            self.supervisor.write(self.last_word)
        else:
            self.supervisor.say("failed", id=self.id, **self.obituary(process.returncode, kills_before))

    def cool(self) -> None:
        """Wait until the board is as cool as the job wants it, if it is to be known. Raises HostGone."""
        limit_c, start = self.job.cool_to_c, time.monotonic()
        root = (self.meter or {}).get("root", "/")
        while limit_c is not None:
            hottest_c, waited_s = conditions.hottest_c(root), time.monotonic() - start
            if hottest_c is None or hottest_c <= limit_c or waited_s >= self.job.cool_timeout_s:
                return
            self.progress = {"stage": "cooling", "done": round(waited_s / self.job.cool_timeout_s, 4)}
            self.beat()
            self.supervisor.wait(set(), COOLING_S)

    def follow_sampler(self, until: Callable[[SamplerProcess], bool]) -> None:
        """Pass on what the sampler says until it has come so far, or for SAMPLER_S. Raises HostGone."""
        assert self.sampler
        deadline = time.monotonic() + SAMPLER_S
        while not until(self.sampler) and not self.sampler.over:
            now = time.monotonic()
            if now > deadline:
                self.pass_on_sampled([self.sampler.give_up("no answer for {:g} s".format(SAMPLER_S))])
                return
            ready = self.supervisor.wait(self.sampler.pipes, min(self.next_beat, deadline) - now)
            self.pass_on_sampled(self.sampler.hear(ready))
            self.beat()

    def pass_on_sampled(self, events: Sequence[dict[str, Any]]) -> None:
        """Send what the sampler said to the host, as news of this trial. Raises HostGone."""
        for event in events:
            self.supervisor.write(wire.encode(dict(event, id=self.id)))

    def relay(self, process: subprocess.Popen[bytes], request: bytes) -> None:
        """Pass on what the trial says until its last word, or its end. Raises HostGone."""
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
        while not self.last_word:
            ended = process.poll() is not None
            beside = self.sampler.pipes if self.sampler else set()
            ready = self.supervisor.wait(pipes | beside, 0.0 if ended else self.next_beat - time.monotonic())
            if self.sampler:
                self.pass_on_sampled(self.sampler.hear(ready & beside))
            if ended and not ready & pipes:
                return  # all it said is read; a helper it started may still hold the pipes open
            if noise in ready:
                pipes -= self.listen(noise)
            if words.fd in ready:
                for line in words.pull():
                    self.pass_on(line)
                if words.closed:
                    pipes.discard(words.fd)
                    children.wait(process, 1.0)
            self.beat()

    def listen(self, noise: int) -> set[int]:
        """Keep the tail of its stderr; the pipe itself once it is closed."""
        data = os.read(noise, READ_BYTES)
        self.stderr = (self.stderr + data)[-wire.MAX_DETAIL :]
        return set() if data else {noise}

    def pass_on(self, line: bytes) -> None:
        """Send one of its events to the host, but for the last word: that is kept. Raises HostGone."""
        if not line.startswith(BULK):
            event = wire.decode(line)
            if event["event"] == "progress":
                self.progress = {"stage": event["stage"], "done": event["done"]}
            if event["event"] in LAST_WORDS:
                self.last_word = line
                return
        self.supervisor.write(line)
        self.next_beat = time.monotonic() + wire.HEARTBEAT_S

    def beat(self) -> None:
        """A heartbeat, when it is time for one. Raises HostGone."""
        if time.monotonic() >= self.next_beat:
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


def _go(*_: object) -> None:
    raise HostGone


def _forsaken(*_: object) -> None:
    raise HostGone("nothing was heard of the host for {:g} s".format(wire.HOST_SILENCE_S))


def main(program: str) -> None:
    """Serve stdin until it closes; `program` is the file Python is to run for a trial."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _go)
    signal.signal(signal.SIGALRM, _forsaken)  # ends even a write that nobody takes
    out = wire.take_stdout()
    Supervisor([sys.executable, program], out, kits.folder_beside(program)).serve()
    # Not through the interpreter's end: it would try a last flush to a host that is gone, and complain.
    os._exit(0)
