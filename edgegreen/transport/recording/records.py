"""The lines of a recording: what was asked of a board, and what it answered. Pure.

A recording may come from somebody else; every line is checked, and what is not exactly one of these types is
an InputError.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)

from edgegreen.errors import DeviceError, EdgegreenError, InputError, RefusedError, UnreachableError

CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)
# The special before the general.
ERRORS = {kind.__name__: kind for kind in (RefusedError, UnreachableError, InputError, DeviceError)}
During = Literal["run", "start", "write", "lines", "put", "get"]


def _shown(data: bytes) -> str | dict[str, str]:
    """Text where it is text, so that a recording can be read."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _taken(raw: Any) -> Any:
    if isinstance(raw, str):
        return raw.encode("utf-8")
    if isinstance(raw, dict) and list(raw) == ["base64"]:
        return base64.b64decode(raw["base64"], validate=True)
    return raw


Bytes = Annotated[bytes, BeforeValidator(_taken), PlainSerializer(_shown, when_used="json")]


@dataclass(frozen=True)
class Header:
    """The first line. `target` are the fields of the target that a replay needs; none says where it is."""

    __pydantic_config__ = CLOSED

    board: str
    recorded_at: AwareDatetime
    edgegreen: str
    wire: int
    target: dict[str, Any]
    format: Literal[1] = 1
    kind: Literal["recording"] = "recording"


@dataclass(frozen=True)
class Connected:
    """A connection began. There is more than one where a link dropped and was taken up again."""

    __pydantic_config__ = CLOSED

    kind: Literal["connected"] = "connected"


@dataclass(frozen=True)
class Ran:
    """A command that ended. Of what it was given on stdin only the digest is kept."""

    __pydantic_config__ = CLOSED

    command: str
    stdin_sha256: str
    exit_code: int
    stdout: Bytes
    stderr: Bytes
    signal: str | None
    kind: Literal["ran"] = "ran"


@dataclass(frozen=True)
class Started:
    """A program was started; further lines know it by its number."""

    __pydantic_config__ = CLOSED

    process: int
    argv: list[str]
    kind: Literal["started"] = "started"


@dataclass(frozen=True)
class Wrote:
    """Bytes sent to a program's stdin."""

    __pydantic_config__ = CLOSED

    process: int
    data: Bytes
    kind: Literal["wrote"] = "wrote"


@dataclass(frozen=True)
class Line:
    """A line of a program's stdout."""

    __pydantic_config__ = CLOSED

    process: int
    data: Bytes
    kind: Literal["line"] = "line"


@dataclass(frozen=True)
class Ended:
    """A program closed its stdout."""

    __pydantic_config__ = CLOSED

    process: int
    kind: Literal["ended"] = "ended"


@dataclass(frozen=True)
class Closed:
    """A program was closed: its exit code, and the end of its stderr."""

    __pydantic_config__ = CLOSED

    process: int
    exit_code: int | None
    stderr: str
    kind: Literal["closed"] = "closed"


@dataclass(frozen=True)
class Put:
    """Files were brought; their names tell their digests."""

    __pydantic_config__ = CLOSED

    remotes: list[str]
    sent_bytes: int
    kind: Literal["put"] = "put"


@dataclass(frozen=True)
class Got:
    """A file was fetched."""

    __pydantic_config__ = CLOSED

    remote: str
    data: Bytes
    kind: Literal["got"] = "got"


@dataclass(frozen=True)
class Broke:
    """A request failed. `subject` is the command, the program or the file; `process` the program's number."""

    __pydantic_config__ = CLOSED

    during: During
    subject: str
    process: int | None
    error: Literal["InputError", "UnreachableError", "RefusedError", "DeviceError"]
    message: str
    hint: str | None
    transient: bool
    kind: Literal["broke"] = "broke"

    @classmethod
    def of(
        cls, during: During, subject: str, error: EdgegreenError, message: str, process: int | None = None
    ) -> Self:
        """From the error that was raised, with its `message` as it may be kept."""
        name: Any = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), "DeviceError")
        return cls(during, subject, process, name, message, error.hint, error.transient)

    def raised(self) -> EdgegreenError:
        """The error, to be raised again."""
        return ERRORS[self.error](self.message, hint=self.hint, transient=self.transient)

    @property
    def of_the_link(self) -> bool:
        """Whether the board was no longer reached, so that the request may have been repeated."""
        return issubclass(ERRORS[self.error], UnreachableError)


Record = Header | Connected | Ran | Started | Wrote | Line | Ended | Closed | Put | Got | Broke
_RECORDS: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def encode(record: Record, t_s: float) -> bytes:
    """A line of the file; `t_s` is when it happened, from the recording's start."""
    fields: dict[str, Any] = _RECORDS.dump_python(record, mode="json")
    line = {"t_s": round(t_s, 4), "kind": fields.pop("kind")} | fields
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode("utf-8") + b"\n"


def decode(line: bytes) -> Record:
    """The record in a line. Raises InputError."""
    try:
        fields = json.loads(line)
        fields.pop("t_s")
        return _RECORDS.validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InputError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"not a line of a recording: {line[:60]!r}") from None
