"""A booted board: how to reach it, what edgegreen has to know of it, and what it really drew."""

from __future__ import annotations

import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_tests.emulator import cache, kernel, machine, needs, overlay, rootdisk
from device_tests.emulator.boards import Board, find
from device_tests.emulator.machine import Machine, Process
from device_tests.emulator.power import KnownPower
from edgegreen.errors import DeviceError
from edgegreen.target import Target

READY_S = 90.0
DOWN_S = 20.0
CONSOLES_KEPT = 20
POLL_S = 0.1
LOG = "/run/emulated-board/load.csv"
_SSH_CONFIG = """\
Host *
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile none
  IdentityFile {identity}
  IdentitiesOnly yes
"""


@dataclass(frozen=True)
class Running:
    """A board that is up. `home` is one's own home, but for a .ssh that trusts the board and has the key."""

    name: str
    board: Board
    port: int
    home: Path
    process: Process
    boot_s: float
    host: str = "127.0.0.1"
    user: str = rootdisk.USER

    @property
    def identity_file(self) -> Path:
        """The private key that logs in as `user`, and as root."""
        return self.home / ".ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """A file with the one line that says the board's host key."""
        return self.home / ".ssh" / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """In ssh_config's format: this known_hosts, this key, and no others."""
        return self.home / ".ssh" / "config"

    @property
    def console(self) -> Path:
        """All that came on the board's console."""
        return self.process.console

    @property
    def address(self) -> str:
        """What `--target` takes."""
        return f"ssh://{self.user}@{self.host}:{self.port}"

    @property
    def targets(self) -> Path:
        """A folder with the board's target file."""
        return self.home.parent / "targets"

    def environment(self) -> dict[str, str]:
        """What a command of edgegreen needs in its environment to know the board by name, and to trust it."""
        return {"HOME": str(self.home), "EDGEGREEN_TARGETS": str(self.targets)}

    def target_yaml(self) -> str:
        """A target file for this board."""
        power = f"power: {{meter: {self.board.load.meter}}}\n"
        return (
            f"# The emulated board `{self.name}`, until it is switched off.\n"
            f"family: {self.board.family}\nhost: {self.host}\nport: {self.port}\nuser: {self.user}\n"
            f"identity_file: {self.identity_file}\n{power}"
        )

    def target(self, **fields: object) -> Target:
        """The same as a Target, with other `fields` if given."""
        own: dict[str, object] = {
            "family": self.board.family, "host": self.host, "port": self.port, "user": self.user,
            "identity_file": self.identity_file, "power": {"meter": self.board.load.meter},
        }  # fmt: skip
        return Target.model_validate(own | fields).called(self.board.target_name)

    def ssh(self, command: str, *, user: str = "root", timeout_s: float = 60.0) -> str:
        """Run a command on the board with the machine's own ssh, as root unless told otherwise; its output.

        Raises DeviceError.
        """
        argv = ["ssh", "-F", str(self.ssh_config), "-p", str(self.port), f"{user}@{self.host}", command]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"emulated {self.name}: `{command}` takes longer than {timeout_s:g} s"
            ) from None
        if done.returncode:
            raise DeviceError(f"emulated {self.name}: `{command}`: {done.stderr.strip()[-500:]}")
        return done.stdout

    def reboot(self) -> None:
        """Start it anew, its disk as it is now; returns when it is up again. Raises DeviceError."""
        self.ssh("(sleep 0.2; reboot) >/dev/null 2>&1 </dev/null &")
        deadline_s = time.monotonic() + DOWN_S
        while _greets(self.port):
            if time.monotonic() > deadline_s:
                raise DeviceError(f"emulated {self.name}: told to reboot, it does not")
            time.sleep(POLL_S)
        wait_for_ssh(self.process, self.port, READY_S)

    def known_power(self) -> KnownPower:
        """What the board drew since it was switched on, up to now."""
        return KnownPower.parse(self.ssh(f"cat {shlex.quote(LOG)}"))


@contextmanager
def boot(
    name: str, *, port: int | None = None, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Running]:
    """Build (or take from the cache) and boot a board; it runs in the block, and is gone after it.

    What it writes is gone too. Raises InputError (no such board, or something is missing on this machine),
    UnreachableError (packages cannot be had), DeviceError (it does not come up; with what it said last).
    """
    board = find(name)
    needs.require()
    the_kernel = kernel.made(tell)
    disk = rootdisk.made(board.suite, the_kernel, tell)
    with tempfile.TemporaryDirectory(prefix="emulated-board-") as name_of_folder:
        folder = Path(name_of_folder)
        home = a_home_like(Path.home(), folder / "home")
        ssh = home / ".ssh"
        user_key, host_key = _keygen(ssh / "id_ed25519"), _keygen(folder / "host_key")
        files = overlay.of(board, host_key, user_key.with_suffix(".pub"))
        initramfs = files.on_top_of(the_kernel.initramfs, folder / "initramfs")
        host_key.unlink()  # it is the board's now
        port = port or free_port()
        trust(ssh, port, host_key.with_suffix(".pub").read_text())
        vm = Machine(
            the_kernel.image,
            initramfs,
            disk,
            console_log(name, port),
            device_tree=machine.device_tree(board.device_tree(), folder),
            port=port,
        )
        began_s = time.monotonic()
        tell(f"booting {name}")
        with vm.started() as process:
            wait_for_ssh(process, port, READY_S)
            running = Running(name, board, port, home, process, time.monotonic() - began_s)
            running.targets.mkdir()
            (running.targets / f"{board.target_name}.yaml").write_text(running.target_yaml())
            yield running


def wait_for_ssh(process: Process, port: int, timeout_s: float) -> None:
    """Return when the board's SSH server greets. Raises DeviceError when the machine ends, or is too slow."""
    deadline_s = time.monotonic() + timeout_s
    while not _greets(port):
        if process.has_ended():
            raise DeviceError(f"the emulated board ended while it booted; {process.last_words()}")
        if time.monotonic() > deadline_s:
            raise DeviceError(f"the emulated board was not up within {timeout_s:g} s; {process.last_words()}")
        time.sleep(POLL_S)


def console_log(name: str, port: int) -> Path:
    """Where the console of a boot is kept, with those of the last CONSOLES_KEPT boots."""
    folder = cache.folder() / "consoles"
    folder.mkdir(parents=True, exist_ok=True)
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    for old in logs[: -CONSOLES_KEPT + 1]:
        old.unlink(missing_ok=True)
    return folder / f"{name}-{port}.log"


def a_home_like(real: Path, home: Path) -> Path:
    """A home folder with all that is in `real`, by links, but for a .ssh of its own."""
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for entry in real.iterdir() if real.is_dir() else ():
        if entry.name != ".ssh":
            (home / entry.name).symlink_to(entry)
    return home


def trust(ssh: Path, port: int, public_key: str) -> None:
    """Write known_hosts and config to a .ssh folder, for a board with this host key."""
    kind, blob = public_key.split()[:2]
    known_hosts = ssh / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
    (ssh / "config").write_text(_SSH_CONFIG.format(known_hosts=known_hosts, identity=ssh / "id_ed25519"))


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _greets(port: int) -> bool:
    """Whether an SSH server answers. QEMU itself accepts connections before the board does."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def _keygen(place: Path) -> Path:
    needs.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "emulated-board", "-f", place])
    return place
