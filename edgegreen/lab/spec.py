"""`labgrid:board=jetson,arch=aarch64?coordinator=lab:20408&timeout=600`, read. Connects to nothing."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from edgegreen import target
from edgegreen.errors import InputError
from edgegreen.target import Target, Wish

PREFIX = "labgrid:"
FILE_TAG = "edgegreen"  # names the target file that describes a place's board
TIMEOUT_S = 600.0
LONGEST_TIMEOUT_S = 7 * 86400.0

_KEY = re.compile(r"[a-z][a-z0-9_]+")  # as labgrid has them
_VALUE = re.compile(r"[^\s,=?&/]+")
_ADDRESS = re.compile(r"(\[[\da-fA-F:.]+\]|[\w.-]+)(:[0-9]{1,5})?")
_FORM = "labgrid:KEY=VALUE[,KEY=VALUE…][?coordinator=HOST[:PORT]&timeout=SECONDS]"


def find(spec: str) -> Target:
    """The target that stands for any place with these tags until one is leased.

    With the tag `edgegreen=NAME` it is what the file of the target NAME says; else what the place allows is
    seen when it is leased. Raises InputError.
    """
    wish = parse(spec)
    name = dict(wish.tags).get(FILE_TAG)
    known = target.load(target.file(name)) if name else Target(allow_tuning=True)
    return known.wished(spec, wish)


def parse(spec: str) -> Wish:
    """The tags, the coordinator and how long to wait. Raises InputError that names the part that is wrong."""
    if not spec.startswith(PREFIX):
        raise _wrong(spec, f"it does not begin with `{PREFIX}`")
    wanted, _, options = spec.removeprefix(PREFIX).partition("?")
    coordinator, timeout_s = _options(spec, options)
    return Wish(tags=_tags(spec, wanted), coordinator=coordinator, timeout_s=timeout_s)


def _tags(spec: str, wanted: str) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for part in wanted.split(","):
        key, equals, value = part.partition("=")
        if not equals or not _VALUE.fullmatch(value):
            raise _wrong(spec, f"`{part}` is no KEY=VALUE" if part else "a tag is missing")
        if not _KEY.fullmatch(key):
            raise _wrong(spec, f"`{key}` is no key of a tag: small letters, digits and `_`, two at least")
        if key in tags:
            raise _wrong(spec, f"`{key}` is there twice")
        tags[key] = value
    return tuple(tags.items())


def _options(spec: str, options: str) -> tuple[str | None, float]:
    coordinator, timeout_s = None, TIMEOUT_S
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key == "coordinator":
            if not _ADDRESS.fullmatch(value):
                raise _wrong(spec, f"`coordinator={value}` is no HOST[:PORT]")
            coordinator = value
        elif key == "timeout":
            timeout_s = _seconds(spec, value)
        else:
            raise _wrong(spec, f"there is no option `{key}`, only `coordinator` and `timeout`")
    return coordinator, timeout_s


def _seconds(spec: str, value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,7}", value) or int(value) > LONGEST_TIMEOUT_S:
        raise _wrong(spec, f"`timeout={value}` is no number of seconds up to a week")
    return float(value)


def _wrong(spec: str, what: str) -> InputError:
    return InputError(f"`{spec}`: {what}", hint=f"it is {_FORM}")
