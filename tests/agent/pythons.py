"""The Pythons of this machine."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

Version = tuple[int, ...]


@cache
def interpreters() -> dict[Version, str]:
    """Every Python of pyenv and on PATH that runs, one per version."""
    names = ["python3", *(f"python3.{minor}" for minor in range(7, 15))]
    candidates = [*Path.home().glob(".pyenv/versions/*/bin/python"), *filter(None, map(shutil.which, names))]
    found: dict[Version, str] = {}
    for path in map(str, candidates):
        ask = [path, "-c", "import sys; print(*sys.version_info[:3])"]
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found.setdefault(tuple(map(int, done.stdout.strip("()\n").replace(",", " ").split())), path)
    return found


def dotted(version: Version) -> str:
    """3.7.16."""
    return ".".join(map(str, version))
