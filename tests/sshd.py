"""A real OpenSSH server for the tests: unprivileged, on a loopback port, with keys and a home of its own.

`Sshd` is also what the benchmarks start. Where openssh-server is not installed the tests skip, unless
EDGEGREEN_REQUIRE_SSHD=1 says that it must be there.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from edgegreen.target import Target
from edgegreen.transport import Upload
from edgegreen.transport.ssh import SSHTransport

Connect = Callable[..., SSHTransport]
"""What the fixture `connect` is."""
MakeUpload = Callable[..., Upload]
"""What the fixture `upload` is."""

_BINARY = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Sshd:
    """One server. `home` is the home folder of who logs in, `folder` holds keys, log and configuration."""

    def __init__(self, folder: Path, *options: str) -> None:
        assert _BINARY is not None, "openssh-server is not installed"
        self.folder = folder
        self.home = folder / "home"
        self.user = getpass.getuser()
        self.identity = folder / "identity"
        self.host_key = folder / "host_key"
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "ssh_config"
        self.home.mkdir(parents=True)
        for key in (self.identity, self.host_key):
            keygen(key)
        self.port = free_port()
        (folder / "sshd_config").write_text(
            "\n".join([*options, *self._options()]) + "\n"  # sshd takes the first value of an option
        )
        self.trust()
        self.config.write_text(
            f"Host *\n  UserKnownHostsFile {self.known_hosts}\n  GlobalKnownHostsFile none\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # only root's sshd wants it
        self._process: subprocess.Popen[bytes] | None = None

    def _options(self) -> list[str]:
        return [
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.identity}.pub",
            f"PidFile {self.folder}/pid",
            f'SetEnv HOME="{self.home}" EDGEGREEN_LOCK="{self.folder}/board.lock"',
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "Subsystem sftp internal-sftp",
            "MaxStartups 100",
            "LogLevel VERBOSE",
        ]

    def start(self) -> Self:
        """Listen; returns when the server answers."""
        command = [_BINARY, "-D", "-f", self.folder / "sshd_config", "-E", self.folder / "log"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline_s = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.005)

    def stop(self) -> None:
        """End the server and the sessions it still has."""
        if self._process is not None:
            for pid in children(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None

    def trust(self) -> None:
        """Write known_hosts as it is after a first login."""
        kind, blob = self.host_key.with_suffix(".pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {blob}\n")

    def trust_port(self, port: int) -> None:
        """Know this server on another port too: a proxy in front of it."""
        line = self.known_hosts.read_text().splitlines()[0]
        with self.known_hosts.open("a") as stream:
            stream.write(line.replace(f":{self.port} ", f":{port} ") + "\n")

    def target(self, **fields: object) -> Target:
        """A Target that means this server, with other `fields` if given."""
        default = {"host": "127.0.0.1", "port": self.port, "user": self.user, "identity_file": self.identity}
        return Target.model_validate(default | fields).called("board")

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process
        return self._process.pid

    def log(self) -> str:
        """What the server logged."""
        return (self.folder / "log").read_text()


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    """Make a key pair, `path` and `path.pub`."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def children(pid: int) -> list[int]:
    """The processes that `pid` started, all generations."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


@pytest.fixture(scope="session")
def openssh() -> None:
    """Skip (or fail, where it is required) without an OpenSSH server."""
    if _BINARY is None:
        reason = "openssh-server is not installed"
        if os.environ.get("EDGEGREEN_REQUIRE_SSHD") == "1":
            pytest.fail(f"{reason}, but EDGEGREEN_REQUIRE_SSHD=1")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def sshd(openssh: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A running server that all tests share."""
    server = Sshd(tmp_path_factory.mktemp("sshd") / "it").start()
    yield server
    server.stop()
