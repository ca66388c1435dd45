"""Starts the agent on a board and speaks its messages.

What goes wrong on the board becomes a DeviceError with one line to read and a hint what to do. A trial
that hung, or broke the conversation, costs itself only: the agent is started anew for the next one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self, TypeVar

from edgegreen.agent import wire
from edgegreen.agent.tuning import Order
from edgegreen.client import diagnosis, messages
from edgegreen.client.messages import Board, Clock, Event, Holding, Measured, Refusal, Tuned
from edgegreen.client.readings import Job, OnOutputs, OnProgress, RawResult, Readings
from edgegreen.client.wirefields import senseless
from edgegreen.errors import DeviceError
from edgegreen.statistics.clocks import Exchange
from edgegreen.transport import Process, Transport

Answer = TypeVar("Answer", Board, Clock, Holding, Tuned)
IDLE_TIMEOUT_S = 60.0
MAX_NOISE_LINES = 200


class Agent:
    """The agent on one board; a context manager. For one thread."""

    def __init__(self, transport: Transport, python: str, pyz: str, idle_timeout_s: float) -> None:
        self._transport, self._python, self._pyz = transport, python, pyz
        self._idle_timeout_s = idle_timeout_s
        self._process: Process | None = None
        self._events: Iterator[Event] = iter(())
        self._heard = False
        self._said_s = 0.0
        self._trials = 0
        self.alive = True
        """False once it was closed or could not be started: no use asking it anything more."""

    @classmethod
    def start(
        cls, transport: Transport, python: str, pyz: str, *, idle_timeout_s: float = IDLE_TIMEOUT_S
    ) -> Agent:
        """Run `pyz` with the board's `python`. Whether it really runs shows in its first answer.

        While alive, it is never silent for `idle_timeout_s`. Raises UnreachableError, DeviceError.
        """
        agent = cls(transport, python, pyz, idle_timeout_s)
        agent._start()
        return agent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the trial it runs. Idempotent."""
        self.alive = False
        self._drop()

    def probe(self) -> Board:
        """Facts about the board. Raises DeviceError, UnreachableError."""
        return self._ask(Board, "probe")

    def clock(self) -> Exchange:
        """The board's monotonic clock beside ours. Raises DeviceError, UnreachableError."""
        before_ns = time.monotonic_ns()
        there_ns = self._ask(Clock, "clock").t_ns
        return Exchange(before_ns, there_ns, time.monotonic_ns())

    def hold(self, owner: str) -> Holding:
        """Ask for the board in the name of `owner`, unless it is ours. Raises DeviceError, UnreachableError.

        It stays ours until the agent ends.
        """
        return self._ask(Holding, "hold", owner=owner)

    def tune(self, order: Order) -> list[str]:
        """Change the board's settings, or put them back; what was put back, in words.

        However the agent ends, they are put back. Raises DeviceError when that cannot be, UnreachableError.
        """
        answer = self._ask(Tuned, "tune", **order.wire())
        if answer.error is not None:
            raise DeviceError(answer.error, hint=answer.hint)
        return answer.restored

    def measure(
        self, job: Job, on_progress: OnProgress, on_outputs: OnOutputs = lambda _start, _outputs: None
    ) -> RawResult:
        """Run one trial.

        `on_outputs(start, outputs)` is given the real-valued outputs of consecutive samples as they
        come, one array of shape (n, …) for each output. Raises DeviceError when the trial fails, hangs
        or makes no sense; UnreachableError when the link breaks; what the callbacks raise.
        """
        self._trials += 1
        readings = Readings(f"t{self._trials}", job, on_progress, on_outputs)
        try:
            self._send({"verb": "measure", "id": readings.id, "job": job.wire()})
            while readings.last_word is None:
                readings.take(self._next())
                self._stay()
                if readings.silent_s() > job.timeout_s:
                    raise DeviceError(
                        f"{job.runtime}: the trial hung in stage `{readings.stage}`: "
                        f"no news for {job.timeout_s:g} s",
                        hint="a slow board or a large model may need a longer `benchmark: {timeout_s: …}`",
                    )
            if isinstance(readings.last_word, Measured):
                return readings.result()
        except BaseException:
            self._drop()  # what it still has to say belongs to a trial nobody waits for
            raise
        raise diagnosis.of_trial(readings.last_word, job.runtime)

    def _ask(self, kind: type[Answer], verb: str, **words: Any) -> Answer:
        """A question with one answer."""
        try:
            self._send({"verb": verb, **words})
            event = self._next()
            if not isinstance(event, kind):
                raise senseless(f"it answered `{verb}` with {type(event).__name__.lower()}")
        except BaseException:
            self._drop()
            raise
        return event

    def _start(self) -> None:
        try:
            self._process = self._transport.start([self._python, self._pyz])
        except DeviceError as error:
            self.alive = False
            raise DeviceError(error.message, hint=diagnosis.NO_PYTHON) from None
        self._events = self._listen(self._process)
        self._heard = False

    def _send(self, request: dict[str, Any]) -> None:
        if not self.alive:
            raise DeviceError("the agent on the board has ended")
        if self._process is None:
            self._start()
        self._write(wire.encode(request))

    def _stay(self) -> None:
        """Let the agent know, now and then, that somebody still listens."""
        if time.monotonic() - self._said_s > wire.STAY_S:
            self._write(wire.STAY)

    def _write(self, data: bytes) -> None:
        assert self._process
        try:
            self._process.write(data)
            self._said_s = time.monotonic()
        except DeviceError:  # it ended, and its end says more than the write does
            raise self._ended() from None

    def _next(self) -> Event:
        try:
            event = next(self._events)
        except StopIteration:
            raise self._ended() from None
        if isinstance(event, Refusal):
            raise senseless(f"it refused a request: {event.error}")
        return event

    def _listen(self, process: Process) -> Iterator[Event]:
        """Events of one run of the agent. Before the first, whatever a login script prints is skipped."""
        noise = 0
        for line in process.lines(self._idle_timeout_s, wire.MAX_EVENT_BYTES):
            if not self._heard and noise < MAX_NOISE_LINES and not line.startswith(wire.BEGINNING):
                noise += 1
                continue
            event = messages.parse(line)
            self._heard = True
            yield event

    def _ended(self) -> DeviceError:
        """The error for a process that ended by itself."""
        self.alive = self.alive and self._heard  # one that never spoke will not speak the next time
        stderr = self._process.stderr_tail() if self._process else ""
        return diagnosis.of_ending(self._drop(), stderr, self._python, had_spoken=self._heard)

    def _drop(self) -> int | None:
        """End the process, if there is one; its exit code."""
        process, self._process, self._events = self._process, None, iter(())
        return process.close() if process else None
