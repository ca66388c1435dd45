"""What emulation needs of this machine, and in words what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from edgegreen.errors import DeviceError, InputError

# A program, or an absolute path, and the Debian package that has it.
NEEDS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "make": "make",
    "dtc": "device-tree-compiler",
    "cpio": "cpio",
    "fakeroot": "fakeroot",
    "depmod": "kmod",
    "modprobe": "kmod",
    "mke2fs": "e2fsprogs",
    "xz": "xz-utils",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
}
NEEDS_UNLESS_ROOT = {"newuidmap": "uidmap"}  # for mmdebstrap
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def program(name: str) -> str:
    """The path of a program, also of those that only root has on the PATH. Raises InputError."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise InputError(f"`{name}` is not installed", hint="see `python -m device_tests.emulator check`")
    return found


def missing() -> dict[str, str]:
    """The programs and files that are not there, each with its package."""
    needs = NEEDS if os.geteuid() == 0 else NEEDS | NEEDS_UNLESS_ROOT
    return {name: package for name, package in needs.items() if not _is_there(name)}


def require() -> None:
    """Raise InputError, with the one command that helps, where something is missing."""
    lacking = missing()
    if lacking:
        raise InputError(
            f"boards cannot be emulated here, for want of {', '.join(lacking)}",
            hint=f"on Debian: {install_command(lacking.values())}",
        )


def install_command(packages: Iterable[str]) -> str:
    """The apt-get command that installs `packages`, each once."""
    names = " ".join(sorted(set(packages)))
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install --no-install-recommends {names}"


def run(argv: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program to its end; what it printed. Raises DeviceError with the end of its complaint."""
    command = [program(str(argv[0])), *map(str, argv[1:])]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"LC_ALL": "C", "PATH": _PATH} | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise DeviceError(f"{Path(command[0]).name} ended with exit code {done.returncode}: {said}")
    return done.stdout


def _is_there(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else shutil.which(name, path=_PATH) is not None
