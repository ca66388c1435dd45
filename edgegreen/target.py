"""Target: one board, or `local`, this machine. Found by name, file or ssh:// address.

Read from YAML once, checked, frozen. Nothing here connects to anything.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import unquote

import platformdirs
from pydantic import Discriminator, Field, PrivateAttr, Tag, field_validator

from edgegreen.config import meterkeys, yamlfile
from edgegreen.config.meterkeys import HostMeter, Scope
from edgegreen.config.yamlfile import Frozen, Matching
from edgegreen.errors import InputError
from edgegreen.formats import RuntimeName
from edgegreen.home import home

Family = Literal[
    "linux", "x86",
    "raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2w",
    "jetson-nano", "jetson-orin", "jetson-agx-orin", "jetson-thor",
    "coral-dev", "coral-usb",
]  # fmt: skip
MeterKind = Literal["auto", "ina3221", "ina238", "pmic", "hwmon", "rapl", "power_supply", "none"]
# One colon is a port, which has a key of its own; several are IPv6.
Host = Annotated[
    str,
    Matching(
        r"[^\s@/:\[\]]+|(?=\S*:\S*:)[^\s@/\[\]]+", "a host name, an address or an ~/.ssh/config alias alone"
    ),
]
TargetTag = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "letters, digits, `.`, `_` and `-`, at most 64")
]

NAMED = 20  # of all targets, that an error names
ADDRESS = re.compile(
    r"ssh://((?P<user>[^@:/\s]+)@)?(\[(?P<ipv6>[\da-fA-F:.]+(%\w+)?)\]|(?P<host>[\w.-]+))(:(?P<port>[0-9]{1,5}))?/?"
)


class PowerMeter(Frozen):
    """The meter on the board that energy is measured with."""

    meter: MeterKind = "auto"
    """`auto` takes the best one the family has; `none` measures no energy."""
    rail: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Left out: the one that counts the most. `A + B` is the sum of two that do not overlap."""
    scope: Scope | None = None
    """What the meter sees, where you know it and the board cannot tell."""

    @field_validator("meter", mode="before")
    @classmethod
    def _some_meter(cls, kind: object) -> object:
        """Of a name that no meter has, not even one the host reads, say so here: this is where it ends up."""
        known = (*get_args(MeterKind), *meterkeys.KINDS)
        if isinstance(kind, str) and kind not in known:
            close = difflib.get_close_matches(kind, known, n=1, cutoff=0.5)
            nearest = f"; did you mean `{close[0]}`?" if close else ""
            raise ValueError(f"should be one of {', '.join(known)}, not `{kind[:60]}`{nearest}")
        return kind


def _kind(power: Any) -> str:
    """The name of the type that `meter` means: one for each that the host reads, one for the board's."""
    kind = power.get("meter") if isinstance(power, dict) else getattr(power, "meter", None)
    host = meterkeys.KINDS.get(kind) if isinstance(kind, str) else None
    return host.__name__ if host else PowerMeter.__name__


@dataclass(frozen=True)
class Recording:
    """What was recorded of a board, and now stands in for it. `board` is what its target was called."""

    files: tuple[Path, ...]
    board: str
    recorded_at: datetime
    edgegreen: str


@dataclass(frozen=True)
class Wish:
    """Any place of a lab that has these tags. Without `coordinator`: the one that LG_COORDINATOR names."""

    tags: tuple[tuple[str, str], ...]
    coordinator: str | None
    timeout_s: float
    """How long to wait until one is free."""


@dataclass(frozen=True)
class Place:
    """The place of a lab that a target is on, while it is leased."""

    name: str
    tags: tuple[tuple[str, str], ...]
    coordinator: str


class Target(Frozen):
    """One board and how to reach it."""

    family: Family = "linux"
    host: Host | None = None
    """Host name, address, or an alias of ~/.ssh/config; `local` is this machine without SSH."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    user: Annotated[str, Field(min_length=1)] | None = None
    identity_file: Path | None = None
    proxy_jump: Annotated[str, Field(min_length=1)] | None = None
    """`[user@]host[:port]`, as ssh -J takes it."""
    python: Annotated[str, Field(min_length=1)] = "python3"
    """The board's Python, 3.7 or newer: a name on its PATH, an absolute path, or one below `~/`."""
    runtimes: Annotated[tuple[RuntimeName, ...], Field(min_length=1)] | None = None
    """Left out: the best one present for each format. Given: one trial for each that fits."""
    root: Annotated[str, Field(min_length=1)] = "~/.edgegreen"
    """The one folder edgegreen uses on the board."""
    provision: bool = True
    """Whether runtimes that the board's Python lacks are brought along."""
    power: Annotated[Annotated[PowerMeter, Tag("PowerMeter")] | HostMeter, Discriminator(_kind)] | None = None
    """Left out: no meter is read, and no energy measured."""
    patience_s: Annotated[float, Field(ge=0, le=86400)] = 180.0
    """How long to go on trying when the link breaks or the board reboots."""
    sysfs_root: Annotated[str, Field(min_length=1)] = "/"
    """Where the board's `/sys` and `/proc` are; in a container also a mounted sysfs, such as `/host/sys`."""
    tags: tuple[TargetTag, ...] = ()
    """What it belongs to, for `--tag`: `[lab1, nightly]`."""
    allow_tuning: bool = False
    """Whether a recipe may change the CPU governor and the power mode; they are put back afterwards."""

    _name: str = PrivateAttr(default="")
    _place: str = PrivateAttr(default="")
    _recording: Recording | None = PrivateAttr(default=None)
    _wish: Wish | None = PrivateAttr(default=None)
    _leased: Place | None = PrivateAttr(default=None)

    @field_validator("power", mode="before")
    @classmethod
    def _not_left_empty(cls, power: object) -> object:
        """`power:` with nothing behind it was meant to be something; leaving it out is how to have none."""
        if power is None:
            raise ValueError("nothing stands behind it; `power: {meter: auto}` takes the board's best meter")
        return power

    @field_validator("runtimes")
    @classmethod
    def _each_once(cls, runtimes: tuple[RuntimeName, ...] | None) -> tuple[RuntimeName, ...] | None:
        if runtimes and len(set(runtimes)) < len(runtimes):
            raise ValueError("a runtime is there twice")
        return runtimes

    @property
    def name(self) -> str:
        """How the user calls it: the file's stem, or the ssh:// address."""
        return self._name

    @property
    def place(self) -> str:
        """Where it was read from: a file, or what the user gave instead of one."""
        return self._place or self._name

    def called(self, name: str, place: str = "") -> Target:
        """The same target under this name (a target's name is its file's, so it is no YAML key)."""
        copy = self.model_copy()
        copy._name, copy._place = name, place
        return copy

    @property
    def recording(self) -> Recording | None:
        """The recording that answers in the board's place; None for a board."""
        return self._recording

    def played_from(self, recording: Recording) -> Target:
        """The same target, its answers taken from a recording."""
        copy = self.called(f"replay:{recording.board}")
        copy._recording = recording
        return copy

    @property
    def wish(self) -> Wish | None:
        """What is to be leased before anything is reached; None for a board that is there."""
        return self._wish

    def wished(self, name: str, wish: Wish) -> Target:
        """A target that stands for any board of a lab that fits, described by this one."""
        copy = self.called(name)
        copy._wish = wish
        return copy

    @property
    def leased(self) -> Place | None:
        """The place of a lab that it is on; None for a board of one's own."""
        return self._leased

    def leased_at(self, place: Place, **reached: object) -> Target:
        """The same target under the place's name, `reached` as the lab says: host, port, user, proxy_jump."""
        copy = self.model_copy(update=reached).called(place.name)
        copy._wish, copy._leased = None, place
        return copy

    @property
    def interpreter(self) -> str:
        """The Python that runs the agent; on this machine, unless set, the one that runs edgegreen."""
        unset = "python" not in self.model_fields_set
        return sys.executable if self.is_local and unset else self.python

    @property
    def folder(self) -> str:
        """The one folder used on the board; on this machine, unless set, one among edgegreen's own."""
        unset = "root" not in self.model_fields_set
        return str(home() / "board") if self.is_local and unset else self.root

    @property
    def is_metered(self) -> bool:
        """Whether energy is to be measured."""
        return self.power is not None and self.power.meter != "none"

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
    path = file(spec)
    target = load(path)
    if target.host is None:
        copy = "" if path.parent == Path("targets") else f"copy it to ./targets/{path.name} and "
        raise InputError(
            f"{path}:{_host_line(path)}: `host` is not set, so `{target.name}` cannot be reached",
            hint=f"{copy}fill in that line (`host: my-board.local`), or give --target ssh://user@host",
        )
    return target


def file(spec: str) -> Path:
    """The YAML file that a name or a path stands for; raises InputError with the nearest names."""
    if spec.endswith((".yaml", ".yml")):
        return Path(spec)
    known = files()
    if spec in known:
        return known[spec]
    close = " or ".join(f"`{name}`" for name in difflib.get_close_matches(spec, known, n=3, cutoff=0.5))
    names = sorted(known)
    more = f" and {len(names) - NAMED} more (`edgegreen targets list`)" if len(names) > NAMED else ""
    raise InputError(
        f"no target called `{_without_password(spec)}`" + (f"; did you mean {close}?" if close else ""),
        hint=f"known: {', '.join(names[:NAMED])}{more}; or give ssh://user@host",
    )


def load(path: Path) -> Target:
    """Read one target file; its name is the file's stem. `host` may be absent."""
    return yamlfile.load(path, Target).called(path.stem, str(path))


def folders() -> Iterator[Path]:
    """Where targets are looked for, the nearest first."""
    yield Path("targets")
    if extra := os.environ.get("EDGEGREEN_TARGETS"):
        yield from (Path(folder).expanduser() for folder in extra.split(os.pathsep) if folder)
    yield platformdirs.user_config_path("edgegreen") / "targets"
    package = Path(__file__).parent
    checkout = (package.parent / "pyproject.toml").is_file()  # installed in place
    yield (package.parent if checkout else package / "shipped") / "targets"


def absent_folders() -> list[str]:
    """Those that EDGEGREEN_TARGETS names and that are not there."""
    named = os.environ.get("EDGEGREEN_TARGETS", "").split(os.pathsep)
    return [folder for folder in named if folder and not Path(folder).expanduser().is_dir()]


def files() -> dict[str, Path]:
    """Every target file that can be named, by name; the nearest folder wins."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.y*ml")) if folder.is_dir() else ():
            found.setdefault(path.stem, path)
    return found


def load_all() -> dict[Path, Target | InputError]:
    """Every target that can be named, or what is wrong with its file."""
    found: dict[Path, Target | InputError] = {}
    for path in files().values():
        try:
            found[path] = load(path)
        except InputError as error:
            found[path] = error
    return found


def _from_address(spec: str) -> Target:
    shown = _without_password(spec)
    if shown != spec:
        raise InputError(
            f"`{shown}`: a password does not belong in an address",
            hint="use a key or an agent, or set EDGEGREEN_PASSWORD",
        )
    parts = ADDRESS.fullmatch(spec)
    if not parts or not 0 < int(parts["port"] or 22) < 65536:
        raise InputError(
            f"{spec!r} is not ssh://[user@]host[:port]",
            hint="an IPv6 address goes in brackets: ssh://[::1]:22",
        )
    host, port, user = parts["host"] or unquote(parts["ipv6"]), parts["port"], parts["user"]
    if host == "local":
        raise InputError(
            f"{spec!r}: `local` is this machine without SSH", hint="for SSH to it: ssh://localhost"
        )
    return Target(host=host, port=int(port) if port else None, user=unquote(user) if user else None).called(
        spec
    )


def _without_password(spec: str) -> str:
    """`spec` with whatever stands between the user's name and the `@` left out."""
    scheme = "ssh://" if spec.startswith("ssh://") else ""
    user, colon, rest = spec.removeprefix(scheme).partition(":")
    if colon and "@" in rest and "@" not in user:
        return f"{scheme}{user}:…@{rest.rpartition('@')[2]}"
    return spec


def _host_line(path: Path) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if re.match(r"\s*#?\s*host\s*:", line)), 1)


FAMILIES: tuple[str, ...] = get_args(Family)
