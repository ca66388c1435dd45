"""Checks of what the board is: its meter, its family in the target, whether it is a board at all."""

from __future__ import annotations

from edgegreen.agent import meters
from edgegreen.config.meterkeys import HostMeter
from edgegreen.meters import METERS
from edgegreen.meters.recorder import Recorder
from edgegreen.probe.doctor.finding import Case, Trouble, spoils
from edgegreen.target import PowerMeter

NO_ENERGY = "energy will be missing"


def host_meter(keys: HostMeter) -> list[Trouble]:
    """Does the meter that this machine reads answer. Asks it for one reading."""
    recorder = Recorder(lambda: METERS[keys.meter](keys))
    recorder.start()
    recorded = recorder.stop()
    if recorded.about:
        return []
    return [spoils(f"the meter `{keys.meter}`, which this machine reads: {recorded.why}; {NO_ENERGY}")]


def sysfs(case: Case) -> list[Trouble] | None:
    """Is the folder there that the target names for `/sys`."""
    is_there = case.facts.system.has_sysfs_root
    if is_there is None:
        return None
    told = (
        f"there is no folder `{case.target.sysfs_root}` on the board: no meter and no conditions will be read"
    )
    return [] if is_there else [spoils(told, "correct `sysfs_root` in the target, or leave it out")]


def meter(case: Case) -> list[Trouble] | None:
    """Is the meter of the board's own that the target wants there, and may it be read."""
    facts, power = case.facts, case.target.power
    if not isinstance(power, PowerMeter) or any(
        section in facts.untold for section in ("monitors", "counters", "firmware")
    ):
        return None
    kinds = meters.FAMILIES[case.target.family] if power.meter == meters.AUTO else (power.meter,)
    there = [found for kind in kinds for found in facts.meters if found.kind == kind]
    if any(found.readable for found in there):
        return []
    if there:
        found = there[0]
        user = facts.system.user or "this user"
        return [spoils(f"the meter `{found.kind}` may not be read by {user}; {NO_ENERGY}", found.why_not)]
    named = " and no ".join(meters.WORDS[kind] for kind in kinds)
    words = named if len(kinds) <= 2 else "power meter that edgegreen knows"
    others = ", ".join(found.kind for found in facts.meters if found.readable)
    note = meters.NOTES.get(case.identity.family)
    advice = f"there is {others}: name it as `power: {{meter: …}}`" if others else note
    return [spoils(f"there is no {words}; {NO_ENERGY}", advice)]


def family(case: Case) -> list[Trouble] | None:
    """Does the target say what the board says."""
    said, found = case.target.family, case.identity.family
    has_stick = any(accelerator.kind == "edgetpu" for accelerator in case.facts.accelerators)
    if said in (found, "linux") or found == "linux" or (said == "coral-usb" and has_stick):
        return []
    told = f"the target says `family: {said}`, the board says it is {case.identity.name}"
    return [spoils(told, f"`family: {found}` in the target: the meter goes by it")]


def emulation(case: Case) -> list[Trouble] | None:
    """Is there a real processor under it."""
    if case.identity.emulated:
        told = "this is an emulator: its latency and energy say nothing of a board's"
        return [spoils(told, "use it to see that things work")]
    if case.identity.virtual:
        told = f"a virtual machine ({case.identity.virtual}): others may share its processor"
        return [spoils(told, "expect unsteady latency; compare figures from one sitting only")]
    return []
