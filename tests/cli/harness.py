"""The command line as its users have it: `python -m edgegreen` in a process of its own.

`Shell.run` runs a command to its end; `Shell.start` gives a running one, to be watched and interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil
import sqlalchemy as sa

from edgegreen.history.store import Store

REPO = Path(__file__).parent.parent.parent
DIGITS = REPO / "recipes" / "digits"
LIMIT_S = 60.0
# What would make a run here differ from one elsewhere.
FOREIGN = (
    "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "SSH_AUTH_SOCK",
    "EDGEGREEN_ASSETS", "EDGEGREEN_CACHE_LIMIT", "EDGEGREEN_DB", "EDGEGREEN_HOME", "EDGEGREEN_PASSWORD",
    "EDGEGREEN_TARGETS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip


# A machine that runs tests has other things to do as well, and says so. That is no mistake of edgegreen's.
NOISE = (
    "unstable latency", "first half unlike", "too few effective samples", "other programs used",
    "the CPU clock changed",
)  # fmt: skip


def but_for_noise(reasons: Iterable[str]) -> list[str]:
    """The reasons against a reading that the machine's other work does not explain."""
    return [reason for reason in reasons if not reason.startswith(NOISE)]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str
    took_s: float

    @property
    def json(self) -> Any:
        """Its stdout, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def rows(self) -> dict[str, str]:
        """The table's lines by the variant they begin with."""
        return {line.split()[0]: line for line in self.out.splitlines() if line[:1].isalnum()}


class Shell:
    """A user at a terminal: a working folder with recipes, targets, an ~/.ssh, and edgegreen's own home."""

    def __init__(self, folder: Path, kept: Path) -> None:
        self.folder, self.kept = folder, kept
        self.home = folder / "user"
        self.targets = folder / "boards"
        (self.home / ".ssh").mkdir(parents=True)
        self.targets.mkdir()
        self.env = {key: value for key, value in os.environ.items() if key not in FOREIGN} | {
            "HOME": str(self.home),
            "EDGEGREEN_HOME": str(kept),
            "EDGEGREEN_TARGETS": str(self.targets),
            "TERM": "xterm-256color",
        }

    def run(self, *arguments: str | Path, limit_s: float = LIMIT_S, **env: str) -> Done:
        """Run `edgegreen ARGUMENTS` to its end."""
        with self.start(*arguments, **env) as going:
            return going.end(limit_s)

    def start(self, *arguments: str | Path, **env: str) -> Going:
        """Start `edgegreen ARGUMENTS`."""
        return Going([sys.executable, "-m", "edgegreen", *map(str, arguments)], self.folder, self.env | env)

    def recipe(self, *, file: str = "recipe.yaml", **changes: str) -> Path:
        """Write the digits recipe, quick, with other top-level lines; `key=""` leaves one out."""
        lines = {
            "name": "digits",
            "model": str(DIGITS / "model.keras"),
            "data": f"{{calibration: {DIGITS / 'calibration.npz'}, evaluation: {DIGITS / 'evaluation.npz'}}}",
            "variants": "{fp32: {format: tflite, precision: fp32}, int8: {format: tflite, precision: int8}}",
            "benchmark": "{duration_s: 0.1, warmup_s: 0.02}",
            "baseline": "fp32",
            **changes,
        }
        path = self.folder / file
        path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items() if value))
        return path

    def target(self, name: str, **fields: object) -> str:
        """Write a target that can be named; gives its name."""
        (self.targets / f"{name}.yaml").write_text("".join(f"{k}: {v}\n" for k, v in fields.items()))
        return name

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What was kept of every run, the oldest first."""
        return runs_in(self.kept)

    def take_models(self, built: Path) -> None:
        """Have what another home's cache has."""
        shutil.copytree(built / "cache", self.kept / "cache", dirs_exist_ok=True)


def runs_in(kept: Path) -> list[dict[str, Any]]:
    """The runs in the history of this EDGEGREEN_HOME, as JSON documents, the oldest first."""
    if not (kept / "history.db").exists():
        return []
    store = Store(sa.URL.create("sqlite", database=str(kept / "history.db")))
    return [json.loads(store.get(run_id).run.to_json()) for run_id in reversed(store.ids())]


class Going:
    """A command that runs; a context manager that leaves no process behind."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._began_s = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._said: dict[str, list[str]] = {"out": [], "err": []}
        self._news: queue.Queue[str | None] = queue.Queue()
        self._listeners = [
            threading.Thread(target=self._listen, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for listener in self._listeners:
            listener.start()
        self._family: dict[int, psutil.Process] = {}

    def _listen(self, name: str, stream: Any) -> None:
        for line in stream:
            self._said[name].append(line)
            if name == "err":
                self._news.put(line.rstrip("\n"))
        if name == "err":
            self._news.put(None)

    def until(self, words: str, limit_s: float = LIMIT_S) -> str:
        """Wait for a line with `words` on stderr; gives it."""
        deadline_s = time.monotonic() + limit_s
        while (line := self._news.get(timeout=max(0.1, deadline_s - time.monotonic()))) is not None:
            if words in line:
                return line
        raise AssertionError(f"ended without saying {words!r}:\n{self.text}")

    def child(self, words: str, limit_s: float = LIMIT_S) -> psutil.Process:
        """Wait for a process, among all it started, whose command line has `words`; not one given before."""
        return child_of(self.process.pid, words, self._family, limit_s)

    def signal(self, number: int = signal.SIGINT) -> float:
        """Send it a signal; when that was."""
        self.remember()
        self.process.send_signal(number)
        return time.monotonic()

    def remember(self) -> None:
        """Note all processes it has started, to see later that they are gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(self.process.pid).children(recursive=True):
                self._family[one.pid] = one

    @property
    def orphans(self) -> list[psutil.Process]:
        """Of the processes noted, those that do not end within moments."""
        return psutil.wait_procs(list(self._family.values()), timeout=5)[1]

    def end(self, limit_s: float = LIMIT_S) -> Done:
        """Wait for its end."""
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {limit_s:g} s:\n{self.text}") from None
        took_s = time.monotonic() - self._began_s
        for listener in self._listeners:
            listener.join(5)
        return Done(code, "".join(self._said["out"]), "".join(self._said["err"]), took_s)

    @property
    def text(self) -> str:
        """All it said so far."""
        return "".join(["stdout:\n", *self._said["out"], "stderr:\n", *self._said["err"]])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remember()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for one in self.orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        for listener in self._listeners:
            listener.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def child_of(
    pid: int, words: str, known: dict[int, psutil.Process] | None = None, limit_s: float = LIMIT_S
) -> psutil.Process:
    """Wait for a process that `pid` started, of any generation, whose command line has `words`."""
    seen = known if known is not None else {}
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if one.pid not in seen and words in " ".join(one.cmdline()):
                        seen[one.pid] = one
                        return one
        time.sleep(0.01)
    raise AssertionError(f"no process with {words!r}")
