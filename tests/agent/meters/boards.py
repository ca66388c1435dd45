"""Recorded boards, laid out as folders and commands. One text file a board in tests/fixtures/boards/.

# where it comes from
/proc/loadavg = 0.08 0.03 0.01          a file; \\0 and \\n as in Python, a newline is added
/sys/…/energy_uj [0400] = 1234          … that only its owner may read
/sys/class/hwmon/hwmon1 -> ../../x      a symbolic link
$ vcgencmd get_throttled                a command, with `(255)` behind it if it fails so;
                                        a last `*` stands for any arguments
| throttled=0x0                         what it prints
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegreen.agent.meters.tree import Output, Unreadable

FOLDER = Path(__file__).parents[2] / "fixtures" / "boards"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/board.txt"))
FILE = re.compile(r"(/\S+)(?: \[(\d+)\])? = (.*)")
LINK = re.compile(r"(/\S+) -> (\S+)")
COMMAND = re.compile(r"\$ (.+?)(?: \((\d+)\))?")


@dataclass(frozen=True)
class Board:
    """A recorded board: `root` stands for `/`, `commands` are what was recorded of them."""

    root: str
    commands: Mapping[tuple[str, ...], Output]

    def run(self, argv: Sequence[str]) -> Output:
        """A tree.Run that answers as the board did."""
        if not any(known[0] == argv[0] for known in self.commands):
            raise Unreadable(f"command `{argv[0]}`: No such file or directory")
        return self.commands[tuple(argv)]

    def path(self, path: str) -> Path:
        """A file of the board's."""
        return Path(self.root, path.lstrip("/"))

    def install(self, folder: Path) -> None:
        """The commands as programs in `folder`, for a PATH."""
        for program in {argv[0] for argv in self.commands}:
            cases = [
                f"{_pattern(argv[1:])}) printf %s {shlex.quote(output.text)}; exit {output.code};;"
                for argv, output in self.commands.items()
                if argv[0] == program
            ]
            (folder / program).write_text("#!/bin/sh\ncase $* in\n" + "\n".join(cases) + "\nesac\nexit 9\n")
            (folder / program).chmod(0o755)


def _pattern(arguments: Sequence[str]) -> str:
    """What `case` matches them with."""
    rest = arguments[-1:] == ("*",)
    return f"'{' '.join(arguments[:-1] if rest else arguments)}'" + "*" * rest


def lay_out(name: str, folder: Path) -> Board:
    """The board of that name, laid out in `folder`."""
    return lay_out_text((FOLDER / name / "board.txt").read_text(encoding="utf-8"), folder)


def lay_out_text(text: str, folder: Path) -> Board:
    """A board described as above, laid out in `folder`."""
    commands: dict[tuple[str, ...], Output] = {}
    for line in filter(None, text.splitlines()):
        if match := FILE.fullmatch(line):
            path, mode, value = match.groups()
            file = folder / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(value.encode().decode("unicode_escape").encode("latin-1") + b"\n")
            file.chmod(int(mode or "0644", 8))
        elif match := LINK.fullmatch(line):
            link = folder / match.group(1).lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(match.group(2))
        elif match := COMMAND.fullmatch(line):
            argv = tuple(match.group(1).split())
            commands[argv] = Output(int(match.group(2) or 0), "")
        elif line.startswith("| "):
            commands[argv] = commands[argv]._replace(text=commands[argv].text + line[2:] + "\n")
        elif not line.startswith("#"):
            raise ValueError(f"not understood: {line}")
    return Board(str(folder), commands)
