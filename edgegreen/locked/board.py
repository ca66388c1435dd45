"""What a lock holds fixed on a target: asked in two round trips, before anything is sent there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from edgegreen import probe
from edgegreen.errors import DeviceError, InputError
from edgegreen.formats import RuntimeName
from edgegreen.judging.pairing import Difference
from edgegreen.locked import differing
from edgegreen.locked.lock import BoardLock, RuntimeLock
from edgegreen.plan import Trial
from edgegreen.probe import pythons
from edgegreen.probe.facts import BoardFacts
from edgegreen.probe.identity import identify
from edgegreen.provision import Want, inplace
from edgegreen.provision.inplace import InPlace
from edgegreen.target import Target
from edgegreen.transport import Transport

OWN = "the board's own"


@dataclass(frozen=True)
class Seen:
    """A board as it is now, and the runtimes that are `wanted` of it, each choice once.

    `brought` are those that edgegreen brought, among the ones that would run; `lacking` are the choices that
    nothing there serves.
    """

    board: BoardLock
    wanted: tuple[Want, ...]
    brought: Mapping[RuntimeName, InPlace] = field(default_factory=dict)
    lacking: tuple[Want, ...] = ()


def look(link: Transport, target: Target, trials: Sequence[Trial]) -> Seen:
    """Ask the board. Raises UnreachableError, DeviceError when its Python does not answer."""
    facts = probe.ask(link, target)
    brought = inplace.kits(link, target, facts.python.abi if facts.python else None)
    return of(facts, brought, target, trials)


def of(
    facts: BoardFacts, brought: Mapping[RuntimeName, InPlace], target: Target, trials: Sequence[Trial]
) -> Seen:
    """What a board that tells these facts is to these trials. Raises DeviceError without a Python."""
    if facts.python is None or facts.python.version is None:
        raise DeviceError(
            f"{target.name}: `{target.interpreter}` is not there, or does not answer",
            hint="`edgegreen targets doctor` says what there is; `python:` in the target names another",
        )
    own = _own(facts)
    runtimes: dict[RuntimeName, RuntimeLock] = {}
    lacking = []
    wanted = tuple(dict.fromkeys(trial.runtimes for trial in trials))
    for want in wanted:
        name = next((one for one in want if one in own or one in brought), None)
        if name is None:
            lacking.append(want)
        else:
            runtimes[name] = RuntimeLock(version=own.get(name) or brought[name].version)
    return Seen(
        _told(facts, trials, runtimes),
        wanted,
        {name: brought[name] for name in runtimes if name not in own},
        tuple(lacking),
    )


def check(locked: BoardLock, seen: Seen, target: Target) -> None:
    """Raise InputError, in one line, when the board is not what was locked."""
    said = differing.words(differences(locked, seen, provision=target.provision))
    if said:
        raise InputError(
            f"{target.name}: not what was locked: {'; '.join(said)}",
            hint="if that is meant, `edgegreen lock` locks what is there now",
        )


def differences(locked: BoardLock, seen: Seen, *, provision: bool) -> list[Difference]:
    """What is not as it was locked. A runtime with locked wheels may be missing: they are brought."""
    coming = {
        name
        for want in seen.lacking
        for name in want
        if provision and name in locked.runtimes and locked.runtimes[name].wheels
    }
    asked = {name for want in seen.wanted for name in want} - coming
    then = locked.model_dump(exclude={"runtimes"})
    now = seen.board.model_dump(exclude={"runtimes"})
    then |= {f"runtimes.{name}": one.version for name, one in locked.runtimes.items() if name in asked}
    now |= {f"runtimes.{name}": one.version for name, one in seen.board.runtimes.items()}
    unlocked = [
        Difference(what=f"runtimes.{want[0]}", before=differing.NOTHING, after="one that is to be brought")
        for want in seen.lacking
        if not set(want) & set(locked.runtimes)
    ]
    return [*differing.between(then, now), *_of_wheels(locked, seen), *unlocked]


def _of_wheels(locked: BoardLock, seen: Seen) -> Iterator[Difference]:
    for name, one in locked.runtimes.items():
        if name not in seen.board.runtimes or one.version != seen.board.runtimes[name].version:
            continue  # it is to come, or its version says it all
        kit = seen.brought.get(name)
        wanted = tuple(wheel.folder for wheel in one.wheels)
        if wanted != (kit.folders if kit else ()):
            yield Difference(
                what=f"runtimes.{name}.wheels",
                before=", ".join(f"{wheel.file} ({wheel.folder}…)" for wheel in one.wheels) or OWN,
                after=", ".join(f"{folder}…" for folder in kit.folders) if kit else OWN,
            )


def _own(facts: BoardFacts) -> dict[RuntimeName, str]:
    """Runtimes that the board has by itself, in its Python or beside it, and their versions."""
    packages = facts.python.packages if facts.python else ()
    found = {name: one.version for one in packages for name in pythons.RUNTIMES.get(one.name, ())}
    if facts.tensorrt and facts.tensorrt.path:
        found["tensorrt"] = facts.tensorrt.version
    return {name: version or "unknown" for name, version in found.items()}


def _told(
    facts: BoardFacts, trials: Sequence[Trial], runtimes: Mapping[RuntimeName, RuntimeLock]
) -> BoardLock:
    """Settings that the recipe makes itself are not the board's to keep."""
    identity, tunings = identify(facts), [trial.tuning for trial in trials]
    own_mode = not all(tuning and tuning.power_mode is not None for tuning in tunings)
    own_governor = not all(tuning and tuning.governor for tuning in tunings)
    tegra = facts.tegra
    return BoardLock(
        family=identity.family,
        board=identity.name,
        emulated=identity.emulated,
        machine=facts.system.machine,
        cpu=", ".join(facts.cpu.models) or None,
        cores=facts.cpu.cores,
        os=facts.release.name,
        l4t=f"{tegra.major}.{tegra.revision}" if tegra else None,
        kernel=facts.system.kernel,
        libc=str(facts.libc) if facts.libc else None,
        python=pythons.dotted(facts.python) if facts.python else None,
        power_mode=facts.power_mode.name if facts.power_mode and own_mode else None,
        governor=", ".join(facts.cpu.governors) or None if own_governor else None,
        runtimes=dict(sorted(runtimes.items())),
    )
