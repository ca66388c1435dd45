"""The name that a place is held under: whose it is for people, which process for `lab reap`.

labgrid's owners are `host/user`. Ours are `host/user+edgegreen.PID.START.MARK.RUN`: the process, the second
it started in, what tells this boot and its table of processes from others, and the run.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

_OURS = re.compile(
    r"(?P<host>[^/]+)/(?P<user>[^/]+)\+edgegreen\.(?P<pid>[0-9]+)\.(?P<start>[0-9]+)\.(?P<mark>[0-9a-f]{8})\.(?P<run>[\w-]+)"
)
START_MARGIN_S = 2  # a process's start is told to a hundredth, counted from a boot time that is not


@dataclass(frozen=True)
class Owner:
    """A process of edgegreen that holds a place, or did."""

    host: str
    user: str
    pid: int
    start_s: int
    mark: str
    run: str

    def __str__(self) -> str:
        return f"{self.host}/{self.user}+edgegreen.{self.pid}.{self.start_s}.{self.mark}.{self.run}"

    @property
    def is_near(self) -> bool:
        """Whether its process is, or was, among those that this machine tells of now."""
        return self.mark == _mark()

    @property
    def is_dead(self) -> bool:
        """Whether its process has certainly ended. False where that cannot be known."""
        if not self.is_near:
            return False
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.start_s) > START_MARGIN_S:
                return True
            # Ended, but its parent has not asked how: in a container, often for ever.
            return process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


def current(run: str) -> Owner:
    """Who we are: our process, in the run of this id."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, in a container
        user = str(os.getuid())
    return Owner(
        host=socket.gethostname().replace("/", "-"),
        user=user.replace("/", "-"),
        pid=os.getpid(),
        start_s=int(psutil.Process().create_time()),
        mark=_mark(),
        run=run,
    )


def parse(name: str) -> Owner | None:
    """The process that an owner's name means; None for whoever is not edgegreen."""
    found = _OURS.fullmatch(name)
    if not found:
        return None
    return Owner(
        found["host"], found["user"], int(found["pid"]), int(found["start"]), found["mark"], found["run"]
    )


def shown(name: str) -> str:
    """An owner for people: `anna@laptop`."""
    host, _, user = name.partition("/")
    return f"{user.partition('+edgegreen.')[0]}@{host}"


def _mark() -> str:
    """Differs from boot to boot, and from one container to another, whatever their host names."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        boot, processes = f"{psutil.boot_time():.0f}", socket.gethostname()
    return hashlib.sha256(f"{boot} {processes}".encode()).hexdigest()[:8]
