"""Power meters on the board. A new kind is one file with a `find` and one line in METERS.

`choose` finds the meter a target asks for, or the best one of its family; it says in words what it took, or
why there is none. A number is never made up.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Callable, NamedTuple

from . import hwmon, ina238, ina3221, pmic, power_supply, rapl
from .base import SCOPES, Meter, Sum
from .tree import Run, Unreadable, run

AUTO = "auto"

METERS: dict[str, Callable[[str, Run], list[Meter]]] = {
    "ina3221": ina3221.find,
    "ina238": ina238.find,
    "pmic": pmic.find,
    "hwmon": hwmon.find,
    "rapl": rapl.find,
    "power_supply": power_supply.find,
}

# Of what is in hwmon, `auto` takes power monitors that are known: a graphics card's power is not the board's.
UNASKED = dict(METERS, hwmon=hwmon.find_monitors)

# A rail → those whose watts are in its own, where that is known of a kind.
PARTS = {"ina3221": ina3221.PARTS}

# What `auto` looks for on each family of boards, the best first. hwmon stands where nothing is built in,
# for a monitor the user wired up.
FAMILIES = {
    "raspberry-pi-3": ("hwmon",),
    "raspberry-pi-4": ("hwmon",),
    "raspberry-pi-5": ("pmic", "hwmon"),
    "raspberry-pi-zero-2w": ("hwmon",),
    "jetson-nano": ("ina3221",),
    "jetson-orin": ("ina3221",),
    "jetson-agx-orin": ("ina3221",),
    "jetson-thor": ("ina238",),
    "coral-dev": ("hwmon",),
    "coral-usb": ("hwmon", "power_supply"),
    "x86": ("rapl", "power_supply"),
    "linux": ("ina238", "ina3221", "pmic", "rapl", "power_supply", "hwmon"),
}

# What is worth saying beside what was found.
NOTES = {
    "raspberry-pi-3": "a Raspberry Pi 3 has no power sensor of its own",
    "raspberry-pi-4": "a Raspberry Pi 4 has no power sensor of its own",
    "raspberry-pi-zero-2w": "a Raspberry Pi Zero 2 W has no power sensor of its own",
    "coral-dev": "a Coral Dev Board has no power sensor of its own",
    "coral-usb": "RAPL and a Raspberry Pi 5's power chip do not see a USB stick and are not taken unasked",
}

WORDS = {
    "ina3221": "INA3221 power monitor",
    "ina238": "INA238 power monitor",
    "pmic": "answer to `vcgencmd pmic_read_adc`",
    "hwmon": "power sensor in hwmon",
    "rapl": "RAPL counter",
    "power_supply": "battery",
}


class Choice(NamedTuple):
    """The meter that was taken and why, or None and why not."""

    meter: Meter | None
    why: str


def choose(
    root: str,
    family: str,
    run_: Run = run,
    kind: str = AUTO,
    rail: str | None = None,
    *,
    scope: str | None = None,
) -> Choice:
    """The meter of this kind (AUTO: the family's best) and rail; the rail "A + B" is the sum of both.

    `scope` is what the user knows it sees and the board cannot tell. Raises ValueError for one of no name.
    """
    if not os.path.isdir(root):
        told = "there is no folder {} on the board, in which its `/sys` is looked for".format(root)
        return Choice(None, told + "; `sysfs_root` in the target names it, and may be left out")
    kinds = FAMILIES.get(family, FAMILIES["linux"]) if kind == AUTO else (kind,)
    reasons = [NOTES[family]] if kind == AUTO and family in NOTES else []
    absent = []
    for name in kinds:
        if name not in METERS:
            return Choice(None, "no meter is called `{}`; there are {}".format(name, ", ".join(METERS)))
        try:
            meters = (UNASKED if kind == AUTO else METERS)[name](root, run_)
            if meters:
                meter = _pick(meters, name, rail)
                meter.read()
                if scope:
                    meter = with_scope(meter, scope)
                return Choice(meter, "; ".join([_told(meter, kind, family, scope), *reasons]))
            absent.append(name)
        except Unreadable as error:
            reasons.append(str(error))
    if absent:
        reasons.append("found " + ", ".join("no " + WORDS[name] for name in absent))
    return Choice(None, "; ".join(reasons))


def with_scope(meter: Meter, scope: str) -> Meter:
    """The same meter, of a scope that the user knows and the board cannot tell. Raises ValueError."""
    if scope not in SCOPES:
        raise ValueError("no scope is called `{}`; there are {}".format(scope, ", ".join(SCOPES)))
    meter.about = replace(meter.about, scope=scope, misses="")
    return meter


def _pick(meters: list[Meter], kind: str, rail: str | None) -> Meter:
    """The main meter, or the one of this rail. Raises Unreadable when it cannot be told which that is."""
    rails = list(dict.fromkeys(meter.about.rail for meter in meters))
    if rail is None:
        mains = [meter for meter in meters if meter.about.main] or (meters if len(meters) == 1 else [])
        if mains:
            return mains[0]
        told = "{} has the rails {}; which of them contain others is not known".format(kind, ", ".join(rails))
        raise Unreadable(told, "name one as `rail`, or several that do not overlap as `rail: A + B`")
    names = [rail] if rail in rails else _names(rail)
    parts = [_of_rail(meters, name, kind) for name in names]
    _check_counted_once(names, kind)
    return parts[0] if len(parts) == 1 else Sum.of(parts, misses="every other rail")


def _of_rail(meters: list[Meter], rail: str, kind: str) -> Meter:
    for meter in meters:
        if meter.about.rail == rail:
            return meter
    rails = ", ".join(dict.fromkeys(meter.about.rail for meter in meters))
    raise Unreadable("{} has no rail `{}`; there are {}".format(kind, rail, rails))


def _check_counted_once(names: list[str], kind: str) -> None:
    """Raises Unreadable where a sum would count watts twice."""
    known = PARTS.get(kind, {})
    for name in names:
        if names.count(name) > 1:
            raise Unreadable("`rail` names {} twice".format(name), "name every rail once")
        inside = [part for part in known.get(name, ()) if part in names]
        if inside:
            told = "the watts of {} are already in {}, and a sum would count them twice"
            hint = "name {} without {}".format(name, " and ".join(inside))
            raise Unreadable(told.format(" and ".join(inside), name), hint)


def _names(rail: str) -> list[str]:
    return [name.strip() for name in rail.split("+")]


def _told(meter: Meter, kind: str, family: str, scope: str | None) -> str:
    about = meter.about
    asked = "found by `auto` for family {}".format(family) if kind == AUTO else "as asked"
    misses = ", without {}".format(about.misses) if about.misses else ""
    sees = about.scope + (" by the target's word" if scope else misses)
    return "{}, {}: {} ({})".format(about.kind, asked, about.rail, sees)
