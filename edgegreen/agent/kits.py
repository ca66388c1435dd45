"""Runtimes that the host brought along: which are ready for this Python, and how a process gets at them.

The agent lies in `<root>/store/`, and beside that, in `<root>/runtimes/`, each wheel unpacked in a folder
of its own. The folder of a runtime's wheel also has a note of what else the runtime needs: `untried.json`,
which becomes `ready.json` once the host has seen it compute. A runtime that this Python has by itself is
never shadowed: a process puts a kit on its path only for a runtime that it would not find otherwise.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any, NamedTuple, Sequence

from . import runtimes

READY, UNTRIED = "ready.json", "untried.json"
FOLDER = re.compile(r"[0-9a-f]{12}$")  # the first digits of a wheel's sha256


class Kit(NamedTuple):
    """A runtime that was brought: its version, and the folders it needs on the path, its own first."""

    runtime: str
    version: str
    folders: list[str]


def python_tag() -> str | None:
    """Which Pythons share extension modules, such as "cpython-311-aarch64-linux-gnu"."""
    first = EXTENSION_SUFFIXES[0] if EXTENSION_SUFFIXES else ""
    return first.split(".")[1] if first.count(".") > 1 else None


def folder_beside(program: str) -> str:
    """Where the kits of the agent `program` are."""
    return os.path.join(root_of(program), "runtimes")


def root_of(program: str) -> str:
    """The one folder edgegreen uses on the board, in whose `store` the agent `program` lies."""
    return os.path.dirname(os.path.dirname(os.path.abspath(program)))


def versions(folder: str) -> dict[str, str]:
    """Runtimes and versions that this Python can use: its own, and the ready kits of others."""
    own, brought = runtimes.found(), ready(folder)
    return {
        name: own.get(name) or brought[name] for name in runtimes.RUNTIMES if name in own or name in brought
    }


def ready(folder: str) -> dict[str, str]:
    """Runtimes and versions of the kits that are ready for this Python."""
    return {kit.runtime: kit.version for kit in _kits(folder, (READY,))}


def use(name: str, folder: str) -> None:
    """Have this process find the runtime: its kit goes first on the path, unless Python has it by itself.

    A kit that is yet to be tried will do too: this is how it is tried.
    """
    if name not in runtimes.RUNTIMES or runtimes.version(name) is not None:
        return
    for kit in _kits(folder, (READY, UNTRIED)):
        if kit.runtime == name:
            sys.path[:0] = kit.folders
            return


def note(folder: str, kit: Kit) -> None:
    """Note a kit that is in place but untried, instead of any other for its runtime and this Python."""
    for path, fields in _notes(folder, (READY, UNTRIED)):
        if (fields.get("runtime"), fields.get("python")) == (kit.runtime, python_tag()):
            os.remove(path)
    names = [os.path.basename(one) for one in kit.folders]
    fields = {"runtime": kit.runtime, "version": kit.version, "folders": names, "python": python_tag()}
    path = os.path.join(folder, names[0], UNTRIED)
    with open(path + ".part", "w", encoding="utf-8") as stream:
        json.dump(fields, stream, sort_keys=True)
    os.replace(path + ".part", path)


def unneeded(folder: str) -> list[str]:
    """Unpacked wheels that no note, for whichever Python, speaks of any more."""
    needed = {one for _, fields in _notes(folder, (READY, UNTRIED)) for one in fields["folders"]}
    return [os.path.join(folder, one) for one in _listing(folder) if FOLDER.match(one) and one not in needed]


def _kits(folder: str, names: Sequence[str]) -> list[Kit]:
    """The kits for this Python that are whole."""
    kits = []
    for _, fields in _notes(folder, names):
        folders = [os.path.join(folder, one) for one in fields["folders"]]
        if fields.get("python") == python_tag() and all(map(os.path.isdir, folders)):
            kits.append(Kit(str(fields.get("runtime")), str(fields.get("version")), folders))
    return kits


def _notes(folder: str, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Notes of these names and what they say. What is damaged is as if not there."""
    paths = [os.path.join(folder, one, name) for one in _listing(folder) for name in names]
    read = [(path, _read(path)) for path in paths]
    return [(path, fields) for path, fields in read if fields is not None]


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as stream:
            fields: dict[str, Any] = json.load(stream)
        return fields if all(FOLDER.match(one) for one in fields["folders"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _listing(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
