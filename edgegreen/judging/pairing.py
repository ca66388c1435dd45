"""Two runs side by side: which trial of one is which of the other, and what tells them apart. Pure.

What tells them apart is where and how they ran. The model is not of it: that is what runs are compared for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass

from edgegreen.measurement import Measurement, Record

NOT_TOLD = "not told"
NAMED = 5  # of many that a difference could name
Key = Callable[[Measurement], Hashable]
Name = tuple[str, str, int]
"""A trial's variant, target and threads."""


class Difference(Record):
    """What two trials differ in besides the model, and what it was in either."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before} → {self.after}"


@dataclass(frozen=True)
class Pair:
    """A trial of the run before and the one of the run after that it is compared with."""

    before: Measurement
    after: Measurement

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What makes a comparison of their readings one of more than the model."""
        return tuple(_differences(self.before, self.after))


@dataclass(frozen=True)
class Pairing:
    """Pairs in the order of the run after; and the trials that are in one of the runs only."""

    pairs: tuple[Pair, ...]
    only_before: tuple[Measurement, ...]
    only_after: tuple[Measurement, ...]


# What makes trials the same, the strictest first.
EXACT: tuple[Key, ...] = (
    lambda m: (m.variant, m.target, m.threads, m.tuning, m.runtime.name),
    lambda m: (m.variant, m.target, m.threads, m.tuning),
)
# The same for runs that have no target in common.
ACROSS_TARGETS: tuple[Key, ...] = (lambda m: (m.variant, m.threads, m.tuning), lambda m: m.variant)


def pairs(before: Sequence[Measurement], after: Sequence[Measurement]) -> Pairing:
    """The trials of two runs, each paired with the one that it is most like, where only one is."""
    found: dict[int, int] = {}  # index after → index before
    for key in (*EXACT, _variant_on_target, *ACROSS_TARGETS):
        if key in ACROSS_TARGETS and found:
            break
        settled = set() if key in EXACT else {_variant_on_target(after[index]) for index in found}
        ours = _alone(after, key, taken=found.keys(), settled=settled)
        theirs = _alone(before, key, taken=found.values(), settled=settled)
        found |= {index: theirs[value] for value, index in ours.items() if value in theirs}
    return Pairing(
        tuple(Pair(before[found[index]], after[index]) for index in sorted(found)),
        tuple(item for index, item in enumerate(before) if index not in found.values()),
        tuple(item for index, item in enumerate(after) if index not in found),
    )


def gathered(runs: Sequence[Sequence[Measurement]]) -> list[tuple[Measurement, ...]]:
    """The trials of several runs: each with all its starts, the first run's first."""
    if len(runs) == 1:
        return [(item,) for item in runs[0]]
    found: dict[Hashable, list[Measurement]] = defaultdict(list)
    for results in runs:
        for item in results:
            found[EXACT[0](item)].append(item)
    return list(map(tuple, found.values()))


def apart(starts: Sequence[Measurement], when: str) -> Iterator[Difference]:
    """What makes these no starts of one and the same trial. Here the model's file is of it."""
    first = starts[0]
    for other in starts[1:]:
        for one in _differences(first, other):
            yield one.model_copy(update={"what": f"{one.what} among the runs {when}"})
        then, now = first.artifact.sha256, other.artifact.sha256
        if then != now:
            yield Difference(what=f"model file among the runs {when}", before=then[:12], after=now[:12])


def unlike(before: Sequence[Name], after: Sequence[Name]) -> Iterator[Difference]:
    """In what the names differ of two runs' trials that have none in common."""
    for index, what in enumerate(("variants", "targets", "threads")):
        then, now = (list(dict.fromkeys(str(name[index]) for name in side)) for side in (before, after))
        if set(then) != set(now):
            yield Difference(what=what, before=_some(then), after=_some(now))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more


def _variant_on_target(item: Measurement) -> tuple[str, str]:
    """The looser key, for a variant that has no exact pair."""
    return item.variant, item.target


def _alone(
    items: Sequence[Measurement], key: Key, *, taken: Collection[int], settled: Collection[Hashable]
) -> dict[Hashable, int]:
    """Of the trials that are still free: those that have their key to themselves."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if index not in taken and _variant_on_target(item) not in settled:
            found[key(item)].append(index)
    return {value: indices[0] for value, indices in found.items() if len(indices) == 1}


def _differences(before: Measurement, after: Measurement) -> Iterator[Difference]:
    for what, told in CIRCUMSTANCES.items():
        then, now = told(before), told(after)
        if then != now:
            yield Difference(what=what, before=then or NOT_TOLD, after=now or NOT_TOLD)
    # A meter that only one of them had leaves no energies to compare, and is no difference between any.
    if before.energy and after.energy and (then := _meter(before)) != (now := _meter(after)):
        yield Difference(what="meter", before=then, after=now)


def _board(item: Measurement) -> str | None:
    board = item.conditions.get("board") or {}
    cores = f"{board['cpu_count']} cores" if board.get("cpu_count") else None
    return ", ".join(filter(None, (board.get("hostname"), board.get("machine"), cores))) or None


def _cpu(item: Measurement) -> str | None:
    features = (item.conditions.get("board") or {}).get("cpu_features")
    return " ".join(sorted(features)) or "none" if features is not None else None


def _runtime(item: Measurement) -> str:
    used = item.runtime
    return f"{used.name} {used.version}" + (f" + {used.delegate}" if used.delegate else "")


def _governor(item: Measurement) -> str | None:
    """What the recipe set, or what the board had by itself."""
    if item.tuning and item.tuning.governor:
        return item.tuning.governor
    told = (item.conditions.get("before") or {}).get("governor") or {}
    return ", ".join(sorted({str(one) for one in told.values()})) or None


def _power_mode(item: Measurement) -> str | None:
    told = (item.conditions.get("before") or {}).get("power_mode")
    if isinstance(told, dict) and told.get("name"):
        return str(told["name"])
    asked = item.tuning and item.tuning.power_mode
    return None if asked is None else str(asked)


def _meter(item: Measurement) -> str:
    """What was read of which part of the board. Paths are not of it: the kernel numbers them anew."""
    about = (item.conditions.get("meter") or {}).get("about") or {}
    power = item.power
    told = (about.get("kind") or power.source, power.rail, power.scope) if power else (about.get("kind"),)
    return ", ".join(str(one) for one in told if one) or NOT_TOLD


# What two trials should have in common for their readings to say something of the model.
CIRCUMSTANCES: dict[str, Callable[[Measurement], str | None]] = {
    "board": _board,
    "CPU features": _cpu,
    "runtime": _runtime,
    "threads": lambda item: str(item.threads),
    "power mode": _power_mode,
    "governor": _governor,
    "board is": lambda item: "emulated" if item.emulated else "a real one",
    "readings were": lambda item: "replayed" if item.conditions.get("replayed") else "measured then",
}
