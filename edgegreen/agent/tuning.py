"""The board's settings that a sweep may change: the CPU governor and, on a Jetson, the power mode.

Sets them, reads them back, and puts them back as they were. When, and what if nobody is left to ask for
it, is for `guard` to know. Nothing here ever reboots a board.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, Callable, Mapping

from . import conditions, wire
from .meters.tree import DENIED, Output, Unreadable, at, run, text

NVPMODEL_S = 20.0  # it takes cores down and up, one after the other
NVPMODEL_CONF = "etc/nvpmodel.conf"
# < POWER_MODEL ID=2 NAME=MAXN_SUPER >, of which -m takes the number only.
POWER_MODEL = re.compile(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", re.MULTILINE)
# nvpmodel asks on stdin whether to reboot, and takes anything but YES for a no: then nothing is changed.
REBOOT = re.compile(r"reboot required|want to reboot", re.IGNORECASE)

Do = Callable[..., Output]  # as tree.run


class Refused(Exception):
    """A setting cannot be had; `hint` says what to do about it, if anything can be done."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Order:
    """What a `tune` request asks for. With neither governor nor power mode: what was changed is put back.

    `root` stands for `/`; in `folder` it is noted what was changed. After a change it waits `settle_s` and
    looks again.
    """

    governor: str | None
    power_mode: int | str | None
    root: str
    folder: str
    settle_s: float

    @property
    def restores(self) -> bool:
        """Whether it asks for the board's own settings."""
        return self.governor is None and self.power_mode is None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Order:
        """From a request; raises NotUnderstood."""
        kinds = {
            "governor": (str, type(None)),
            "power_mode": (str, int, type(None)),
            "root": (str,),
            "folder": (str,),
            "settle_s": (int, float),
        }
        wrong = [name for name, kind in kinds.items() if not isinstance(raw.get(name), kind)]
        if wrong or not set(kinds) <= set(raw) or not 0 <= raw["settle_s"] <= 10:
            raise wire.NotUnderstood("tune: {}".format(wrong[0] if wrong else "a key is missing"))
        return cls(**{field.name: raw[field.name] for field in fields(cls)})

    def wire(self) -> dict[str, Any]:
        """The request's fields."""
        return asdict(self)


@dataclass
class State:
    """A board's own settings, before any was changed. `boot_id` is the boot that the governors are of."""

    root: str
    boot_id: str | None
    governors: dict[str, str]
    power_mode: int | None


def boot_id(root: str) -> str | None:
    """What tells this boot from any other."""
    return text(at(root, "proc/sys/kernel/random/boot_id"))


def governors(root: str) -> dict[str, str]:
    """The governor of each policy that has one."""
    told = {
        name: text(path + "/scaling_governor") for name, path in sorted(conditions.policies(root).items())
    }
    return {name: governor for name, governor in told.items() if governor}


def power_mode(root: str, run_: Do = run) -> int:
    """The number of the power mode. Raises Refused where there are none."""
    mode = conditions.power_mode(run_)
    if mode is None:
        raise Refused("nvpmodel gives no power mode here", "only a Jetson has power modes to choose from")
    return int(mode["id"]) if mode["id"] is not None else mode_number(root, mode["name"])


def mode_number(root: str, wanted: int | str) -> int:
    """The number of a power mode that may be given by name. Raises Refused with those there are."""
    if isinstance(wanted, int):
        return wanted
    modes = {name: int(number) for number, name in POWER_MODEL.findall(text(at(root, NVPMODEL_CONF)) or "")}
    folded = {name.upper(): number for name, number in modes.items()}
    if wanted.upper() not in folded:
        known = ", ".join("{} ({})".format(name, number) for name, number in modes.items())
        raise Refused(
            "there is no power mode `{}`".format(wanted),
            "this board has " + known if known else "/{} lists none; give its number".format(NVPMODEL_CONF),
        )
    return folded[wanted.upper()]


def apply(order: Order, run_: Do = run, sleep: Callable[[float], None] = time.sleep) -> None:
    """Set what is asked for, the power mode first: it may bring cores, and with them governors.

    Raises Refused; then a part may be set.
    """
    changed = False
    if order.power_mode is not None:
        changed = set_power_mode(order.root, mode_number(order.root, order.power_mode), run_)
    if order.governor is not None:
        changed = set_governor(order.root, order.governor, run_) or changed
    if changed:
        sleep(order.settle_s)
        _check_it_stays(order, run_)


def restore(own: State, run_: Do = run) -> list[str]:
    """Put back what differs from `own`; what was put back, in words. Raises Refused with all that stays."""
    done: list[str] = []
    failed: list[Refused] = []

    def attempt(what: str, change: Callable[[], bool]) -> None:
        try:
            if change():
                done.append(what)
        except Refused as error:
            failed.append(error)

    mode = own.power_mode
    if mode is not None:
        attempt("power mode {}".format(mode), partial(set_power_mode, own.root, mode, run_))
    paths = conditions.policies(own.root)
    for name, governor in own.governors.items():
        if name in paths:  # or its cores were switched off meanwhile
            attempt(
                "governor {} of {}".format(governor, name),
                partial(_set_governor_of, paths[name], governor, run_),
            )
    if failed:
        hints = [error.hint for error in failed if error.hint]
        raise Refused("; ".join(error.message for error in failed), hints[0] if hints else "")
    return done


def set_governor(root: str, wanted: str, run_: Do = run) -> bool:
    """Set it for every policy; whether that changed any. Raises Refused."""
    paths = conditions.policies(root)
    if not paths:
        raise Refused("this board has no CPU governors", "nothing is in /sys/devices/system/cpu/cpufreq")
    for name, path in paths.items():
        available = (text(path + "/scaling_available_governors") or "").split()
        if available and wanted not in available:
            raise Refused(
                "there is no governor `{}` for {}".format(wanted, name),
                "this board has " + ", ".join(available),
            )
    changed = [_set_governor_of(path, wanted, run_) for path in paths.values()]
    return any(changed)


def _set_governor_of(policy: str, wanted: str, run_: Do) -> bool:
    path = policy + "/scaling_governor"
    if text(path) == wanted:
        return False
    _write(path, wanted, run_)
    if text(path) != wanted:
        raise Refused("{} says `{}` after `{}` was written to it".format(path, text(path), wanted))
    return True


def _write(path: str, value: str, run_: Do) -> None:
    """Write a sysfs file, by `sudo -n tee` where only root may and sudo asks no password. Raises Refused."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(fd, value.encode("ascii", "replace"))
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in DENIED and _by_sudo(["tee", path], run_, value + "\n"):
            return
        hint = "log in as root, or until the next boot: sudo chmod a+w {}".format(path)
        raise Refused("{}: {}".format(path, error.strerror), hint if error.errno in DENIED else "") from None


def set_power_mode(root: str, wanted: int, run_: Do = run) -> bool:
    """Set it by number; whether that changed it. Raises Refused, also when it would take a reboot."""
    if power_mode(root, run_) == wanted:
        return False
    command = ["nvpmodel", "-m", str(wanted)]
    try:
        said = run_(command, timeout_s=NVPMODEL_S).text
    except Unreadable as error:
        raise Refused(str(error)) from None
    # Its exit code says little: it has been seen to be 0 after errors. What counts is the mode it is in.
    if power_mode(root, run_) != wanted and not REBOOT.search(said):
        said = _by_sudo(command, run_) or said
    if power_mode(root, run_) == wanted:
        return True
    if REBOOT.search(said):
        raise Refused(
            "power mode {} takes a reboot, which edgegreen does not do".format(wanted),
            "sudo nvpmodel -m {}, answer YES, and measure that mode in a run of its own".format(wanted),
        )
    told = wire.one_line(said, 200) or "it says nothing"
    hint = "log in as root, or let sudo run `nvpmodel -m {}` without a password".format(wanted)
    raise Refused(
        "nvpmodel does not set power mode {}: {}".format(wanted, told), hint if os.geteuid() else ""
    )


def _by_sudo(command: list[str], run_: Do, stdin: str = "") -> str:
    """What the command printed when sudo ran it without a password; "" when it did not, or need not."""
    if os.geteuid() == 0:
        return ""
    try:
        done = run_(["sudo", "-n", *command], stdin=stdin.encode(), timeout_s=NVPMODEL_S)
    except Unreadable:
        return ""
    return done.text if done.code == 0 or REBOOT.search(done.text) else ""


def _check_it_stays(order: Order, run_: Do) -> None:
    """Raise Refused when another program has set it back meanwhile."""
    for name, governor in governors(order.root).items():
        if order.governor not in (None, governor):
            raise Refused(
                "the governor of {} is `{}` again".format(name, governor),
                "another program sets it: stop it (power-profiles-daemon, tuned, tlp) while you measure",
            )
    if order.power_mode is not None:
        now = power_mode(order.root, run_)
        if now != mode_number(order.root, order.power_mode):
            raise Refused("the power mode is {} again".format(now), "another program sets it")
