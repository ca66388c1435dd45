"""The board's files and commands: the one seam to them, so that a recorded tree can stand in.

`root` is the folder that stands for `/`. It may also be a sysfs itself (it holds `class` or `bus`, and no
`sys`), such as a container's `/host/sys`: then only what starts with `sys/` is looked for in it.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import subprocess
import time
from typing import Callable, NamedTuple, Sequence

READ_BYTES = 4096
MAX_BYTES = 1 << 16
COMMAND_TIMEOUT_S = 5.0
# Where a login without a desktop does not look, and where vcgencmd was before Pi OS bullseye.
MORE_PATH = ("/usr/sbin", "/sbin", "/opt/vc/bin")
# A Tegra sensor that is asked too early says EAGAIN, a busy I²C bus one of the others.
PASSING = {
    errno.EAGAIN,
    errno.EINTR,
    errno.EBUSY,
    errno.EIO,
    errno.ETIMEDOUT,
    getattr(errno, "EREMOTEIO", 121),
}
GONE = {errno.ENODEV, errno.ENXIO, errno.EBADF, errno.ESTALE}
DENIED = {errno.EACCES, errno.EPERM}
PATIENCE_S = (0.001, 0.003, 0.01, 0.03)


class Unreadable(Exception):
    """What should be there cannot be read; `hint` says what to do about it, if anything can be done."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return "{}; {}".format(self.message, self.hint) if self.hint else self.message


def slash(root: str) -> str:
    """The folder that stands for `/`: `root`, or the machine's own when `root` is a sysfs."""
    return "/" if _is_sysfs(root) else root


def at(root: str, path: str) -> str:
    """Where `path`, such as "sys/class/hwmon", is below `root`."""
    return os.path.join(*_split(root, path))


def found(root: str, pattern: str) -> list[str]:
    """The paths that match `pattern` below `root`, hwmon2 before hwmon10."""
    base, rest = _split(root, pattern)
    return sorted(glob.glob(os.path.join(glob.escape(base), rest)), key=_natural)


def text(path: str) -> str | None:
    """A small file's content without the white space (and NUL) around it; None when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            return _decoded(stream.read(MAX_BYTES))
    except OSError:
        return None


def number(path: str) -> float | None:
    """The number in a small file; None when there is none."""
    content = text(path)
    try:
        return None if content is None else _finite(content)
    except ValueError:
        return None


class Attribute:
    """A sysfs file that is read again and again, through one descriptor.

    sysfs runs the driver anew at each read from position 0. A file that was replaced or a device that
    was bound anew is opened anew. `access` says how to get the permission to read it. Without
    `patience`, a read that fails is not tried again.
    """

    def __init__(
        self,
        path: str,
        access: str = "",
        patience: bool = True,
        pread: Callable[[int, int, int], bytes] = os.pread,
    ) -> None:
        self.path, self.access = path, access
        self._pauses = PATIENCE_S if patience else ()
        self._pread = pread
        self._fd = -1

    def text(self) -> str:
        """What it holds now. Raises Unreadable."""
        for pause in self._pauses:
            content = self._try(last=False)
            if content:
                return content
            time.sleep(pause)
        return self._try(last=True)

    def number(self) -> float:
        """The number it holds now. Raises Unreadable."""
        content = self.text()
        try:
            return _finite(content)
        except ValueError:
            raise Unreadable("{}: no number but {!r}".format(self.path, content[:40])) from None

    def close(self) -> None:
        """Let the descriptor go; a later read opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _try(self, last: bool) -> str:
        """Read once. What may pass is "" unless it was the `last` try."""
        try:
            content = _decoded(self._pread(self._open(), READ_BYTES, 0))
        except OSError as error:
            if error.errno in GONE:
                self.close()
            if last or error.errno not in GONE | PASSING:
                hint = self.access if error.errno in DENIED else ""
                raise Unreadable("{}: {}".format(self.path, error.strerror), hint) from None
            return ""
        if last and not content:
            raise Unreadable("{}: empty".format(self.path))
        return content

    def _open(self) -> int:
        if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
            self.close()
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd


class Output(NamedTuple):
    """What a command did: its exit code, and what it printed on stdout and stderr."""

    code: int
    text: str


Run = Callable[[Sequence[str]], Output]


def run(argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = COMMAND_TIMEOUT_S) -> Output:
    """Run a command to its end. Raises Unreadable when there is no such command, or it hangs."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *MORE_PATH))
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, PATH=path, LC_ALL="C"),
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "took too long" if isinstance(error, subprocess.TimeoutExpired) else error.strerror
        raise Unreadable("command `{}`: {}".format(argv[0], why)) from None
    return Output(done.returncode, done.stdout[:MAX_BYTES].decode("utf-8", "replace"))


def _split(root: str, path: str) -> tuple[str, str]:
    if not _is_sysfs(root):
        return root, path
    return (root, path[len("sys/") :]) if path.startswith("sys/") else ("/", path)


def _is_sysfs(root: str) -> bool:
    inside = [name for name in ("sys", "class", "bus") if os.path.isdir(os.path.join(root, name))]
    return bool(inside) and "sys" not in inside


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip("\0 \t\r\n")


def _finite(content: str) -> float:
    value = float(content)
    if value - value != 0:
        raise ValueError(content)
    return value


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]
