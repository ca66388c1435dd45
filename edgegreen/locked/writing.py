"""Writing a lock: this machine as it is, each target as it is, with the runtimes there that its trials want.

What a first deploy would bring to a board is brought here: a lock names the wheels that were seen to compute.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from edgegreen import building, provision, transport
from edgegreen.building import Progress
from edgegreen.errors import DeviceError, InputError
from edgegreen.formats import RuntimeName
from edgegreen.locked import board, host
from edgegreen.locked.board import Seen
from edgegreen.locked.lock import BoardLock, Lock, RuntimeLock
from edgegreen.plan import Plan
from edgegreen.provision import lockfile
from edgegreen.target import Target

VERSION = 1


def make(plan: Plan, progress: Progress, *, build: bool = False) -> Lock:
    """The lock of a plan's recipe on its targets; with `build`, also of what is built.

    Raises InputError, ConversionError, UnreachableError, DeviceError: whatever the first target that cannot
    be locked, or the first variant that cannot be built, makes of it.
    """
    _check(plan)
    origin = host.of(plan.recipe)
    with ThreadPoolExecutor(len(plan.targets)) as pool:
        boards = list(pool.map(lambda target: _board(plan, target, progress), plan.targets))
    return Lock(
        version=VERSION,
        origin=origin,
        artifacts=_artifacts(plan, progress) if build else {},
        targets={target.name: one for target, one in zip(plan.targets, boards, strict=True)},
    )


def _check(plan: Plan) -> None:
    """Raise InputError for a target whose name is an address, and for one that is a recording."""
    for target in plan.targets:
        if "://" in target.name:
            raise InputError(
                f"{target.name}: a lock is committed, and has no addresses in it",
                hint=f"give the board a name: `edgegreen targets add NAME {target.name}`",
            )
        if target.recording:
            raise InputError(f"{target.name}: a recording is no board to lock", hint="name the board itself")


def _board(plan: Plan, target: Target, progress: Progress) -> BoardLock:
    trials = plan.trials_of(target)
    progress.step(target.name, "connecting")
    with transport.connect(target) as link:
        progress.step(target.name, "asking")
        seen = board.look(link, target, trials)
        if seen.lacking and target.provision:
            told = lambda stage, done: progress.step(target.name, "provisioning", stage, done)  # noqa: E731
            report = provision.over(link, target, seen.lacking, told)
            if report.failures:
                raise report.failures[0]
            seen = board.look(link, target, trials)
    if seen.lacking:
        raise DeviceError(
            f"{target.name}: its Python has no {' or '.join(seen.lacking[0])}",
            hint="install one there, or have `provision: true` in the target",
        )
    progress.finish(target.name, "locked")
    return _with_wheels(target, seen)


def _with_wheels(target: Target, seen: Seen) -> BoardLock:
    runtimes: dict[RuntimeName, RuntimeLock] = dict(seen.board.runtimes)
    for name, kit in seen.brought.items():
        wheels = lockfile.holding(name, kit.folders)
        if wheels is None:
            raise DeviceError(
                f"{target.name}: {name} {kit.version} was brought there from another machine: its wheels are "
                "not known here",
                hint=f"lock on that machine, or bring it anew: `edgegreen targets provision {target.name} "
                f"--runtime {name} --renew`",
            )
        runtimes[name] = RuntimeLock(version=kit.version, wheels=wheels)
    return seen.board.model_copy(update={"runtimes": runtimes})


def _artifacts(plan: Plan, progress: Progress) -> dict[str, str]:
    built, failed = building.build_only(plan, progress)
    if failed:
        raise next(iter(failed.values()))
    return {name: artifact.sha256 for name, artifact in built.items()}
