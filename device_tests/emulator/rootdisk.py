"""The disk of an emulated board: a bare Debian of one release with Python and an SSH server, and no more.

There is no pip, no runtime and no way to the internet: bringing what is missing is what edgegreen is for. All
boards of a release share one disk; what makes them different is put on top when they boot (overlay.py).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from device_tests.emulator import archive, cache
from device_tests.emulator.boards import Suite
from device_tests.emulator.kernel import Kernel
from device_tests.emulator.machine import Machine
from device_tests.emulator.needs import run
from device_tests.emulator.overlay import GUEST, Overlay
from edgegreen.errors import DeviceError

PACKAGES = (
    "base-files", "bash", "coreutils", "dash", "findutils", "grep", "gzip", "hostname", "libc-bin",
    "libstdc++6", "login", "mawk", "mount", "netbase", "openssh-server", "openssh-sftp-server", "passwd",
    "procps", "python3", "sed", "tar", "util-linux",
)  # fmt: skip
USER = "pi"
SIZE_MB = 2000  # a sparse file: what is free costs nothing here
COMPILE_S = 300.0
ACCOUNTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/bash\n"
        f"{USER}:x:1000:1000:{USER}:/home/{USER}:/bin/bash\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\ntty:x:5:\nvideo:x:44:{USER}\n{USER}:x:1000:\nnogroup:x:65534:\n",
    # No password fits `*`, and unlike `!` it does not lock the account.
    "etc/shadow": f"root:*:20000:0:99999:7:::\n{USER}:*:20000:0:99999:7:::\nsshd:!:20000::::::\n",
    "etc/hosts": "127.0.0.1 localhost emulated-board\n::1 localhost\n",
}
# $1 the system's files as a tar, $2 files of ours to lay over them, $3 the folder to unpack to, $4 the disk,
# $5 its size.
# Within fakeroot, so that the disk has the right owners without our being root.
_WRITE_DISK = f"""
mkdir "$3"
tar -x -f "$1" -C "$3" --exclude=./dev/* --exclude=./usr/share/doc/* --exclude=./usr/share/man/* \
    --exclude=./usr/share/locale/* --exclude=./var/lib/apt/lists/* --exclude=./var/cache/apt/*
cp -R "$2/." "$3/"
[ -e "$3/usr/bin/awk" ] || ln -s mawk "$3/usr/bin/awk"
mkdir -p "$3/home/{USER}"
chown -R 0:0 "$3/etc/passwd" "$3/etc/group" "$3/etc/shadow" "$3/etc/hosts"
chmod 640 "$3/etc/shadow"
chown -R 1000:1000 "$3/home/{USER}"
mke2fs -q -F -t ext4 -d "$3" "$4" "$5"
"""


def made(suite: Suite, kernel: Kernel, tell: cache.Tell) -> Path:
    """The disk's image, built unless the cache has it. `kernel` boots it once to compile Python's library."""
    here = Path(__file__)
    inputs = cache.source(here, Path(archive.__file__), GUEST / "first-boot") | {"suite": suite}
    return cache.made(suite, inputs, lambda folder: _make(folder, suite, kernel), tell) / "disk.img"


def _make(folder: Path, suite: Suite, kernel: Kernel) -> None:
    """Fill `folder` with disk.img."""
    disk = folder / "disk.img"
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        tarball = _unpack_packages(work, suite)
        for path, content in ACCOUNTS.items():
            (work / "ours" / path).parent.mkdir(parents=True, exist_ok=True)
            (work / "ours" / path).write_text(content)
        arguments: list[str | Path] = [tarball, work / "ours", work / "root", disk, f"{SIZE_MB}M"]
        run(["fakeroot", "sh", "-euc", _WRITE_DISK, "sh", *arguments])
        shutil.rmtree(work / "root")
        _compile(disk, kernel, work, folder / "first-boot.log")


def _unpack_packages(work: Path, suite: Suite) -> Path:
    """The system's files as a tar; no program of theirs is run."""
    sources, options, tarball = work / "sources.list", work / "apt.conf", work / "root.tar"
    sources.write_text(archive.sources(suite))
    options.write_text(archive.reaching_options())
    run([
        "mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64",
        f"--include={','.join(PACKAGES)}", f"--aptopt={options}", suite, tarball, sources,
    ])  # fmt: skip
    return tarball


def _compile(disk: Path, kernel: Kernel, work: Path, console: Path) -> None:
    """Boot once, have Python's library compiled there, and wait for the board to switch itself off."""
    files = {
        "etc/inittab": (b"::sysinit:/first-boot\n::shutdown:/bin/umount -a -r\n", 0o644),
        "first-boot": ((GUEST / "first-boot").read_bytes(), 0o755),
    }
    initramfs = Overlay(files).on_top_of(kernel.initramfs, work / "initramfs")
    machine = Machine(kernel.image, initramfs, disk, console, keep_changes=True)
    with machine.started() as process:
        if not process.ended_within(COMPILE_S) or "emulated board: compiled" not in process.said():
            raise DeviceError(f"a new board's first boot failed; {process.last_words()}")
