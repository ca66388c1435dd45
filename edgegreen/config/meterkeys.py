"""The keys of `power:` in a target for each kind of meter that the host reads; what they do is in `meters/`.

Meters that the board reads itself have theirs in `target.PowerMeter`.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, Tag, field_validator, model_validator

from edgegreen.config.yamlfile import Frozen, Matching

Scope = Literal["module", "rail sum", "package", "board", "wall"]

Text = Annotated[str, Field(min_length=1, max_length=200)]
Argument = Annotated[str, Field(max_length=4096)]
Seconds = Annotated[float, Field(gt=0, le=60)]


def _web_address(url: str) -> str:
    """`url`, where it is one that may be asked; a password in it is not repeated."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no address: http://host[:port]/path is") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("should be http://host[:port]/path or https://…")
    if "@" in parts.netloc:
        raise ValueError("a password does not belong here; set EDGEGREEN_METER_PASSWORD")
    return url


def _host_and_port(address: str) -> str:
    """`address`, where its port is one."""
    _web_address(address if "://" in address else f"http://{address}")
    return address


Url = Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]
Address = Annotated[
    str,
    Field(max_length=300),
    AfterValidator(_host_and_port),
    Matching(
        r"(https?://)?([^\s@/:\[\]?#]+|\[[\da-fA-F:.]+\])(:[0-9]{1,5})?/?",
        "host, host:port or http://host:port",
    ),
]
Pointer = Annotated[
    str, Matching(r"(/([^/~]|~[01])*)*", "a JSON pointer (RFC 6901), such as /StatusSNS/ENERGY/Power")
]


class Shelly(Frozen):
    """A Shelly plug, relay or meter in the network of this machine; its generation is asked for."""

    meter: Literal["shelly"]
    address: Address
    """Host name or IP address, with `:port` if it is not 80."""
    channel: Annotated[int, Field(ge=0, le=63)] = 0
    """Which of its meters, from 0."""
    scope: Scope = "wall"
    """What the meter sees."""


class Tasmota(Frozen):
    """A plug with Tasmota firmware in the network of this machine."""

    meter: Literal["tasmota"]
    address: Address
    """Host name or IP address, with `:port` if it is not 80."""
    channel: Annotated[int, Field(ge=0, le=63)] = 0
    """Which of its meters, from 0."""
    scope: Scope = "wall"
    """What the meter sees."""


class Http(Frozen):
    """Any meter that answers with its power, in JSON, over HTTP."""

    meter: Literal["http"]
    url: Url
    pointer: Pointer
    """Where in the answer the power stands: a JSON pointer (RFC 6901)."""
    unit: Literal["W", "mW"] = "W"
    """What the power is counted in."""
    every_s: Seconds = 1.0
    """How often it is asked."""
    averaging_s: Seconds | None = None
    """A reading is the mean over that long; left out where that is not known."""
    scope: Scope = "board"
    """What the meter sees."""


class Command(Frozen):
    """A program on this machine that prints watts, one reading a line."""

    meter: Literal["command"]
    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]
    """The program and its arguments; no shell is in between."""
    every_s: Seconds | None = None
    """How often the program is run anew, for one reading each. Left out: it runs once and keeps printing."""
    timestamps: Literal["none", "unix", "monotonic"] = "none"
    """`none`: a line is `watts`. Else it is `time watts`, in seconds by this machine's clock of that name."""
    averaging_s: Seconds | None = None
    """A reading is the mean over that long; left out where that is not known."""
    rail: Text = "whole"
    """What the program measures, in your words."""
    scope: Scope = "board"
    """What the meter sees."""

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, command: object) -> object:
        """Of a line as for a shell, say how it is written here."""
        if isinstance(command, str):
            example = json.dumps(command.split() or ["program", "argument"])[:200]
            raise ValueError(
                f"should be a list, the program and each argument in a place of its own: {example}"
            )
        return tuple(command) if isinstance(command, list) else command

    @model_validator(mode="after")
    def _timed_once(self) -> Command:
        if self.every_s is not None and self.timestamps != "none":
            raise ValueError("`timestamps` are for a program that keeps printing; leave out `every_s`")
        if not self.command[0]:
            raise ValueError("`command` starts with an empty name")
        return self


class Joulescope(Frozen):
    """A Joulescope on this machine's USB; needs `pip install 'edgegreen[joulescope]'`."""

    meter: Literal["joulescope"]
    device: Text | None = None
    """Its serial number, or a part of its path, where there are several."""
    every_s: Annotated[float, Field(ge=0.005, le=10)] = 0.1
    """How often it tells its mean power (a JS110: 0.5 s)."""
    scope: Scope = "board"
    """What the meter sees."""


class Ppk2(Frozen):
    """A Power Profiler Kit II on this machine's USB, as an ampere meter; needs `edgegreen[ppk2]`."""

    meter: Literal["ppk2"]
    supply_v: Annotated[float, Field(ge=0.8, le=5.5)]
    """The voltage of the supply: it measures the current alone."""
    port: Text | None = None
    """Its serial port, where there are several."""
    every_s: Annotated[float, Field(ge=0.02, le=10)] = 0.1
    """How long the mean is that a reading tells."""
    scope: Scope = "board"
    """What the meter sees."""


KINDS: dict[str, type[Frozen]] = {
    "shelly": Shelly,
    "tasmota": Tasmota,
    "http": Http,
    "command": Command,
    "joulescope": Joulescope,
    "ppk2": Ppk2,
}
# A tag is what pydantic calls a branch in its errors: the name of the type, as in any union.
HostMeter = (
    Annotated[Shelly, Tag("Shelly")]
    | Annotated[Tasmota, Tag("Tasmota")]
    | Annotated[Http, Tag("Http")]
    | Annotated[Command, Tag("Command")]
    | Annotated[Joulescope, Tag("Joulescope")]
    | Annotated[Ppk2, Tag("Ppk2")]
)
