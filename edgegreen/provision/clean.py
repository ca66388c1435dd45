"""`edgegreen targets clean`: takes away what edgegreen put on a board, and nothing else.

Only names that edgegreen makes are touched (files and folders named by digest), so a `root` that holds other
things loses none of them. A root that cannot have been meant is refused all the same.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from edgegreen import transport
from edgegreen.agent import lock
from edgegreen.errors import DeviceError, InputError
from edgegreen.target import Target
from edgegreen.transport import shell
from edgegreen.transport.upload import complaint

# What lies in a root, as patterns of sh: sent files and parts of them, packs half received, unpacked wheels,
# engines of TensorRT.
_HEX = "[0-9a-f]"
OURS = {
    "store": (f"{_HEX * 64}*", ".incoming.*"),
    "runtimes": (_HEX * 12, f"{_HEX * 12}.part-*"),
    "engines": (f"{_HEX * 64}.engine", "work"),
}
SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys")
# How many parts a root there has at least, the first slash counted: /home/pi/.edgegreen has four.
PARTS = {"home": 4, "usr": 4, "var": 4, "root": 3}

_CLEAN = """LC_ALL=C; export LC_ALL
busy() {{ [ -e "$1" ] && command -v flock >/dev/null && ! flock -n "$1" true; }}
for lock in {locks}; do busy "$lock" && {{ echo busy; exit 0; }}; done
[ -n "$EDGEGREEN_LOCK" ] && busy "$EDGEGREEN_LOCK" && {{ echo busy; exit 0; }}
cd {root} 2>/dev/null || {{ echo absent; exit 0; }}
for folder in {folders}; do
  if [ -h "$folder" ]; then echo "$folder is a link" >&2; exit 1; fi
done
set -- {patterns}
freed=0
for each; do
  [ -e "$each" ] || [ -h "$each" ] || continue
  size=$(du -sk "$each" 2>/dev/null) && freed=$((freed + ${{size%%[!0-9]*}}))
  rm -rf "$each" || exit
done
for folder in {folders}; do rmdir "$folder" 2>/dev/null; done
cd / && rmdir {root} 2>/dev/null
echo "freed $freed"
"""
TIMEOUT_S = 300.0


def clean(target: Target) -> int | None:
    """Remove everything of edgegreen's from the target; the bytes freed, None when the root is not there.

    Raises InputError, UnreachableError, DeviceError.
    """
    root = check_root(target.folder)
    with transport.connect(target) as link:
        patterns = [f"{folder}/{pattern}" for folder, names in OURS.items() for pattern in names]
        locks = [] if os.environ.get(lock.PLACE) else [f"{folder}/{lock.NAME}" for folder in lock.FOLDERS]
        command = _CLEAN.format(
            root=shell.word(root), folders=" ".join(OURS), patterns=" ".join(patterns), locks=" ".join(locks)
        )
        done = link.run(command, timeout_s=TIMEOUT_S)
    said = done.stdout.decode("utf-8", "replace").split()
    if said == ["busy"]:
        raise DeviceError(
            f"{target.name}: somebody is measuring there, and needs what would be removed",
            hint="clean when that is over",
        )
    if done.exit_code != 0 or not said:
        why = complaint(done.stderr.decode("utf-8", "replace")) or f"exit code {done.exit_code}"
        raise DeviceError(f"{target.name}: cannot clean {root}: {why}")
    return int(said[-1]) * 1024 if said[-1].isdecimal() else None


def check_root(root: str) -> str:
    """`root` without slashes at its end. Raises InputError for a system's folder or a whole home."""
    plain = root.rstrip("/")
    parts = PurePosixPath(plain).parts
    absolute = plain.startswith("/")
    if (
        not re.match(r"/[^/]|~/.", plain)
        or ".." in parts
        or (absolute and (parts[1] in SYSTEM or len(parts) < PARTS.get(parts[1], 2)))
    ):
        raise InputError(
            f"`root: {root}` is not a folder of edgegreen's own: nothing is removed there",
            hint="look at it yourself; `root` is best a folder for edgegreen alone, such as ~/.edgegreen",
        )
    return plain
