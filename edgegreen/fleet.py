"""Which boards are meant: by name, file, address or pattern, narrowed down by tags. Connects to nothing."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgegreen import target
from edgegreen.errors import InputError
from edgegreen.lab import spec as labspec
from edgegreen.target import Target

NAMED = 5  # of many that a message could name


@dataclass(frozen=True)
class Fleet:
    """The boards, each once, in the order they were asked for; `remarks` say what was left out, and why."""

    targets: tuple[Target, ...]
    remarks: tuple[str, ...] = ()


def select(specs: Sequence[str] = (), tags: Sequence[str] = ()) -> Fleet:
    """The boards that `specs` mean and that have all of `tags`.

    A spec is what `find` takes, or a pattern such as `pi-*` over the names of all targets that have a host.
    Without specs: every such target when there are tags, else this machine. Raises InputError: what `find`
    raises; a pattern, or tags, that nothing fits.
    """
    if not specs and not tags:
        return Fleet((find("local"),))
    known = _Known()
    chosen = dict.fromkeys(one for spec in specs or ("*",) for one in known.fitting(spec))
    fitting = tuple(one for one in chosen if set(tags) <= set(one.tags))
    if not fitting:
        raise _no_such_tags(chosen, tags, known.remarks)
    return Fleet(fitting, tuple(known.remarks))


def find(spec: str) -> Target:
    """The one target that a name, a file, an ssh:// address, `replay:PATH` or `labgrid:TAGS` means.

    Raises InputError.
    """
    if spec.startswith("replay:"):
        from edgegreen.transport import recording

        return recording.replayed(spec)
    if spec.startswith(labspec.PREFIX):
        return labspec.find(spec)
    return target.find(spec)


def is_pattern(spec: str) -> bool:
    """Whether it stands for as many targets as fit."""
    return not {":", "/"} & set(spec) and bool({"*", "?", "["} & set(spec))


class _Known:
    """The targets that can be named; their files are read once, and only for a pattern."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self._reachable: dict[str, Target] | None = None

    def fitting(self, spec: str) -> list[Target]:
        if not is_pattern(spec):
            return [find(spec)]
        reachable = self._all()
        found = [one for name, one in reachable.items() if fnmatch.fnmatchcase(name, spec)]
        if not found:
            there = f"there are {_named(reachable)}" if reachable else "`edgegreen targets list` shows all"
            raise InputError(f"no target with a `host` fits `{spec}`", hint=_with(self.remarks, there))
        return found

    def _all(self) -> dict[str, Target]:
        """Those with a host, by name. This machine is not among them: a pattern is for boards."""
        if self._reachable is None:
            self._reachable = {}
            for path, one in target.load_all().items():
                if isinstance(one, InputError):
                    self.remarks.append(f"left out: {one.line}")
                elif one.host is not None and not one.is_local:
                    self._reachable[path.stem] = one
        return self._reachable


def _no_such_tags(chosen: Iterable[Target], tags: Sequence[str], remarks: Sequence[str]) -> InputError:
    wanted = " and ".join(f"`{tag}`" for tag in tags)
    there = sorted({tag for one in chosen for tag in one.tags})
    names = [one.name for one in chosen]
    return InputError(
        f"no target of {_named(names)} is tagged {wanted}" if names else f"no target is tagged {wanted}",
        hint=_with(
            remarks,
            f"there are the tags {', '.join(there)}"
            if there
            else "a target's file names its tags: `tags: [lab1]`",
        ),
    )


def _with(remarks: Sequence[str], hint: str) -> str:
    """The hint, and the first file that was left out: it may be the one that was meant."""
    more = f" and {len(remarks) - 1} more" if len(remarks) > 1 else ""
    return f"{hint}; {remarks[0]}{more}" if remarks else hint


def _named(names: Iterable[str]) -> str:
    all_names = sorted(names)
    more = len(all_names) - NAMED
    return ", ".join(all_names[:NAMED]) + (f" and {more} more" if more > 0 else "")
