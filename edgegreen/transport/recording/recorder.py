"""A Transport around a Transport that writes down what is asked of a board, and what it answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from edgegreen.agent import wire
from edgegreen.errors import EdgegreenError, InputError
from edgegreen.target import ADDRESS, Target
from edgegreen.transport import Completed, Process, Transport, Upload
from edgegreen.transport.recording import likeness, tape
from edgegreen.transport.recording.likeness import Private
from edgegreen.transport.recording.records import (
    Broke,
    Closed,
    Connected,
    During,
    Ended,
    Got,
    Header,
    Line,
    Put,
    Ran,
    Record,
    Started,
    Wrote,
)
from edgegreen.transport.recording.tape import Tape

# Of a target's fields, those that a replay needs; none says where the board is, or how to get in.
_FIELDS = {"family", "runtimes", "sysfs_root", "power"}
# Where a meter is that the host reads, which is nobody's business: something of the right kind stands there.
_PLACES: dict[str, Any] = {"address": "recorded", "url": "http://recorded/", "command": ["recorded"]}
_SERIALS = ("device", "port")


class Recorder:
    """One target's recording over a whole run, however many connections that takes; a context manager.

    It writes `<folder>/<target's name>/<title>.jsonl.gz`; with no folder it records nothing.
    """

    def __init__(self, folder: Path | None, target: Target, title: str) -> None:
        self._folder, self._target, self._title = folder, target, _file_name(title)
        self._tape: Tape | None = None
        self._name = board_name(target)
        self._private = Private(self._name, target.host)
        self._connected = False
        self._processes = 0

    def __enter__(self) -> Self:
        """Begin. Raises InputError when the file cannot be written."""
        if self._folder is not None:
            self._tape = Tape(self._folder / self._name / f"{self._title}{tape.SUFFIX}")
            self.add(_header(self._name, self._target))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End. Raises InputError when the recording is not whole, though all else went well."""
        if self._tape is None:
            return
        if not self._connected:
            self._tape.discard()
            return
        self._tape.close(whole=kind is None)
        if kind is None and self._tape.problem:
            raise InputError(
                f"the recording {self._tape.part} is not whole: {self._tape.problem}",
                hint="the results are kept; what was recorded can be replayed as far as it goes",
            )

    def around(self, link: Transport) -> Transport:
        """`link`, recorded from now on."""
        if self._tape is None:
            return link
        self._connected = True
        self.add(Connected())
        return RecordingTransport(link, self)

    def add(self, record: Record) -> None:
        """Write a record."""
        if self._tape is not None:
            self._tape.add(record)

    def broke(self, during: During, subject: str, error: EdgegreenError, process: int | None = None) -> None:
        """Write that a request failed."""
        message = self._private.text(error.message)
        self.add(Broke.of(during, likeness.request(subject), error, message, process))

    def output(self, data: bytes) -> bytes:
        """A command's output as it may be kept."""
        return self._private.output(data)

    def line(self, data: bytes) -> bytes:
        """A program's line as it may be kept."""
        return self._private.line(data)

    def next_process(self) -> int:
        """A number for a program that was started."""
        self._processes += 1
        return self._processes


class RecordingTransport:
    """`Transport` that does what another does, and has it written down."""

    def __init__(self, inner: Transport, recorder: Recorder) -> None:
        self._inner, self._recorder = inner, recorder

    @property
    def name(self) -> str:
        """What messages call the machine."""
        return self._inner.name

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Run a command."""
        try:
            done = self._inner.run(command, stdin=stdin, timeout_s=timeout_s)
        except EdgegreenError as error:
            self._recorder.broke("run", command, error)
            raise
        self._recorder.add(
            Ran(
                likeness.request(command),
                likeness.digest(stdin),
                done.exit_code,
                self._recorder.output(done.stdout),
                self._recorder.output(done.stderr),
                done.signal,
            )
        )
        return done

    def start(self, argv: Sequence[str]) -> Process:
        """Start a program."""
        try:
            process = self._inner.start(argv)
        except EdgegreenError as error:
            self._recorder.broke("start", "\n".join(argv), error)
            raise
        number = self._recorder.next_process()
        self._recorder.add(Started(number, [likeness.request(word) for word in argv]))
        return RecordingProcess(process, number, self._recorder)

    def put(self, uploads: Sequence[Upload], progress: Callable[[int], None] = lambda _: None) -> int:
        """Bring files. Their contents are not recorded: their names tell their digests."""
        remotes = [likeness.request(upload.remote) for upload in uploads]
        try:
            sent_bytes = self._inner.put(uploads, progress)
        except EdgegreenError as error:
            self._recorder.broke("put", "\n".join(remotes), error)
            raise
        self._recorder.add(Put(remotes, sent_bytes))
        return sent_bytes

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Fetch a file."""
        try:
            self._inner.get(remote, local, max_bytes)
        except EdgegreenError as error:
            self._recorder.broke("get", remote, error)
            raise
        self._recorder.add(Got(likeness.request(remote), self._recorder.output(local.read_bytes())))

    def close(self) -> None:
        """Hang up."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RecordingProcess:
    """`Process` that does what another does, and has it written down."""

    def __init__(self, inner: Process, number: int, recorder: Recorder) -> None:
        self._inner, self._number, self._recorder = inner, number, recorder
        self._closed = False

    def write(self, data: bytes) -> None:
        """Send to its stdin."""
        if data == wire.STAY:  # no request, and said at other times in every run
            self._inner.write(data)
            return
        self._recorder.add(Wrote(self._number, likeness.kept(data)))
        try:
            self._inner.write(data)
        except EdgegreenError as error:
            self._recorder.broke("write", "", error, self._number)
            raise

    def close_stdin(self) -> None:
        """Tell it that no more input comes."""
        self._inner.close_stdin()

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """Lines of its stdout until it closes."""
        try:
            for line in self._inner.lines(idle_timeout_s, max_bytes):
                self._recorder.add(Line(self._number, self._recorder.line(line)))
                yield line
        except EdgegreenError as error:
            self._recorder.broke("lines", "", error, self._number)
            raise
        self._recorder.add(Ended(self._number))

    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr."""
        return self._inner.stderr_tail()

    def close(self) -> int | None:
        """Close its stdin, wait briefly, then end it."""
        if self._closed:
            return self._inner.close()
        self._closed = True
        stderr = wire.printable(self._recorder.output(self._inner.stderr_tail().encode()).decode())
        code = self._inner.close()
        self._recorder.add(Closed(self._number, code, stderr))
        return code


def board_name(target: Target) -> str:
    """What a recording and its folder call the board: its target's name, or an address's digest."""
    if ADDRESS.fullmatch(target.name):
        return f"board-{hashlib.sha256(target.name.encode()).hexdigest()[:6]}"
    return _file_name(target.name)


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.") or "board"


def _header(board: str, target: Target) -> Header:
    fields = target.model_dump(mode="json", include=_FIELDS, exclude_none=True)
    if power := fields.get("power"):
        fields["power"] = {
            key: _PLACES.get(key, value) for key, value in power.items() if key not in _SERIALS
        }
    places = {"python": target.interpreter, "root": target.folder, "sysfs_root": target.sysfs_root}
    fields |= {name: likeness.without_home(place) for name, place in places.items()}
    return Header(
        board=board,
        recorded_at=datetime.now(UTC),
        edgegreen=version("edgegreen"),
        wire=wire.VERSION,
        target=fields,
    )
