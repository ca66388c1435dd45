"""Target: one board, or `local`, this machine. Found by name, file or ssh:// address.

Read from YAML once, checked, frozen. Nothing here connects to anything.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, PrivateAttr

from edgegreen import yamlfile
from edgegreen.errors import InputError
from edgegreen.yamlfile import Frozen

Family = Literal[
    "linux", "x86",
    "raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2w",
    "jetson-nano", "jetson-orin", "jetson-agx-orin", "jetson-thor",
    "coral-dev", "coral-usb",
]  # fmt: skip
RuntimeName = Literal["litert", "tflite-runtime", "openvino"]

# Which runtimes run which format, best first: the registry that plan.py and the docs read.
RUNTIMES: dict[str, tuple[RuntimeName, ...]] = {
    "tflite": ("litert", "tflite-runtime"),
    "openvino": ("openvino",),
}


class Target(Frozen):
    """One board and how to reach it."""

    family: Family = "linux"
    host: str | None = None
    """Host name, address, or an alias of ~/.ssh/config; `local` is this machine without SSH."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: str | None = None
    identity_file: Path | None = None
    proxy_jump: str | None = None
    """`[user@]host[:port]`, as ssh -J takes it."""
    python: Annotated[str, Field(min_length=1)] = "python3"
    """The board's Python: a name on its PATH or an absolute path, with a runtime installed."""
    runtimes: Annotated[tuple[RuntimeName, ...], Field(min_length=1)] | None = None
    """Left out: the best one present for each format. Given: one trial for each that fits."""
    root: Annotated[str, Field(min_length=1)] = "~/.edgegreen"
    """The one folder edgegreen uses on the board."""

    _name: str = PrivateAttr(default="")

    @property
    def name(self) -> str:
        """How the user calls it: the file's stem, or the ssh:// address."""
        return self._name

    def called(self, name: str) -> Target:
        """The same target under this name (a target's name is its file's, so it is no YAML key)."""
        copy = self.model_copy()
        copy._name = name
        return copy

    @property
    def is_local(self) -> bool:
        """Whether this is the machine edgegreen runs on, reached without SSH."""
        return self.host == "local"


def find(spec: str) -> Target:
    """The target that `spec` names: a name, a path to a YAML file, or ssh://user@host[:port].

    Raises InputError: unknown name (with the nearest ones), a broken file, a file without a host.
    """
    if spec.startswith("ssh://"):
        return _from_address(spec)
    path = Path(spec) if spec.endswith((".yaml", ".yml")) else files().get(spec)
    if path is None:
        names = sorted(files())
        close = difflib.get_close_matches(spec, names, n=3, cutoff=0.5)
        raise InputError(
            f"no target called `{spec}`"
            + (f"; did you mean {' or '.join(f'`{n}`' for n in close)}?" if close else ""),
            hint=f"known: {', '.join(names)}; or give ssh://user@host",
        )
    target = load(path)
    if target.host is None:
        raise InputError(
            f"{path}:{_host_line(path)}: `host` is not set, so `{target.name}` cannot be reached",
            hint=f"copy it to ./targets/{path.name} and fill in that line (`host: my-board.local`), "
            "or give --target ssh://user@host",
        )
    return target


def load(path: Path) -> Target:
    """Read one target file; its name is the file's stem. `host` may be absent."""
    return yamlfile.load(path, Target).called(path.stem)


def folders() -> Iterator[Path]:
    """Where targets are looked for, the nearest first."""
    yield Path("targets")
    if extra := os.environ.get("EDGEGREEN_TARGETS"):
        yield from (Path(folder).expanduser() for folder in extra.split(os.pathsep) if folder)
    yield platformdirs.user_config_path("edgegreen") / "targets"
    package = Path(__file__).parent
    yield package / "shipped" / "targets"
    yield package.parent / "targets"  # a checkout installed in place


def files() -> dict[str, Path]:
    """Every target file that can be named, by name; the nearest folder wins."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.y*ml")) if folder.is_dir() else ():
            found.setdefault(path.stem, path)
    return found


def _from_address(spec: str) -> Target:
    try:
        parts = urlsplit(spec)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as error:
        raise InputError(f"`{spec}`: {error}") from None
    if not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise InputError(f"`{spec}` is not ssh://[user@]host[:port]")
    if parts.password:
        raise InputError(
            f"ssh://{user}:…@{host}: a password does not belong in an address",
            hint="use a key or an agent, or set EDGEGREEN_PASSWORD",
        )
    return Target(host=host, port=port, user=user).called(spec)


def _host_line(path: Path) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if re.match(r"\s*#?\s*host\s*:", line)), 1)


FAMILIES: tuple[str, ...] = get_args(Family)
