"""Python environments of their own for tools whose requirements do not go with ours.

Made once under `home()/tools`, named by the digest of their pinned requirements, with uv where it is
there, else with venv and pip. An environment counts only once its marker file is written, so one that was
interrupted is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from edgegreen.agent.runtimes import onnxruntime
from edgegreen.cache import locks
from edgegreen.errors import ConversionError
from edgegreen.home import home

MARKER = "edgegreen-complete"
TIMEOUT_S = 1800.0
# pip's variables → uv's, and what stands there between several values.
OF_PIP = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", " "),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", " "),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS", ","),
}


@dataclass(frozen=True)
class ToolEnvironment:
    """An environment with `requirements`, all pinned, for the interpreter we run on."""

    name: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it lies, or will."""
        text = "\n".join((sys.implementation.cache_tag or "", *self.requirements))
        return home() / "tools" / f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it has been made."""
        return (self.folder / MARKER).is_file()

    def ensure(self, stop: Event, on_install: Callable[[], None] = lambda: None) -> Path:
        """Its interpreter, made first if need be; of two processes one makes it and the other waits.

        Raises ConversionError with the installer's own words when it cannot be made, CancelledError.
        """
        if self.ready:
            return self.python
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with locks.held(self.folder.with_suffix(".lock"), stop):
            if not self.ready:
                on_install()
                self._make(stop)
        return self.python

    def _make(self, stop: Event) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for command in self._commands():
            code, said = run(command, stop, TIMEOUT_S)
            if code != 0:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise ConversionError(
                    f"{', '.join(self.requirements)} could not be installed into an environment of its own: "
                    + _last_words(said),
                    hint="it is fetched from your package index once, and kept: is that in reach from here?",
                    transient=True,
                )
        (self.folder / MARKER).write_text("\n".join(self.requirements), encoding="utf-8")

    def _commands(self) -> list[list[str]]:
        if uv := _uv():
            return [
                [*uv, "venv", "--quiet", "--python", sys.executable, str(self.folder)],
                [*uv, "pip", "install", "--quiet", "--python", str(self.python), *self.requirements],
            ]
        return [
            [sys.executable, "-m", "venv", str(self.folder)],
            [str(self.python), "-I", "-m", "pip", "install", "--quiet", *self.requirements],
        ]


def run(command: Sequence[str], stop: Event, timeout_s: float, cwd: Path | None = None) -> tuple[int, str]:
    """Run a program to its end: its exit code and what it said.

    It is ended, with all it started, after `timeout_s`, and when `stop` is set (CancelledError).
    """
    with subprocess.Popen(
        list(command),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=_environment(),
    ) as process:
        said, waited = b"", 0.0
        while True:
            try:
                said, _ = process.communicate(timeout=0.2)
                return process.returncode, said.decode(errors="replace")
            except subprocess.TimeoutExpired:
                waited += 0.2
                if stop.is_set() or waited > timeout_s:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    if stop.is_set():
                        raise CancelledError from None
                    return 1, f"gave up after {timeout_s:.0f} s"
            except KeyboardInterrupt:
                os.killpg(process.pid, signal.SIGKILL)  # in a session of its own, it did not hear of it
                raise


def _environment() -> dict[str, str]:
    """Ours, less what would bind the tool: constraints on our packages, our modules' path.

    Where packages come from may be told for pip alone: uv, which does not read that, is told the same.
    """
    unwanted = ("UV_CONSTRAINT", "UV_OVERRIDE", "PIP_CONSTRAINT", "PYTHONPATH", "VIRTUAL_ENV")
    ours = {name: value for name, value in os.environ.items() if name not in unwanted}
    told = {uv: ours[pip].replace(" ", between) for pip, (uv, between) in OF_PIP.items() if ours.get(pip)}
    return told | ours | onnxruntime.QUIET


def _uv() -> list[str] | None:
    if found := shutil.which("uv"):
        return [found]
    return [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else None


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " / ".join(lines[-3:])[:500] or "no reason given"
