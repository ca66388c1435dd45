"""A recording put in order: each request with its answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from edgegreen.errors import InputError
from edgegreen.transport.recording import likeness
from edgegreen.transport.recording.records import (
    Broke,
    Closed,
    Connected,
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

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """An answer and the `key` of what it answers. `cut`: the link broke before it was whole."""

    key: str
    answer: T
    cut: bool = False


@dataclass
class Exchange:
    """What was written to a program, and all it said until the next was written.

    `request` is empty for what it said before. `unsent` is why the writing failed, `ending` how the program
    ended, if it was the last.
    """

    request: bytes
    answer: list[Line | Ended | Broke] = field(default_factory=list)
    unsent: Broke | None = None
    ending: Closed | None = None

    @property
    def cut(self) -> bool:
        """Whether the link broke before the answer was whole."""
        last = self.unsent or (self.answer[-1] if self.answer else None)
        return isinstance(last, Broke) and last.of_the_link


@dataclass
class Transcript:
    """All that was asked in recordings of one board."""

    runs: list[Entry[Ran | Broke]] = field(default_factory=list)
    starts: list[Entry[Exchange | Broke]] = field(default_factory=list)
    files: dict[str, bytes | Broke] = field(default_factory=dict)
    exchanges: list[Entry[Exchange]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def run_key(command: str, stdin_digest: str) -> str:
        """What a command is looked up by."""
        return f"{stdin_digest}\n{command}"

    @staticmethod
    def run_shape(key: str) -> str:
        """What alike commands have in common."""
        digest, _, command = key.partition("\n")
        return Transcript.run_key(likeness.shape(command), digest)

    @classmethod
    def of(cls, recordings: Iterable[Iterable[Record]]) -> Self:
        """From recordings' records. Raises InputError when they cannot follow from one another."""
        found = cls()
        for records in recordings:
            found._add(records)
        return found

    def _add(self, records: Iterable[Record]) -> None:
        talks = dict[int, list[Exchange]]()
        for record in records:
            match record:
                case Ran():
                    self.runs.append(Entry(self.run_key(record.command, record.stdin_sha256), record))
                case Got():
                    self.files[record.remote] = record.data
                case Started():
                    talks[record.process] = [Exchange(b"")]
                    self.starts.append(Entry("\n".join(record.argv), talks[record.process][0]))
                case Broke(process=None):
                    self._failed(record)
                case Wrote() | Line() | Ended() | Closed() | Broke():
                    _said(record, talks.get(record.process or 0))
                case Header() | Connected() | Put():
                    pass
        for exchange in (exchange for talk in talks.values() for exchange in talk[1:]):
            self.exchanges.append(Entry(likeness.written(exchange.request), exchange, exchange.cut))
            if (job := likeness.job_of(exchange.request)) is not None:
                self.jobs.append(job)

    def _failed(self, record: Broke) -> None:
        match record.during:
            case "run":
                digest = likeness.digest(b"")
                self.runs.append(Entry(self.run_key(record.subject, digest), record, record.of_the_link))
            case "start":
                self.starts.append(Entry(record.subject, record, record.of_the_link))
            case "get":
                self.files.setdefault(record.subject, record)


def _said(record: Wrote | Line | Ended | Closed | Broke, talk: list[Exchange] | None) -> None:
    if talk is None:
        raise InputError(f"the recording tells of program {record.process}, and never that it was started")
    match record:
        case Wrote():
            talk.append(Exchange(record.data))
        case Closed():
            for exchange in talk:
                exchange.ending = record
        case Broke(during="write"):
            talk[-1].unsent = record
        case _:
            talk[-1].answer.append(record)
