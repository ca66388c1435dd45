"""Nothing of the developer's own SSH set-up reaches these tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import Connect, MakeUpload, Sshd

from edgegreen.transport import Upload
from edgegreen.transport.ssh import SSHTransport
from edgegreen.transport.ssh.connection import Patience


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with an empty .ssh, no agent, no secrets in the environment."""
    home = tmp_path / "user home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for name in ("SSH_AUTH_SOCK", "EDGEGREEN_PASSWORD", "EDGEGREEN_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def connect(sshd: Sshd) -> Iterator[Connect]:
    """Connect to the shared server (other fields of the Target by keyword), and hang up in the end."""
    opened: list[SSHTransport] = []

    def make(patience: Patience | None = None, config: Path | None = None, **fields: object) -> SSHTransport:
        files, patience = [config or sshd.config], patience or Patience()
        opened.append(SSHTransport.connect(sshd.target(**fields), config_files=files, patience=patience))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()


@pytest.fixture
def board(connect: Connect) -> SSHTransport:
    """The shared server, connected."""
    return connect()


@pytest.fixture
def upload(tmp_path: Path) -> MakeUpload:
    """A new local file of random bytes, to be put to a remote path."""
    count = 0

    def make(remote: str, size_bytes: int = 1000, data: bytes | None = None) -> Upload:
        nonlocal count
        count += 1
        source = tmp_path / f"source-{count}"
        source.write_bytes(os.urandom(size_bytes) if data is None else data)
        content = source.read_bytes()
        return Upload(source, remote, hashlib.sha256(content).hexdigest(), len(content))

    return make
