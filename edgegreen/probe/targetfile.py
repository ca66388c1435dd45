"""A target file of what the probe found: YAML, with comments that say where each line comes from.

What was given to reach the board is kept as it was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from edgegreen import target
from edgegreen.agent import meters
from edgegreen.agent.wire import one_line, printable
from edgegreen.config import yamlfile
from edgegreen.errors import InputError
from edgegreen.probe import Probed, pythons
from edgegreen.probe.facts import Meter
from edgegreen.target import Target

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,62}", re.ASCII)
# Text that YAML reads as this very text, and nothing else would.
_PLAIN = re.compile(r"[A-Za-z~/][\w./~-]*|\d+\.\d+\.\d+[\w.-]*", re.ASCII)
_NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "~", "y", "n"}
_KEPT = ("host", "port", "user", "identity_file", "proxy_jump")
_KEPT_BELOW = ("root", "sysfs_root", "provision", "patience_s", "allow_tuning")


def place(name: str, folder: Path, force: bool = False) -> Path:
    """Where the file of that name goes. Raises InputError: no name for a target, or a file that is there."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"`{name}` cannot be a target's name", hint="letters, digits, - and _, such as pi5-kitchen"
        )
    path = folder / f"{name}.yaml"
    if path.exists() and not force:
        raise InputError(f"{path}: is there already", hint="take another name, or --force to overwrite it")
    return path


def write(path: Path, probed: Probed) -> Target:
    """Write the target file, and read it back. Raises InputError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_text(text(probed), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    return target.load(path)


def text(probed: Probed, today: date | None = None) -> str:
    """The file's text, checked to be a valid target."""
    day = today or datetime.now(tz=UTC).date()
    lines = [*_heading(probed, day), *_board(probed), *_python(probed), *_meter(probed), *_rest(probed)]
    made = "".join(f"{line}\n" for line in lines)
    yamlfile.parse(made, Target, "the target file")
    return made


def _heading(probed: Probed, today: date) -> Iterator[str]:
    facts, board = probed.facts, probed.identity
    yield _comment(f"{board.name}, as it told on {today.isoformat()} (`edgegreen targets add`).")
    cores = f"{facts.cpu.cores} cores" if facts.cpu.cores else None
    parts = [
        board.soc,
        ", ".join(facts.cpu.models) or None,
        cores,
        facts.release.name,
        _bits(probed),
        facts.libc,
    ]
    if facts.tegra:
        parts.append(f"L4T {facts.tegra.major}.{facts.tegra.revision}")
    yield _comment(", ".join(str(part) for part in parts if part))
    if board.emulated:
        yield _comment("An emulator: what it measures says nothing of a board.")
    for accelerator in facts.accelerators:
        yield _comment(f"Beside the CPU there is: {accelerator.name}")


def _bits(probed: Probed) -> str | None:
    return f"{probed.facts.bits}-bit" if probed.facts.bits else None


def _board(probed: Probed) -> Iterator[str]:
    asked, board = probed.target, probed.identity
    source = "the device tree" if probed.facts.model or probed.facts.compatible else "uname and DMI"
    yield f"family: {board.family}  # from {source}"
    for key in _KEPT:
        if key in asked.model_fields_set and getattr(asked, key) is not None:
            yield f"{key}: {_scalar(getattr(asked, key))}"


def _python(probed: Probed) -> Iterator[str]:
    """`python`, where another than python3 is the right one; what it has in any case."""
    facts, asked = probed.facts, probed.target
    works = facts.python is not None and pythons.is_usable(facts.python)
    given = works and "python" in asked.model_fields_set
    chosen = facts.python if given else pythons.best(facts.pythons)
    if chosen is None:
        yield _comment("No Python 3.7 or newer was found. With one installed: python: /path/to/python3")
        return
    has = ", ".join(f"{package.name} {package.version or ''}".strip() for package in chosen.packages)
    told = f"Python {pythons.dotted(chosen)} has {has or 'no runtime'}."
    if not pythons.runtimes(chosen):
        told += " The first deploy brings what is built for this system."
    yield _comment(told)
    if given:
        yield f"python: {_scalar(asked.python)}"
    elif facts.python is None or chosen != facts.python:
        yield f"python: {_scalar(chosen.path)}"


def _meter(probed: Probed) -> Iterator[str]:
    """`power`, where this board has a meter, with what it takes to read it; as it was given, if it was."""
    family, facts = probed.identity.family, probed.facts
    if probed.target.power:
        given = probed.target.power.model_dump(exclude_unset=True, exclude_none=True)
        yield f"power: {{{', '.join(f'{key}: {_scalar(value)}' for key, value in given.items())}}}"
        return
    mine = [meter for kind in meters.FAMILIES[family] for meter in facts.meters if meter.kind == kind]
    readable = [meter for meter in mine if meter.readable]
    others = [meter for meter in facts.meters if meter not in mine]
    if readable:
        yield _comment(f"Energy by {_told(readable[0])}.")
        yield "power: {meter: auto}"
    elif mine:
        yield _comment(
            f"There is {_told(mine[0])}, which {facts.system.user or 'this user'} may not read now."
        )
        yield _comment(f"To have it read: {mine[0].why_not}" if mine[0].why_not else "It takes permission.")
        yield "power: {meter: auto}"
    else:
        yield _comment(f"No power meter was found: {meters.NOTES.get(family, 'there will be no energy')}.")
    for meter in others:
        yield _comment(f"Found too, and not taken unasked: {_told(meter)}.")


def _told(meter: Meter) -> str:
    rails = f" ({', '.join(meter.rails)})" if meter.rails else ""
    return f"the meter `{meter.kind}`{rails}"


def _rest(probed: Probed) -> Iterator[str]:
    asked = probed.target
    for key in _KEPT_BELOW:
        if key in asked.model_fields_set:
            yield f"{key}: {_scalar(getattr(asked, key))}"
    if asked.runtimes:
        yield f"runtimes: [{', '.join(asked.runtimes)}]"


def _scalar(value: object) -> str:
    """The value so that YAML reads it back the same."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_scalar(one) for one in value)}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    plain = str(value)
    safe = _PLAIN.fullmatch(plain) and plain.lower() not in _NOT_TEXT
    return plain if safe else json.dumps(plain, ensure_ascii=False)


def _comment(words: str) -> str:
    """One line: what a board says of itself must not become a line of YAML."""
    return f"# {one_line(printable(words), 400)}"
