"""The pictures of the terminal in README and docs: real commands run in a pty, and what they print as SVG.

    python docs/captures.py                      all of them, into docs/captures (minutes; needs the extra
                                                 tensorflow)
    python docs/captures.py show --output /tmp   one, elsewhere

Run it from a checkout, on a machine that is otherwise idle. The pictures fetch nothing: they name no font of
the web, and no script.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

REPO = Path(__file__).resolve().parent.parent
FOLDER = REPO / "docs" / "captures"
RECIPE = "recipes/digits.yaml"
NARROW, MIDDLE, WIDE = 80, 100, 120
RETRIES = "9"  # of what other programs disturbed
DEPLOY = f"edgegreen deploy {RECIPE} --retry-invalid {RETRIES}"
WIPED = re.compile(r"\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")  # what a live view is taken back by
CONTROL = re.compile(r"\x1b\[\?\d+[hl]|\r")
THEME = TerminalTheme(
    (30, 33, 39),
    (208, 212, 220),
    [(30, 33, 39), (240, 113, 120), (140, 200, 120), (232, 190, 100), (110, 165, 235), (200, 140, 225),
     (90, 195, 205), (208, 212, 220)],
    [(110, 115, 125), (255, 135, 140), (165, 220, 145), (245, 210, 130), (140, 190, 250), (220, 165, 240),
     (120, 215, 225), (255, 255, 255)],
)  # fmt: skip
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ display: none }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal:
    """Commands in a window, all with the same home; each returns the bytes it wrote, as text."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def run(self, *arguments: str, columns: int = 80) -> str:
        """What `edgegreen ARGUMENTS` writes, result and progress. SystemExit when it fails."""
        screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        own = {"PYTHONPATH": str(REPO), "EDGEGREEN_HOME": str(self._home), "TERM": "xterm-256color"}
        unwanted = ("COLUMNS", "LINES", "NO_COLOR", "GITHUB_ACTIONS")
        env = {name: value for name, value in os.environ.items() if name not in unwanted} | own
        command = [sys.executable, "-m", "edgegreen", *arguments]
        with subprocess.Popen(
            command, cwd=REPO, env=env, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            written = b"".join(iter(lambda: _read(screen), b""))
        os.close(screen)
        if process.returncode not in (0, 1):  # 1: a budget is not met, which is a result
            sys.exit(f"edgegreen {' '.join(arguments)} ended with {process.returncode}:\n{written.decode()}")
        return written.decode()


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 65536)
    except OSError:  # Linux says EIO at the end
        return b""


def picture(name: str, command: str, written: str, columns: int) -> str:
    """The command and what it left on the screen, as SVG."""
    out = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    out.print(Text.assemble(("$ ", "dim"), (command, "bold")), highlight=False)
    out.print(Text.from_ansi(CONTROL.sub("", written)), end="", highlight=False, no_wrap=True)
    made = out.export_svg(title="", theme=THEME, code_format=SVG, unique_id=name)
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


def left(written: str) -> str:
    """What stays on the screen: all after the live view was last taken back."""
    return WIPED.split(written)[-1].strip("\r\n")


def at_work(written: str) -> str:
    """The live view in the middle of the run: of the frames in which every line has got somewhere."""
    frames = [frame.strip("\r\n") for frame in WIPED.split(written)[:-1]]
    most = max(frame.count("\n") for frame in frames if _all_bars(frame))
    fullest = [frame for frame in frames if _all_bars(frame) and frame.count("\n") == most]
    return fullest[len(fullest) // 2]


def _all_bars(frame: str) -> bool:
    return all("━" in line for line in frame.splitlines())


class Captures:
    """Each picture by its name; runs that several are of are made once."""

    def __init__(self, home: Path) -> None:
        self._terminal, self._home = Terminal(home), home

    @cached_property
    def _deployed(self) -> str:
        return self._terminal.run("deploy", RECIPE, "--retry-invalid", RETRIES, columns=WIDE)

    def deploy(self) -> str:
        """The table that a deploy ends with."""
        return picture("deploy", DEPLOY, left(self._deployed), WIDE)

    def live(self) -> str:
        """What the same deploy showed while it ran."""
        return picture("live", DEPLOY, at_work(self._deployed), NARROW)

    def show(self) -> str:
        """The table, the plot, and what stands behind the first row; the other rows are cut off."""
        self._deployed  # noqa: B018 - so that there is a run to show
        lines = self._terminal.run("show", "latest", columns=NARROW).splitlines()
        headings = [at for at, line in enumerate(lines) if CONTROL.sub("", line).endswith(" on local")]
        return picture("show", "edgegreen show latest", "\n".join([*lines[: headings[2]], "…"]), NARROW)

    def compare(self) -> str:
        """The same recipe before and after int8-tflite lost half of its filters."""
        variants = ("--variant", "fp32-tflite", "--variant", "int8-tflite", "--retry-invalid", RETRIES)
        told = self._home / "before.json"
        self._terminal.run("deploy", RECIPE, *variants, "--json", str(told))
        before = json.loads(told.read_text(encoding="utf-8"))["run_id"]
        whole = "int8-tflite: {format: tflite, precision: int8}"
        passes = "{passes: [{prune_filters: {share: 0.5}}], format: tflite, precision: int8}"
        recipe = (REPO / RECIPE).read_text(encoding="utf-8")
        (self._home / "digits").symlink_to(REPO / "recipes" / "digits")
        (self._home / "digits.yaml").write_text(
            recipe.replace(whole, f"int8-tflite: {passes}"), encoding="utf-8"
        )
        self._terminal.run("deploy", str(self._home / "digits.yaml"), *variants)
        return self._one("compare", before, "latest", columns=MIDDLE)

    def inspect(self) -> str:
        """A model's layers, and what they cost."""
        return self._one("inspect", "recipes/digits/model.keras")

    def _one(self, name: str, *arguments: str, columns: int = NARROW) -> str:
        written = self._terminal.run(name, *arguments, columns=columns)
        return picture(name, shlex.join(("edgegreen", name, *arguments)), left(written), columns)


CAPTURES: dict[str, Callable[[Captures], str]] = {
    name: getattr(Captures, name) for name in ("deploy", "live", "show", "compare", "inspect")
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(
        description="Make the pictures of the terminal that README and docs show."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CAPTURES))
    parser.add_argument("--output", type=Path, default=FOLDER, metavar="FOLDER")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(CAPTURES):
        parser.error(f"no capture is called {', '.join(sorted(unknown))}")
    given.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        captures = Captures(Path(home))
        for name in given.names or CAPTURES:
            path = given.output / f"{name}.svg"
            path.write_text(CAPTURES[name](captures), encoding="utf-8")
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
