"""What one boot of a board has on top of the disk it shares with others: files, drivers, keys.

They travel in a second initramfs, which the kernel unpacks after the first; init copies them to the disk.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from device_tests.emulator import kernel
from device_tests.emulator.boards import DRIVERS, Board

GUEST = Path(__file__).parent / "guest"
HOSTNAME = "emulated-board"


@dataclass(frozen=True)
class Overlay:
    """Files by their path on the board, each with content and mode; drivers to load, with parameters."""

    files: dict[str, tuple[bytes, int]]
    drivers: tuple[str, ...] = ()

    def on_top_of(self, initramfs: Path, place: Path) -> Path:
        """Write `initramfs` and these files to `place`, as one."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for path, (content, mode) in self._all().items():
                file = root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                file.chmod(mode)
            packed = root.with_name(root.name + ".cpio.gz")
            try:
                kernel.pack(root, packed)
                place.write_bytes(initramfs.read_bytes() + packed.read_bytes())
            finally:
                packed.unlink(missing_ok=True)
        return place

    def _all(self) -> dict[str, tuple[bytes, int]]:
        drivers = "".join(f"{driver}\n" for driver in self.drivers).encode()
        files = {"etc/hostname": (f"{HOSTNAME}\n".encode(), 0o644)} | self.files
        return {"modules/board": (drivers, 0o644)} | {f"board/{path}": file for path, file in files.items()}


def of(board: Board, host_key: Path, authorized: Path) -> Overlay:
    """What this board has, with these keys: the server's private one, and the users' public one."""
    files = {
        "etc/inittab": _guest("inittab"),
        "etc/ssh/sshd_config": _guest("sshd_config"),
        "etc/ssh/ssh_host_ed25519_key": (host_key.read_bytes(), 0o600),
        "etc/ssh/authorized_keys": (authorized.read_bytes(), 0o644),
        "etc/motd": (b"An emulated board (QEMU): its speed and its watts are made up.\n", 0o644),
        "etc/emulated-board.json": (json.dumps(asdict(board.load)).encode(), 0o644),
        "usr/lib/emulated-board/load.py": _guest("load.py"),
    }
    if board.load.meter == "pmic":
        files["usr/bin/vcgencmd"] = _guest("vcgencmd", 0o755)
    return Overlay(files, DRIVERS[board.load.meter])


def _guest(name: str, mode: int = 0o644) -> tuple[bytes, int]:
    return (GUEST / name).read_bytes(), mode
