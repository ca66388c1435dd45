"""QEMU: one virtual machine, its command line, its console, and its end."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_tests.emulator.needs import program, run

CPU, CPUS, MEMORY_MB = "cortex-a76", 2, 2048
CONSOLE = "console=ttyAMA0 quiet panic=0"
TAIL_LINES = 15
END_S = 5.0
_HARDWARE = ("-nodefaults", "-nographic", "-cpu", CPU, "-smp", str(CPUS), "-m", str(MEMORY_MB))


class Process:
    """A running machine."""

    def __init__(self, popen: subprocess.Popen[bytes], console: Path) -> None:
        self._popen, self.console = popen, console
        self.pid = popen.pid

    def said(self) -> str:
        """All that came on the console so far, QEMU's own complaints included."""
        return self.console.read_text(errors="replace")

    def last_words(self) -> str:
        """The end of the console, for an error's message."""
        lines = [line.rstrip() for line in self.said().splitlines() if line.strip()]
        tail = "\n".join(lines[-TAIL_LINES:]) or "nothing"
        return f"the last that came on its console ({self.console}):\n{tail}"

    def has_ended(self) -> bool:
        """Whether it ended or panicked."""
        return self._popen.poll() is not None or "Kernel panic" in self.said()

    def ended_within(self, seconds: float) -> bool:
        """Wait for it to switch itself off; false when it did not, or its kernel panicked."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s and not self.has_ended():
            time.sleep(0.1)
        return self._popen.poll() == 0

    def end(self) -> None:
        """Switch it off, by its process id. Idempotent."""
        self._popen.terminate()
        try:
            self._popen.wait(END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


@dataclass(frozen=True)
class Machine:
    """One virtual machine. Its SSH port is `port` of 127.0.0.1, if any; nothing else gets in or out.

    Unless `keep_changes`, what it writes to the disk is gone when it ends. With a `port` it may reboot.
    """

    image: Path
    initramfs: Path
    disk: Path
    console: Path
    device_tree: Path | None = None
    port: int | None = None
    keep_changes: bool = False

    def command(self) -> list[str]:
        """The command line."""
        snapshot = "off" if self.keep_changes else "on"
        forward = f",hostfwd=tcp:127.0.0.1:{self.port}-:22" if self.port else ""
        return [
            # The kernel ends it when we are gone, however that came about.
            program("setpriv"), "--pdeathsig", "KILL", program("qemu-system-aarch64"),
            "-machine", "virt", *_HARDWARE, "-accel", "tcg,thread=multi",
            "-kernel", str(self.image), "-initrd", str(self.initramfs),
            "-append", CONSOLE, "-serial", "stdio",
            *(["-dtb", str(self.device_tree)] if self.device_tree else []),
            *([] if self.port else ["-no-reboot"]),
            "-drive", f"file={_escaped(self.disk)},format=raw,if=none,id=disk,snapshot={snapshot}",
            "-device", "virtio-blk-pci,drive=disk",
            "-netdev", f"user,id=net,restrict=on{forward}", "-device", "virtio-net-pci,netdev=net,romfile=",
        ]  # fmt: skip

    @contextmanager
    def started(self) -> Iterator[Process]:
        """It runs in the block, and is gone after it."""
        with self.console.open("wb") as console:
            popen = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to answer
            )
        process = Process(popen, self.console)
        try:
            yield process
        finally:
            process.end()


def device_tree(additions: str, folder: Path) -> Path:
    """QEMU's own device tree of this machine with `additions`, device tree source, compiled in `folder`."""
    plain, source, made = folder / "plain.dtb", folder / "board.dts", folder / "board.dtb"
    run(["qemu-system-aarch64", "-machine", f"virt,dumpdtb={_escaped(plain)}", *_HARDWARE])
    own = run(["dtc", "-q", "-I", "dtb", "-O", "dts", plain])
    # The seeds in it are the same at each boot; without them the kernel gathers randomness by itself.
    own = re.sub(r"^\s*(kaslr|rng)-seed = <.*>;\n", "", own, flags=re.MULTILINE)
    source.write_text(own + additions)
    run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", made, source])
    return made


def _escaped(path: Path) -> str:
    """A path within one of QEMU's option lists."""
    return str(path).replace(",", ",,")
