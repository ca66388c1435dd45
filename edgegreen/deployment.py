"""Bringing the agent, the artifacts and the data to a board: what is there already is not sent again.

Everything lies in one folder, `<root>/store/<sha256><suffix>`. One command looks for all files at once;
when all are there, that is all that happens. Old files are left where they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgegreen.artifact import File
from edgegreen.errors import DeviceError, InputError
from edgegreen.transport import Completed, Transport, Upload, shell, upload

_AGENT_SUFFIX = ".pyz"
_MARGIN_BYTES = 1 << 20  # for folders and the file system's own needs

# ls says which of the names are there and how large, df how much is free.
_LOOK = """LC_ALL=C; export LC_ALL
mkdir -p {store} && cd {store} || exit
xargs ls -lnd -- 2>/dev/null{names}
df -Pk . 2>/dev/null | sed -n '$p'
"""
_COMMAND_BYTES_MAX = 16_000


@dataclass(frozen=True)
class Deployment:
    """Files in place on a target. `paths` tells by sha256 where each lies; `agent` is one of them."""

    agent: str
    paths: dict[str, str]
    sent_bytes: int


def deploy(
    transport: Transport,
    root: str,
    files: Sequence[File],
    progress: Callable[[int], None] = lambda _: None,
    *,
    room_bytes: int = 0,
) -> Deployment:
    """Put `files` under `root` (absolute, or `~/…`) and say where they are. The one `.pyz` is the agent.

    `progress` is called with the payload bytes newly sent; `room_bytes` is what must be free besides, for
    what will be made of the files there. Raises DeviceError (no permission, disk full,
    or not enough room, which is checked before anything is sent), UnreachableError.
    """
    if not root.startswith(("/", "~/")):
        raise InputError(
            f"`root: {root}` is neither absolute nor in the home folder", hint="write it as ~/folder"
        )
    agent = next((file for file in files if file.path.suffix == _AGENT_SUFFIX), None)
    assert agent is not None, "the bundle's .pyz is always among the files"
    store = f"{root.rstrip('/')}/store"
    uploads = [
        Upload(file.path, f"{store}/{_stored_name(file)}", file.sha256, file.size_bytes)
        for file in {file.sha256: file for file in files}.values()
    ]
    present, free = _look(transport, store, uploads)
    missing = [item for item in uploads if present.get(_base(item.remote)) != item.size_bytes]
    _check_room(transport.name, missing, present, free, room_bytes)
    sent_bytes = transport.put(missing, progress) if missing else 0
    return Deployment(
        agent=f"{store}/{_stored_name(agent)}",
        paths={item.sha256: item.remote for item in uploads},
        sent_bytes=sent_bytes,
    )


def _stored_name(file: File) -> str:
    suffix = file.path.suffix
    return file.sha256 + (suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,12}", suffix) else "")


def _base(remote: str) -> str:
    return remote.rpartition("/")[2]


def _look(
    transport: Transport, store: str, uploads: Sequence[Upload]
) -> tuple[dict[str, int], tuple[int, str] | None]:
    """The sizes of the files (and of parts of them) that are there, and the free space; one command."""
    names = "".join(f"{_base(item.remote)}\n{_base(upload.part_of(item))}\n" for item in uploads)
    # Names within the command need not wait, a round trip long, until it reads its input.
    within = len(names) < _COMMAND_BYTES_MAX
    command = _LOOK.format(store=shell.word(store), names=f" <<END\n{names}END" if within else "")
    completed = transport.run(command, stdin=b"" if within else names.encode())
    if completed.exit_code != 0:
        why = _reason(completed)
        raise DeviceError(
            f"{transport.name}: cannot use {store}: {why}",
            hint=upload.advice(why) or "give another folder as `root` in the target",
        )
    return parse_look(completed.stdout.decode("utf-8", "replace"))


def parse_look(text: str) -> tuple[dict[str, int], tuple[int, str] | None]:
    """Sizes by name from `ls -lnd`'s lines of files; (free bytes, mount point) from df's last line."""
    sizes: dict[str, int] = {}
    free = None
    for line in text.splitlines():
        fields = line.split()
        if line.startswith("-") and len(fields) >= 9 and fields[4].isdecimal():
            sizes[fields[-1]] = int(fields[4])
        else:
            free = upload.free_space(line) or free
    return sizes, free


def _check_room(
    name: str,
    missing: Sequence[Upload],
    present: dict[str, int],
    free: tuple[int, str] | None,
    room_bytes: int,
) -> None:
    wanted = sum(item.size_bytes - _sent_before(item, present) for item in missing)
    wanted += room_bytes + _MARGIN_BYTES
    if free is not None and (missing or room_bytes) and wanted > free[0]:
        unpacked = f" ({room_bytes / 1e6:.1f} MB of it for what is unpacked there)" if room_bytes else ""
        raise DeviceError(
            f"{name}: needs {wanted / 1e6:.1f} MB{unpacked}, {free[0] / 1e6:.1f} MB are free on {free[1]}",
            hint="make room on the board, or set `root` in the target to a folder on a larger disk",
        )


def _sent_before(item: Upload, present: dict[str, int]) -> int:
    return min(item.size_bytes, present.get(_base(upload.part_of(item)), 0))


def _reason(completed: Completed) -> str:
    lines = completed.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {completed.exit_code}"
