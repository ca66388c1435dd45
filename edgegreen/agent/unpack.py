"""Makes kits of wheels that were sent: unpacks each into a folder of its own and compiles its byte code.

A process of its own, started by the host with one request as its argument; it says how far it is, a JSON
line each. A folder appears whole, and on the disk, or not at all. No pip: a wheel is a zip file, and what
edgegreen runs of it are modules and libraries.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import zipfile
from functools import partial
from typing import Any, BinaryIO, Callable, Mapping, Sequence

from . import kits, wire

Tell = Callable[[float], None]

# Byte code for what edgegreen never imports would double the time on a small board.
NOT_COMPILED = re.compile(r"[/\\]tests?[/\\]")
COMPILING_SHARE = 0.5  # of the time that a wheel takes; about, and for the bar only
NOISE_BYTES = 4 << 20
PART = ".part-"
# Parts of a wheel that do not lie where Python looks for them; scripts and headers are left out.
SCATTERED = re.compile(r"[^/]+\.data/(?P<where>[^/]+)/(?P<rest>.+)")


class Unfit(Exception):
    """A wheel that cannot be unpacked; the text says why."""


def main(request: str) -> None:
    """Do what `request` (JSON) asks for, and say so on stdout.

    `folder` is where kits are; `wheels` are paths, digests and whether to unpack anew whatever is there;
    `kits` are runtime, version and the folders that are to be on its path. A wheel's folder is named by
    the first twelve digits of its digest. Each wheel is removed once it is unpacked, and so are folders
    that no kit needs any more.
    """
    out = wire.take_stdout()
    try:
        spec = json.loads(request)
        make(spec, lambda done: say(out, "unpacking", done=round(done, 4)))
        say(out, "unpacked")
    except OSError as error:
        name = error.filename or spec["folder"]
        say(out, "failed", error=wire.one_line("cannot write {}: {}".format(name, error.strerror or error)))
    except (Unfit, zipfile.BadZipFile) as error:
        say(out, "failed", error=wire.one_line(str(error)))


def say(out: BinaryIO, event: str, **fields: Any) -> None:
    """One line to the host."""
    out.write(wire.encode(dict(event=event, **fields)))
    out.flush()


def make(spec: Mapping[str, Any], tell: Tell) -> None:
    """See `main`; `tell` is called with the share that is done. Raises OSError, Unfit, BadZipFile."""
    folder = os.path.expanduser(spec["folder"])
    os.makedirs(folder, exist_ok=True)
    sweep(folder)
    wheels = [(os.path.expanduser(path), digest, anew) for path, digest, anew in spec["wheels"]]
    sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path, _, _ in wheels]
    for number, (path, digest, anew) in enumerate(wheels):
        part = partial(_tell_part, tell, sizes, number)
        unpack(path, os.path.join(folder, digest[:12]), anew, part)
    for runtime, version, names in spec["kits"]:
        kits.note(folder, kits.Kit(runtime, version, [os.path.join(folder, name) for name in names]))
    for path in kits.unneeded(folder):
        shutil.rmtree(path, ignore_errors=True)


def unpack(wheel: str, folder: str, anew: bool, tell: Tell) -> None:
    """One wheel into `folder`, unless that is there and not to be made anew."""
    if os.path.isdir(folder) and not anew:
        return
    part = "{}{}{}".format(folder, PART, os.getpid())
    try:
        with zipfile.ZipFile(wheel) as archive:
            extract(archive, part, lambda done: tell(done * (1 - COMPILING_SHARE)))
        compile_all(part, lambda done: tell(1 - COMPILING_SHARE * (1 - done)))
        os.sync()  # a power cut must not leave a folder under its name with empty files in it
        if os.path.isdir(folder):
            os.rename(folder, part + ".old")
        try:
            os.rename(part, folder)
        except OSError:
            if not os.path.isdir(folder):  # else somebody else made it just now
                raise
    finally:
        for left in (part, part + ".old"):
            shutil.rmtree(left, ignore_errors=True)
    if os.path.exists(wheel):
        os.remove(wheel)


def extract(archive: zipfile.ZipFile, folder: str, tell: Tell) -> None:
    """All members, where Python looks for them. Raises Unfit for a path that leaves the folder."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    total = sum(member.file_size for member in members) or 1
    done = told = 0
    for member in members:
        name = placed(member.filename)
        if name is None:
            continue
        path = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(member) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        done += member.file_size
        if done - told >= NOISE_BYTES:
            told = done
            tell(done / total)


def placed(name: str) -> str | None:
    """Where a wheel's member belongs below its folder; None when it is not wanted."""
    scattered = SCATTERED.fullmatch(name)
    if scattered:
        if scattered.group("where") not in ("purelib", "platlib"):
            return None
        name = scattered.group("rest")
    if name.startswith("/") or ".." in name.split("/"):
        raise Unfit("the wheel has a file called {!r}".format(name))
    return name


def compile_all(folder: str, tell: Tell) -> None:
    """Byte code by this very Python: another one's is of no use to it."""
    tops = sorted(entry.path for entry in os.scandir(folder) if entry.is_dir())
    for number, top in enumerate(tops, 1):
        # Whatever does not compile (templates, code for other Pythons) will not be imported either.
        compileall.compile_dir(top, quiet=2, rx=NOT_COMPILED, maxlevels=20)
        tell(number / len(tops))


def _tell_part(tell: Tell, sizes: Sequence[int], number: int, done: float) -> None:
    tell((sum(sizes[:number]) + sizes[number] * done) / (sum(sizes) or 1))


def sweep(folder: str) -> None:
    """Remove what processes that are gone left half made."""
    for name in os.listdir(folder):
        _, part, rest = name.partition(PART)
        pid = rest.partition(".")[0]
        if part and not (pid.isdigit() and alive(int(pid))):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
