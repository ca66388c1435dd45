"""The line that tells a program's output from what a login shell's start-up files print before it.

It also says which process to end, since closing an SSH channel ends none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgegreen.transport import shell

# A signal that ends "$@" becomes exit code 128 + n: paramiko does not pass on how a program was ended.
_SCRIPT = r"""printf '\n%s %s\n' "$0" "$$"; (exec "$@"); exit $?"""
_MARK = "edgegreen"
_LINE = re.compile(rb"(?:^|\n)edgegreen (\d+)\n")
_SKIPPED_BYTES_MAX = 65536


def wrapped(argv: Sequence[str]) -> str:
    """The command line that prints the greeting and runs `argv`."""
    return "exec " + shell.words(["sh", "-c", _SCRIPT, _MARK, *argv])


class Greeting:
    """Looks for the line in a program's output."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.skipped = b""
        """The end of what came before the line."""

    @property
    def came(self) -> bool:
        """Whether the program was started."""
        return self.pid is not None

    def after(self, data: bytes) -> bytes:
        """Of the output's next bytes, those that are the program's."""
        if self.came:
            return data
        self.skipped = (self.skipped + data)[-_SKIPPED_BYTES_MAX:]
        found = _LINE.search(self.skipped)
        if not found:
            return b""
        self.pid = int(found[1])
        return self.skipped[found.end() :]
