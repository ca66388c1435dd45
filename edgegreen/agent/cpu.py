"""Who uses the processor: shares of all cores between two looks at /proc. Reads; starts nothing."""

from __future__ import annotations

import os
import re
from typing import Any, Iterable, NamedTuple

from .meters.tree import Unreadable, at, found, text

# /proc/<pid>/stat, proc(5): pid (name) state, then numbers of which the 11th and 12th are utime and stime.
PROCESS = re.compile(r"(\d+) \((.*)\) \S((?: -?\d+){12})", re.DOTALL)
PPID, UTIME, STIME = 0, 10, 11
IDLE, IOWAIT, COUNTED = 3, 4, 8  # /proc/stat: guest time, after these, is part of user time


class Look(NamedTuple):
    """Ticks since boot: of all cores, of those at work, and by process {pid: (name, ticks)}."""

    total: int
    busy: int
    cores: int
    processes: dict[int, tuple[str, int]]


def look(root: str, pids: Iterable[int] | None = None) -> Look | None:
    """The ticks so far; None where /proc does not tell. Without `pids`, those of every process."""
    try:
        busy, total, cores = parse_stat(text(at(root, "proc/stat")) or "")
    except Unreadable:
        return None
    paths = (
        found(root, "proc/[0-9]*/stat") if pids is None else [at(root, f"proc/{pid}/stat") for pid in pids]
    )
    processes = {}
    for path in paths:
        try:
            pid, name, ticks = parse_process(text(path) or "")
        except Unreadable:
            continue  # gone meanwhile
        processes[pid] = (name, ticks)
    return Look(total, busy, cores, processes)


def family(root: str, pids: Iterable[int]) -> set[int]:
    """These processes and their children."""
    parents = set(pids)
    told = {pid: text(at(root, f"proc/{pid}/task/{pid}/children")) for pid in parents}
    children = {int(word) for words in told.values() for word in (words or "").split() if word.isdigit()}
    # Where the kernel was built without CONFIG_PROC_CHILDREN, every process is asked for its parent.
    untold = {pid for pid, words in told.items() if words is None}
    matches = (
        PROCESS.match(text(path) or "") for path in (found(root, "proc/[0-9]*/stat") if untold else ())
    )
    children |= {int(m.group(1)) for m in matches if m and int(m.group(3).split()[PPID]) in untold}
    return parents | children


def shares(before: Look | None, after: Look | None, ours: set[int], top: int = 0) -> dict[str, Any]:
    """`cpu_busy` and `cpu_foreign`, shares of all cores (0 … 1); `cpu_top`, the others in cores.

    `foreign` is what is busy and not of `ours`; a process that started or ended in between counts as
    foreign. All None when no time has passed.
    """
    if before is None or after is None or after.total <= before.total:
        return {"cpu_busy": None, "cpu_foreign": None, "cpu_top": None}
    elapsed = after.total - before.total
    used = {
        pid: (name, ticks - before.processes[pid][1])
        for pid, (name, ticks) in after.processes.items()
        if pid in before.processes
    }
    busy = after.busy - before.busy
    own = sum(ticks for pid, (_, ticks) in used.items() if pid in ours)
    others = sorted(
        ((ticks, name) for pid, (name, ticks) in used.items() if pid not in ours and ticks > 0), reverse=True
    )
    return {
        "cpu_busy": _share(busy, elapsed),
        "cpu_foreign": _share(busy - own, elapsed),
        "cpu_top": [{"name": name, "cores": ticks * after.cores / elapsed} for ticks, name in others[:top]],
    }


def parse_stat(content: str) -> tuple[int, int, int]:
    """Busy ticks, all ticks, and cores, from /proc/stat. Raises Unreadable."""
    lines = [line.split() for line in content.splitlines() if line.startswith("cpu")]
    if not lines or lines[0][0] != "cpu" or len(lines[0]) <= IOWAIT + 1:
        raise Unreadable("proc/stat: no line of all cpus")
    ticks = lines[0][1 : COUNTED + 1]
    if not all(word.isascii() and word.isdigit() for word in ticks):
        raise Unreadable("proc/stat: no numbers in {!r}".format(" ".join(lines[0])[:80]))
    numbers = [int(word) for word in ticks]
    total = sum(numbers)
    return total - numbers[IDLE] - numbers[IOWAIT], total, max(1, len(lines) - 1)


def parse_process(content: str) -> tuple[int, str, int]:
    """The number, name and ticks of a process, from /proc/<pid>/stat. Raises Unreadable."""
    match = PROCESS.match(content)
    if match is None:
        raise Unreadable("proc/<pid>/stat: {!r}".format(content[:80]))
    numbers = match.group(3).split()
    return int(match.group(1)), match.group(2), int(numbers[UTIME]) + int(numbers[STIME])


def _share(ticks: int, elapsed: int) -> float:
    return min(1.0, max(0.0, ticks / elapsed))


def ourselves() -> set[int]:
    """The process that asks, and the one that started it."""
    return {os.getpid(), os.getppid()}
