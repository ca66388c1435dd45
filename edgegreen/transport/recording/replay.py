"""A Transport that answers from a recording. No board is asked anything, and nothing is sent.

Requests are found by what they are (see `likeness`), equal ones in the order they were recorded. Where a
request was repeated because the link dropped, the answer that came in the end is given at once. Nothing is
waited for. What was never asked of the board has no answer: an InputError that says what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

from edgegreen.agent import wire
from edgegreen.errors import InputError
from edgegreen.target import Recording, Target
from edgegreen.transport import Completed, Process, Upload
from edgegreen.transport.recording import likeness, tape
from edgegreen.transport.recording.records import Broke, Ended, Header, Line
from edgegreen.transport.recording.transcript import Entry, Exchange, Transcript

PREFIX = "replay:"
T = TypeVar("T")
_AGAIN = "record again with `edgegreen deploy … --record FOLDER`, or replay the recipe that was recorded"


def boards_in(place: Path) -> list[Path]:
    """The recorded boards: `place` when it is a recording or holds some, else each folder in it that does.

    Raises InputError when there is none.
    """
    if place.is_file() or _files(place):
        return [place]
    found = sorted(folder for folder in place.glob("*") if _files(folder))
    if not found:
        what = f"no recording (*{tape.SUFFIX}) in" if place.is_dir() else "no such recording:"
        raise InputError(f"{what} {place}", hint="`edgegreen deploy … --record FOLDER` makes one")
    return found


def replayed(spec: str) -> Target:
    """The target that `replay:PATH` names: all that PATH, a file or a folder, holds of one board.

    Raises InputError.
    """
    boards = boards_in(Path(spec.removeprefix(PREFIX)))
    if len(boards) > 1:
        names = " or ".join(f"{PREFIX}{board}" for board in boards)
        raise InputError(f"{spec}: there are {len(boards)} boards", hint=f"name one: {names}")
    files = _files(boards[0]) or [boards[0]]
    headers = [_header(file) for file in files]
    first = min(headers, key=lambda header: header.recorded_at)
    for file, header in zip(files, headers, strict=True):
        if header.target != first.target:
            raise InputError(
                f"{file} was recorded of a target that reads otherwise than in {files[headers.index(first)]}",
                hint="remove one of them",
            )
    target = _target(files[0], first)
    return target.played_from(Recording(tuple(files), first.board, first.recorded_at, first.edgegreen))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{tape.SUFFIX}")) if folder.is_dir() else []


def _header(file: Path) -> Header:
    header = next(tape.read(file))
    assert isinstance(header, Header)
    if header.wire != wire.VERSION:
        raise InputError(
            f"{file}: its agent spoke version {header.wire}, and this edgegreen's speaks {wire.VERSION}",
            hint=_AGAIN,
        )
    return header


def _target(file: Path, header: Header) -> Target:
    try:
        return Target.model_validate(header.target)
    except ValueError:
        raise InputError(
            f"{file}: this edgegreen does not understand the target in it", hint=_AGAIN
        ) from None


@dataclass
class _Answer(Generic[T]):
    entry: Entry[T]
    used: bool = False


class _Answers(Generic[T]):
    """What was answered to requests of one kind."""

    def __init__(self, entries: Sequence[Entry[T]]) -> None:
        self._answers = [_Answer(entry) for entry in entries]

    def to(self, key: str, alike: Callable[[str], str] | None = None) -> T | None:
        """The answer to the request `key`, or to one that is `alike`; None when there is none.

        Of several the first not yet given; once all were, the last again. One that did not come whole, for
        the link's sake, is given only where none did.
        """
        for like in (lambda text: text, alike):
            if like is None:
                break
            fits = [answer for answer in self._answers if like(answer.entry.key) == like(key)]
            fits = [answer for answer in fits if not answer.entry.cut] or fits
            fresh = [answer for answer in fits if not answer.used]
            if fits:
                chosen = (fresh or fits[-1:])[0]
                chosen.used = True
                return chosen.entry.answer
        return None


class ReplayTransport:
    """`Transport` to what was recorded of a board."""

    def __init__(self, name: str, transcript: Transcript) -> None:
        self._name = name
        self._transcript = transcript
        self._runs = _Answers(transcript.runs)
        self._starts = _Answers(transcript.starts)
        self._exchanges = _Answers(transcript.exchanges)

    @classmethod
    def open(cls, target: Target) -> Self:
        """Read the recording of `target`. Raises InputError."""
        assert target.recording is not None
        return cls(target.name, Transcript.of(map(tape.read, target.recording.files)))

    @property
    def name(self) -> str:
        """What messages call the board."""
        return self._name

    def run(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """Give what the command printed when it was recorded."""
        asked = likeness.request(command)
        found = self._runs.to(Transcript.run_key(asked, likeness.digest(stdin)), Transcript.run_shape)
        if found is None:
            raise InputError(
                f"{self._name}: the recording has no command like `{' '.join(command.split())[:80]}`",
                hint=_AGAIN,
            )
        if isinstance(found, Broke):
            raise found.raised()
        return Completed(found.exit_code, found.stdout, found.stderr, found.signal)

    def start(self, argv: Sequence[str]) -> Process:
        """Begin to speak as the program did."""
        asked = "\n".join(likeness.request(word) for word in argv)
        found = self._starts.to(asked, likeness.shape)
        if found is None:
            raise InputError(
                f"{self._name}: no program like `{' '.join(argv)[:80]}` was started when it was recorded",
                hint=_AGAIN,
            )
        if isinstance(found, Broke):
            raise found.raised()
        return ReplayProcess(self._name, found, self._exchange)

    def put(self, uploads: Sequence[Upload], progress: Callable[[int], None] = lambda _: None) -> int:
        """Send nothing. A file the board never had shows when a job names it."""
        return 0

    def get(self, remote: str, local: Path, max_bytes: int) -> None:
        """Give the file as it was fetched."""
        found = self._transcript.files.get(likeness.request(remote))
        if found is None:
            raise InputError(f"{self._name}: {remote} was not fetched when it was recorded", hint=_AGAIN)
        if isinstance(found, Broke):
            raise found.raised()
        local.write_bytes(found)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _exchange(self, data: bytes) -> Exchange:
        found = self._exchanges.to(likeness.written(data))
        if found is None:
            raise self._never_asked(data)
        return found

    def _never_asked(self, data: bytes) -> InputError:
        job = likeness.job_of(likeness.kept(data))
        if job is None:
            return InputError(f"{self._name}: the recording has no answer to {data[:80]!r}", hint=_AGAIN)
        recorded = [likeness.differences(job, other) for other in self._transcript.jobs]
        if not recorded:
            return InputError(f"{self._name}: no trial was recorded", hint=_AGAIN)
        fewest = min(len(words) for words in recorded)
        nearest = "; ".join(next(words for words in recorded if len(words) == fewest))
        return InputError(
            f"{self._name}: this trial was not recorded. From the nearest that was, it differs: {nearest}",
            hint=_AGAIN,
        )


class ReplayProcess:
    """`Process` that says what one said when it was recorded."""

    def __init__(self, name: str, opening: Exchange, find: Callable[[bytes], Exchange]) -> None:
        self._name, self._find = name, find
        self._now = opening
        self._rest: Iterator[Line | Ended | Broke] = iter(opening.answer)
        self._asked_id: str | None = None

    def write(self, data: bytes) -> None:
        """Look up what was answered to this."""
        if data == wire.STAY:
            return
        self._now = self._find(data)
        self._asked_id = likeness.id_of(data)
        self._rest = iter(self._now.answer)
        if self._now.unsent:
            raise self._now.unsent.raised()

    def close_stdin(self) -> None:
        """Nobody reads."""

    def lines(self, idle_timeout_s: float, max_bytes: int) -> Iterator[bytes]:
        """The recorded lines, at once, the trial numbered as it was asked for now."""
        recorded_id = None
        while (said := next(self._rest, None)) is not None:
            match said:
                case Line():
                    recorded_id = likeness.id_of(self._now.request) if self._now.request else None
                    yield likeness.renumbered(said.data, recorded_id, self._asked_id)
                case Broke():
                    raise said.raised()
                case Ended():
                    return
        raise InputError(
            f"{self._name}: the recording ends before the answer does",
            hint="the run that it was made of broke off there",
        )

    def stderr_tail(self) -> str:
        """What the program had said."""
        return self._now.ending.stderr if self._now.ending else ""

    def close(self) -> int | None:
        """What the program ended with."""
        return self._now.ending.exit_code if self._now.ending else None
