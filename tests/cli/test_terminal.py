"""On a terminal: live lines that go away, colour, narrow windows, and the real Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from cli.harness import Shell

COLOUR = re.compile(r"\x1b\[[\d;]*3[0-7][\d;]*m|\x1b\[[\d;]*38;")
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Terminal:
    """What a user sees who runs a command in a window of `columns`."""

    def __init__(self, shell: Shell, *arguments: object, columns: int = 120, **env: str) -> None:
        self._screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.raw = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgegreen", *map(str, arguments)],
            cwd=shell.folder, env=shell.env | env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  (no threads here)
        )  # fmt: skip
        os.close(theirs)

    def until(self, words: str = "\0", limit_s: float = 30) -> str:
        """Read until `words` are there, or to the end."""
        deadline_s = time.monotonic() + limit_s
        while words not in self.raw:
            assert time.monotonic() < deadline_s, self.raw
            if select.select([self._screen], [], [], 0.1)[0]:
                data = b""
                with contextlib.suppress(OSError):  # Linux says EIO at the end
                    data = os.read(self._screen, 65536)
                if not data:
                    break
                self.raw += data.decode()
        return self.raw

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._screen, keys.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        self.until()
        os.close(self._screen)
        return self.process.wait(10)

    @property
    def left(self) -> str:
        """What stays on the screen: all after the last live line was wiped."""
        return ESCAPE.sub("", self.raw.rpartition("\x1b[2K")[2]).replace("\r", "")


def test_live_lines_go_and_the_table_stays(shell: Shell) -> None:
    window = Terminal(shell, "deploy", shell.recipe(benchmark="{duration_s: 1, warmup_s: 0.02}"))
    assert window.end() == 0
    assert re.search(r"2/2 int8.*: latency", ESCAPE.sub("", window.raw))
    assert COLOUR.search(window.raw)
    assert "\x1b[?25h" in window.raw  # the cursor is back
    lines = window.left.splitlines()
    assert lines[0].startswith("local  ")
    assert [line.split()[0] for line in lines[1:4]] == ["Variant", "fp32", "int8"]


def test_no_color_means_none(shell: Shell) -> None:
    window = Terminal(shell, "deploy", shell.recipe(), NO_COLOR="1")
    assert window.end() == 0
    assert not COLOUR.search(window.raw)
    window = Terminal(shell, "deploy", "none.yaml", NO_COLOR="1")
    assert window.end() == 2
    assert window.raw == "error: none.yaml: no such file\r\n"


def test_narrow_windows_drop_columns_and_say_so(shell: Shell) -> None:
    recipe = shell.recipe(
        variants="{quite-a-long-name-for-fp32: {format: tflite, precision: fp32}}", baseline=""
    )
    for columns, name in ((100, "quite-a-long-name-for-fp32 "), (50, "quite-a-long-name-f")):
        window = Terminal(shell, "deploy", recipe, columns=columns)
        assert window.end() == 0
        lines = window.left.splitlines()
        assert max(map(len, lines)) <= columns
        (row,) = (line for line in lines if line.startswith("quite"))
        assert row.startswith(name)
        assert re.search(r"\d\d\.\d % \(±0\.0\) +0\.\d+", row)  # figures are whole
        assert re.search("too narrow for .*Threads", window.left, re.DOTALL)


def test_columns_wins_over_the_window(shell: Shell) -> None:
    window = Terminal(shell, "deploy", shell.recipe(), "--variant", "fp32", columns=200, COLUMNS="60")
    assert window.end() == 0
    assert max(map(len, window.left.splitlines())) <= 60


def test_ctrl_c_shows_what_was_measured(shell: Shell) -> None:
    window = Terminal(shell, "deploy", shell.recipe(benchmark="{duration_s: 1, warmup_s: 0.02}"))
    window.until("2/2 ")
    window.press("\x03")
    at_s = time.monotonic()
    assert window.end() == 130
    assert time.monotonic() - at_s < 2.5
    assert re.search("^fp32 ", window.left, re.MULTILINE)
    assert "interrupted: 1 of 2 trials measured, kept in " in window.left
    assert "\x1b[?25h" in window.raw
