"""Every error edgegreen raises on purpose, and the exit code each one means.

    EdgegreenError
    ├── InputError          2   a recipe, target, model, data or argument is wrong
    ├── ConversionError     3   a variant could not be built, or computes something else
    ├── UnreachableError    4   a target (or a cluster that builds) is off, or the link to it broke
    │   └── RefusedError    4   a target refused us: host key or authentication
    ├── DeviceError         5   something failed on the board
    └── Interrupted       130   Ctrl-C or SIGTERM

Errors of paramiko, tensorflow, openvino … are turned into one of these at the seam that called them.
"""

from __future__ import annotations


class EdgegreenError(Exception):
    """An error with a message for the person at the terminal.

    `message` says what was wrong and where; `hint` what to do next; `transient` whether trying again
    may help. The process exits with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient

    @property
    def line(self) -> str:
        """The message's first line and the hint, for tables and JSON."""
        first = self.message.split("\n", 1)[0]
        return f"{first} → {self.hint}" if self.hint else first

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments do not survive Exception's own pickling, and errors come back from workers.
        return (_rebuild, (type(self), self.message, self.hint, self.transient))


def _rebuild(kind: type[EdgegreenError], message: str, hint: str | None, transient: bool) -> EdgegreenError:
    return kind(message, hint=hint, transient=transient)


class InputError(EdgegreenError):
    """A recipe, target, model, data file or argument is wrong; the message names it."""

    exit_code = 2


class ConversionError(EdgegreenError):
    """A variant could not be built, or the built file computes something else."""

    exit_code = 3


class UnreachableError(EdgegreenError):
    """A target cannot be reached, or the link to it broke."""

    exit_code = 4


class RefusedError(UnreachableError):
    """A target answered and refused us: its host key is not the known one, or it denies our keys."""


class DeviceError(EdgegreenError):
    """Something failed on the board: no Python, no runtime, a full disk, a dead agent."""

    exit_code = 5


class Interrupted(EdgegreenError):
    """The user stopped the run; what was measured is kept."""

    exit_code = 130
