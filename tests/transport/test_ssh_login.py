"""Getting in: the ways there, host keys, keys, agents and passwords, and what refusals say."""

from __future__ import annotations

import getpass
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
from sshd import Connect, Sshd, free_port, keygen

from edgegreen.errors import DeviceError, InputError, RefusedError, UnreachableError
from edgegreen.target import Target
from edgegreen.transport.ssh import SSHTransport
from edgegreen.transport.ssh.connection import Patience

HASTY = Patience(connect_s=0.5)


def alias(sshd: Sshd, path: Path, *more: str) -> Path:
    """An ssh_config in which `pi5` is the shared server."""
    where = ["Host pi5", "HostName 127.0.0.1", f"Port {sshd.port}"]
    who = [f"User {sshd.user}", f"IdentityFile {sshd.identity}"]
    path.write_text("\n".join([*where, *who, *more, "Host *", sshd.config.read_text()]))
    return path


def test_an_alias_of_ssh_config_is_all_it_needs(sshd: Sshd, own_home: Path) -> None:
    alias(sshd, own_home / ".ssh" / "config")
    with SSHTransport.connect(Target(host="pi5")) as board:
        assert board.run("echo hello").stdout == b"hello\n"
        assert board.name == "pi5"


def test_through_a_jump_host(sshd: Sshd, tmp_path: Path) -> None:
    gate = ["Host gate", "HostName 127.0.0.1", f"Port {sshd.port}", f"IdentityFile {sshd.identity}"]
    config = alias(sshd, tmp_path / "config", "ProxyJump gate", *gate)
    before = sshd.log().count("Accepted publickey")
    with SSHTransport.connect(Target(host="pi5"), config_files=[config]) as board:
        assert board.run("echo through").stdout == b"through\n"
    assert sshd.log().count("Accepted publickey") == before + 2


def test_through_two_jump_hosts_that_the_target_names(sshd: Sshd, tmp_path: Path) -> None:
    config = alias(sshd, tmp_path / "config")
    target = sshd.target(proxy_jump=f"pi5,{sshd.user}@pi5:{sshd.port}")
    before = sshd.log().count("Accepted publickey")
    with SSHTransport.connect(target, config_files=[config]) as board:
        assert board.run("echo through").stdout == b"through\n"
    assert sshd.log().count("Accepted publickey") == before + 3


def test_jump_hosts_in_a_circle(sshd: Sshd, tmp_path: Path) -> None:
    config = alias(sshd, tmp_path / "config", "ProxyJump gate", "Host gate", "ProxyJump pi5")
    with pytest.raises(InputError, match="lead in a circle"):
        SSHTransport.connect(Target(host="pi5"), config_files=[config])


def test_a_jump_host_that_cannot_get_further(connect: Connect, sshd: Sshd, tmp_path: Path) -> None:
    config = alias(sshd, tmp_path / "config")
    with pytest.raises(UnreachableError, match=r"the jump host pi5 \(127.0.0.1:\d+\) cannot connect to it"):
        connect(config=config, proxy_jump="pi5", port=free_port())


def test_through_a_proxy_command(sshd: Sshd, tmp_path: Path) -> None:
    netcat = tmp_path / "netcat.py"
    netcat.write_text(
        "import socket, sys, threading, os\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
    )
    config = alias(sshd, tmp_path / "config", f"ProxyCommand python3 {netcat} %h %p")
    with SSHTransport.connect(Target(host="pi5"), config_files=[config]) as board:
        assert board.run("head -c 1000000 /dev/zero | wc -c").stdout.strip() == b"1000000"


def test_a_proxy_command_that_fails_is_quoted(sshd: Sshd, tmp_path: Path) -> None:
    config = alias(sshd, tmp_path / "config", "ProxyCommand sh -c 'echo no such gate >&2; exit 1'")
    with pytest.raises(UnreachableError, match="ProxyCommand said: no such gate"):
        SSHTransport.connect(Target(host="pi5"), config_files=[config])


def test_the_targets_fields_win_over_the_config(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"User nobody\nPort 1\nIdentityFile /none\nProxyJump gate\n{sshd.config.read_text()}")
    with SSHTransport.connect(sshd.target(proxy_jump="none"), config_files=[config]) as board:
        assert board.run("true").exit_code == 0


# --- host keys


def test_an_unknown_host_key_is_refused_and_shown(connect: Connect, sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("UserKnownHostsFile /none\nGlobalKnownHostsFile none\n")
    with pytest.raises(RefusedError) as caught:
        connect(config=config)
    listed = subprocess.check_output(["ssh-keygen", "-lf", sshd.host_key], text=True)
    assert f"127.0.0.1:{sshd.port}: unknown host key ED25519 {listed.split()[1]}" in str(caught.value)
    assert f"ssh -p {sshd.port} {sshd.user}@127.0.0.1" in str(caught.value)


def test_a_changed_host_key_is_refused(connect: Connect, sshd: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "other")
    kind, blob = (tmp_path / "other.pub").read_text().split()[:2]
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {kind} {blob}\n")
    config = tmp_path / "config"
    config.write_text(f"UserKnownHostsFile {known}\nGlobalKnownHostsFile none\n")
    with pytest.raises(RefusedError, match="HOST KEY HAS CHANGED") as caught:
        connect(config=config)
    assert f"{known}:1" in caught.value.message
    assert "ssh-keygen -R" in str(caught.value.hint)


def test_the_type_of_key_that_is_known_is_asked_for(openssh: None, tmp_path: Path) -> None:
    rsa = tmp_path / "rsa"
    keygen(rsa, "rsa")
    server = Sshd(tmp_path / "sshd", f"HostKey {rsa}").start()
    try:
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {rsa.with_suffix('.pub').read_text()}")
        with SSHTransport.connect(server.target(), config_files=[server.config]) as board:
            assert board.run("true").exit_code == 0
    finally:
        server.stop()


def test_nothing_is_written_to_known_hosts(connect: Connect, sshd: Sshd) -> None:
    before = sshd.known_hosts.read_text()
    connect()
    assert sshd.known_hosts.read_text() == before


# --- logging in


def test_a_refused_key_is_named_with_what_is_allowed(connect: Connect, sshd: Sshd, tmp_path: Path) -> None:
    keygen(tmp_path / "stranger")
    with pytest.raises(RefusedError) as caught:
        connect(identity_file=tmp_path / "stranger")
    assert f"login as `{sshd.user}` refused (key {tmp_path}/stranger was refused)" in caught.value.message
    assert caught.value.message.endswith("the server allows: publickey")
    assert f"ssh-copy-id -p {sshd.port} {sshd.user}@127.0.0.1" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), ("junk", "cannot be used"), ("encrypted", "is encrypted: run `ssh-add")],
)
def test_a_key_that_cannot_be_used_is_named(
    content: str | None, reason: str, connect: Connect, tmp_path: Path
) -> None:
    identity = tmp_path / "key"
    if content == "encrypted":
        keygen(identity, passphrase="open sesame")
    elif content:
        identity.write_text(content)
    with pytest.raises(RefusedError, match=f"key {identity} {reason}"):
        connect(identity_file=identity)


def test_an_encrypted_key_and_its_passphrase(
    connect: Connect, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = tmp_path / "key"
    identity.write_bytes(sshd.identity.read_bytes())
    identity.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", identity], check=True)
    monkeypatch.setenv("EDGEGREEN_PASSPHRASE", "wrong")
    with pytest.raises(RefusedError, match=f"key {identity} cannot be used"):
        connect(identity_file=identity)
    monkeypatch.setenv("EDGEGREEN_PASSPHRASE", "open sesame")
    assert connect(identity_file=identity).run("true").exit_code == 0


def test_the_usual_files_in_the_home_folder(connect: Connect, sshd: Sshd, own_home: Path) -> None:
    keygen(own_home / ".ssh" / "id_ecdsa", "ecdsa")
    (own_home / ".ssh" / "id_rsa").write_bytes(sshd.identity.read_bytes())
    assert connect(identity_file=None).run("true").exit_code == 0


@pytest.fixture
def agent(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An ssh-agent that holds a strange key and the right one."""
    address = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
    while not address.exists():
        assert process.poll() is None
    keygen(tmp_path / "strange")
    for key in (tmp_path / "strange", sshd.identity):
        subprocess.run(["ssh-add", "-q", key], check=True, stderr=subprocess.DEVNULL)
    yield address
    process.terminate()
    process.wait()


@pytest.mark.usefixtures("agent")
def test_the_agents_keys(connect: Connect) -> None:
    assert connect(identity_file=None).run("true").exit_code == 0


@pytest.mark.usefixtures("agent")
def test_of_the_agents_keys_only_the_named_one(connect: Connect, sshd: Sshd, tmp_path: Path) -> None:
    # The private half lies nowhere: the .pub file says which of the agent's keys is meant.
    named = tmp_path / "named"
    named.with_suffix(".pub").write_text(sshd.identity.with_suffix(".pub").read_text())
    config = tmp_path / "config"
    config.write_text(f"IdentityFile {named}\nIdentitiesOnly yes\n{sshd.config.read_text()}")
    before = sshd.log().count("Failed publickey")
    assert connect(config=config, identity_file=None).run("true").exit_code == 0
    assert sshd.log().count("Failed publickey") == before
    config.write_text(config.read_text().replace(str(named), str(tmp_path / "strange")))
    with pytest.raises(RefusedError, match=r"strange \(by the agent\) was refused"):
        connect(config=config, identity_file=None)


def test_no_key_at_all(connect: Connect) -> None:
    with pytest.raises(RefusedError, match="there is no key to offer"):
        connect(identity_file=None)


class PasswordServer(paramiko.ServerInterface):
    """OpenSSH cannot check a password without root; this real SSH server can."""

    def __init__(self, methods: str) -> None:
        self.methods = methods

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_password(self, username: str, password: str) -> int:
        good = self.methods == "password" and (username, password) == ("pi", "raspberry")
        return paramiko.common.AUTH_SUCCESSFUL if good else paramiko.common.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.common.AUTH_SUCCESSFUL if responses == ["raspberry"] else paramiko.common.AUTH_FAILED


@pytest.fixture(params=["password", "keyboard-interactive"])
def password_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Target, Path]]:
    """A server that takes `pi` with password `raspberry`."""
    keygen(tmp_path / "host")
    host_key = paramiko.PKey.from_path(tmp_path / "host")
    listener = socket.create_server(("127.0.0.1", 0))
    servers: list[paramiko.Transport] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                server = paramiko.Transport(listener.accept()[0])
                server.add_server_key(host_key)
                with suppress(paramiko.SSHException, EOFError):
                    server.start_server(server=PasswordServer(request.param))
                servers.append(server)

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    known, config = tmp_path / "known", tmp_path / "config"
    known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
    config.write_text(f"UserKnownHostsFile {known}\nGlobalKnownHostsFile none\n")
    yield Target(host="127.0.0.1", port=port, user="pi"), config
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for server in servers:
        server.close()
        server.join()


def test_a_password_from_the_environment(
    password_server: tuple[Target, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, config = password_server
    monkeypatch.setenv("EDGEGREEN_PASSWORD", "raspberry")
    SSHTransport.connect(target, config_files=[config]).close()
    monkeypatch.setenv("EDGEGREEN_PASSWORD", "wrong secret")
    with pytest.raises(RefusedError, match="EDGEGREEN_PASSWORD was refused") as caught:
        SSHTransport.connect(target, config_files=[config])
    assert "wrong secret" not in str(caught.value)
    monkeypatch.delenv("EDGEGREEN_PASSWORD")
    with pytest.raises(RefusedError, match=r"the server allows: (password|keyboard-interactive)"):
        SSHTransport.connect(target, config_files=[config])


# --- no way there


def refused(target: Target, patience: Patience = HASTY) -> UnreachableError:
    with pytest.raises(UnreachableError) as caught:
        SSHTransport.connect(target, config_files=[], patience=patience)
    assert not isinstance(caught.value, RefusedError)
    assert caught.value.hint
    return caught.value


def test_a_port_where_nothing_listens() -> None:
    port = free_port()
    error = refused(Target(host="127.0.0.1", port=port))
    assert error.message == f"127.0.0.1:{port}: nothing listens on port {port}"
    assert error.transient


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 300])
def test_a_name_that_does_not_resolve(host: str) -> None:
    error = refused(Target(host=host))
    assert f"the name `{host}` is not known" in error.message
    if getattr(error.__context__, "errno", None) != socket.EAI_AGAIN:  # what a machine without network says
        assert not error.transient


def test_a_board_that_does_not_answer() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # the kernel drops what comes after a full queue, like a board that is off
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        error = refused(Target(host="127.0.0.1", port=listener.getsockname()[1]))
        for filler in fillers:
            filler.close()
    assert "no answer within 0.5 s" in error.message
    assert error.transient


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (None, "hung up|reset"),
        (b"", "it says nothing for"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", "no complete greeting"),
    ],
)
def test_what_answers_is_no_ssh_server(greeting: bytes | None, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answered: list[socket.socket] = []

        def answer() -> None:
            answered.append(listener.accept()[0])
            if greeting is None:
                answered[0].close()
            else:
                answered[0].sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        error = refused(Target(host="127.0.0.1", port=listener.getsockname()[1]))
        thread.join()
        answered[0].close()
    assert "answers, but not as an SSH server should" in error.message
    assert re.search(said, error.message)


def test_a_login_shell_that_runs_nothing(openssh: None, tmp_path: Path) -> None:
    server = Sshd(tmp_path / "sshd", "ForceCommand echo This account is not available.").start()
    try:
        with (
            SSHTransport.connect(server.target(), config_files=[server.config]) as board,
            pytest.raises(DeviceError, match="did not run our command: This account is not available"),
        ):
            board.run("true")
    finally:
        server.stop()


def test_the_local_user_is_the_default(sshd: Sshd) -> None:
    assert sshd.user == getpass.getuser()
    assert os.environ["HOME"] != str(sshd.home)
    with SSHTransport.connect(sshd.target(user=None), config_files=[sshd.config]) as board:
        assert board.run("id -un").stdout.decode().strip() == sshd.user
