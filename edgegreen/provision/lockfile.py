"""What was chosen for one kind of board, so that the same board gets the same wheels tomorrow.

One JSON file for each runtime and kind of Python under `home()/provision/locks`. Written once a kit was
seen to compute on a board; from then on it is what that kind of board gets, whatever newer table says.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from edgegreen.errors import InputError
from edgegreen.formats import RuntimeName
from edgegreen.home import home
from edgegreen.interpreter import Interpreter

_CLOSED = {"extra": "forbid"}
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=200)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Locked:
    """One wheel: the distribution's name and version, the file's name, digest and size."""

    __pydantic_config__ = _CLOSED

    name: Word
    version: Word
    file: Word
    sha256: Digest
    size_bytes: Annotated[int, Field(gt=0)]


@dataclass(frozen=True)
class Lock:
    """The wheels of a runtime, its own first."""

    __pydantic_config__ = _CLOSED

    schema: Literal[1]
    runtime: RuntimeName
    interpreter: str
    locked_at: datetime
    wheels: Annotated[tuple[Locked, ...], Field(min_length=1)]

    @property
    def version(self) -> str:
        """The runtime's."""
        return self.wheels[0].version


_LOCK = TypeAdapter(Lock)


def path(runtime: RuntimeName, interpreter: Interpreter) -> Path:
    """Where the lock is, or would be."""
    return home() / "provision" / "locks" / f"{runtime}-{interpreter.key}.json"


def read(runtime: RuntimeName, interpreter: Interpreter) -> Lock | None:
    """The lock, None when nothing was locked yet. Raises InputError for a file that makes no sense."""
    file = path(runtime, interpreter)
    try:
        return _LOCK.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{file}: no lock of edgegreen's ({where or 'JSON'}: {first['msg']})",
            hint="delete it, and the runtime is chosen anew",
        ) from None


def write(runtime: RuntimeName, interpreter: Interpreter, wheels: tuple[Locked, ...]) -> None:
    """Lock these wheels. Raises InputError when it cannot be written."""
    lock = Lock(1, runtime, interpreter.key, datetime.now(UTC).replace(microsecond=0), wheels)
    file = path(runtime, interpreter)
    part = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(_LOCK.dump_json(lock, indent=1) + b"\n")
        part.replace(file)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror}") from None
