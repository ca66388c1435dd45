"""What would spoil a run on a board, in words, with what to do about it.

`examine` is pure: facts in, findings out. A new check is one function and one line in CHECKS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgegreen import probe
from edgegreen.errors import DeviceError, UnreachableError
from edgegreen.probe.doctor import hardware, intel, software, state
from edgegreen.probe.doctor.finding import Case, Finding, Gravity, Look, Trouble, spoils
from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.identity import Identity, identify
from edgegreen.target import PowerMeter, Target

GRAVITIES: tuple[Gravity, ...] = ("stops", "spoils", "unknown", "fine")


@dataclass(frozen=True)
class Check:
    """A check by its name, and for which boards and targets it makes sense."""

    name: str
    look: Look
    applies: Callable[[Case], bool] = lambda _: True


def reply(case: Case) -> list[Trouble]:
    """Did everything arrive that was asked."""
    untold = case.facts.untold
    told = f"the answer was cut short or garbled: nothing was heard of {', '.join(untold)}"
    return (
        [spoils(told, "try again; if it stays, log in with ssh and look for what the shell prints")]
        if untold
        else []
    )


def _reads_its_own_meter(case: Case) -> bool:
    return case.target.is_metered and isinstance(case.target.power, PowerMeter)


def _has_sysfs_root(case: Case) -> bool:
    return case.target.sysfs_root != "/"


def _is_pi(case: Case) -> bool:
    return case.family_is("raspberry-pi")


def _is_jetson(case: Case) -> bool:
    return case.family_is("jetson")


def _tells_of_throttling(case: Case) -> bool:
    return _is_pi(case) or _is_jetson(case)


def _has_edgetpu(case: Case) -> bool:
    return any(accelerator.kind == "edgetpu" for accelerator in case.facts.accelerators)


METER = "meter"
CHECKS = (
    Check("python", software.python),
    Check("userland", software.userland),
    Check("runtime", software.runtime),
    Check("disk", software.storage),
    Check("sysfs_root", hardware.sysfs, _has_sysfs_root),
    Check(METER, hardware.meter, _reads_its_own_meter),
    Check("supply", state.supply, _is_pi),
    Check("throttling", state.throttling, _tells_of_throttling),
    Check("heat", state.heat),
    Check("load", state.load),
    Check("memory", state.memory),
    Check("swap", state.swap),
    Check("governor", state.governor),
    Check("clock", state.clock),
    Check("edge tpu", software.edgetpu, _has_edgetpu),
    Check("intel gpu", intel.gpu, intel.has_gpu),
    Check("intel npu", intel.npu, intel.has_npu),
    Check("family", hardware.family),
    Check("jetpack", software.jetpack, _is_jetson),
    Check("tensorrt", software.tensorrt, _is_jetson),
    Check("emulation", hardware.emulation),
    Check("reply", reply),
)
LINK = "link"


def examine(facts: BoardFacts, target: Target) -> list[Finding]:
    """Every check's findings, the gravest first; a check that found nothing says `fine` or `unknown`."""
    case = Case(facts, identify(facts), target)
    found: list[Finding] = []
    for check in CHECKS:
        if not check.applies(case):
            continue
        troubles = check.look(case)
        if troubles:
            found += (Finding(check.name, *trouble) for trouble in troubles)
        else:
            found.append(Finding(check.name, "unknown" if troubles is None else "fine"))
    return sorted(found, key=_gravity)


@dataclass(frozen=True)
class Checkup:
    """A target's findings. `identity` is None when the board was not reached."""

    name: str
    identity: Identity | None
    findings: tuple[Finding, ...]
    exit_code: int
    """0; 5 when something stops a run; 4 when the board was not reached."""


def visit(target: Target) -> Checkup:
    """Probe the board and examine it. A board that does not answer is a finding too, in the error's words."""
    try:
        probed = probe.probe(target)
    except (UnreachableError, DeviceError) as error:
        return Checkup(
            target.name, None, (Finding(LINK, "stops", error.message, error.hint),), error.exit_code
        )
    findings = (Finding(LINK, "fine"), *examine(probed.facts, target), *_host_meter(target))
    stopped = any(finding.gravity == "stops" for finding in findings)
    ordered = tuple(sorted(findings, key=_gravity))
    return Checkup(target.name, probed.identity, ordered, DeviceError.exit_code if stopped else 0)


def _host_meter(target: Target) -> list[Finding]:
    """What the meter says that this machine reads for the target, if there is one."""
    if target.power is None or isinstance(target.power, PowerMeter):
        return []
    troubles = hardware.host_meter(target.power)
    return [Finding(METER, *trouble) for trouble in troubles] or [Finding(METER, "fine")]


def _gravity(finding: Finding) -> int:
    return GRAVITIES.index(finding.gravity)
