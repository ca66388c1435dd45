"""Host keys against known_hosts files that ssh-keygen wrote."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from sshd import keygen

from edgegreen.errors import RefusedError
from edgegreen.transport.ssh import knownhosts
from edgegreen.transport.ssh.config import Endpoint, resolve


def key(folder: Path, name: str, kind: str = "ed25519") -> tuple[str, str]:
    keygen(folder / name, kind)
    kind, blob = (folder / f"{name}.pub").read_text().split()[:2]
    return kind, blob


def endpoint(known_hosts: Path, host: str = "pi5", port: int = 22) -> Endpoint:
    config = known_hosts.with_name("config")
    config.write_text(f"UserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile none\nUser pi\n")
    return resolve(host, port=port, files=[config])


def check(where: Endpoint, shown: tuple[str, str]) -> None:
    knownhosts.check(where, knownhosts.known_keys(where), shown[0], base64.b64decode(shown[1]))


@pytest.mark.parametrize(
    ("field", "host", "port", "found"),
    [
        ("pi5", "pi5", 22, True),
        ("pi5", "pi5", 2222, False),
        ("[pi5]:2222", "pi5", 2222, True),
        ("10.0.0.1,pi5,x", "PI5", 22, True),
        ("*.lab,pi?", "pi5", 22, True),
        ("pi*,!pi5", "pi5", 22, False),
        ("[pi*]:2222", "pi5", 2222, True),
        ("pi", "pi5", 22, False),
        ("|1|bad|bad", "pi5", 22, False),
    ],
)
def test_names(field: str, host: str, port: int, found: bool, tmp_path: Path) -> None:
    shown = key(tmp_path, "key")
    file = tmp_path / "known_hosts"
    file.write_text(f"# comment\n\n{field} {' '.join(shown)} comment\n")
    where = endpoint(file, host, port)
    assert bool(knownhosts.known_keys(where)) is found
    if found:
        check(where, shown)
    else:
        with pytest.raises(RefusedError, match="unknown host key"):
            check(where, shown)


@pytest.mark.parametrize(("host", "port"), [("pi5", 22), ("pi5", 2222)])
def test_hashed_names(host: str, port: int, tmp_path: Path) -> None:
    shown = key(tmp_path, "key")
    file = tmp_path / "known_hosts"
    where = endpoint(file, host, port)
    file.write_text(f"{where.known_as} {' '.join(shown)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert "pi5" not in file.read_text()
    check(where, shown)


def test_an_unknown_key_is_shown_with_the_way_to_accept_it(tmp_path: Path) -> None:
    shown = key(tmp_path, "key")
    with pytest.raises(RefusedError) as caught:
        check(endpoint(tmp_path / "none", port=2222), shown)
    listed = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    )
    assert caught.value.message == f"pi5:2222: unknown host key ED25519 {listed.stdout.split()[1]}"
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in str(caught.value.hint)
    assert "ssh -p 2222 pi@pi5" in str(caught.value.hint)
    assert not caught.value.transient


def test_a_changed_key_names_file_and_line_and_the_danger(tmp_path: Path) -> None:
    old, new = key(tmp_path, "old"), key(tmp_path, "new")
    file = tmp_path / "known hosts"
    where = endpoint(file)
    config = file.with_name("config")
    config.write_text(config.read_text().replace(str(file), f'"{file}"'))
    where = resolve("pi5", files=[config])
    file.write_text(f"\nother {' '.join(new)}\npi5 {' '.join(old)}\n")
    with pytest.raises(RefusedError, match="HOST KEY HAS CHANGED") as caught:
        check(where, new)
    assert f"but {file}:3 has ED25519 SHA256:" in caught.value.message
    assert "somebody may be in between" in str(caught.value.hint)
    assert f"ssh-keygen -R pi5 -f '{file}'" in str(caught.value.hint)


def test_a_host_known_by_another_type_of_key_is_no_unknown_one(tmp_path: Path) -> None:
    rsa, new = key(tmp_path, "rsa", "rsa"), key(tmp_path, "new")
    file = tmp_path / "known_hosts"
    file.write_text(f"pi5 {' '.join(rsa)}\n")
    with pytest.raises(RefusedError, match=rf"it shows ED25519 .*, but {file}:1 has RSA "):
        check(endpoint(file), new)
    assert knownhosts.algorithms(knownhosts.known_keys(endpoint(file)))[:2] == (
        "rsa-sha2-512",
        "rsa-sha2-256",
    )
    assert "ssh-ed25519" in knownhosts.algorithms(())


def test_a_revoked_key_is_refused_even_where_it_is_listed_too(tmp_path: Path) -> None:
    shown = key(tmp_path, "key")
    file = tmp_path / "known_hosts"
    file.write_text(f"pi5 {' '.join(shown)}\n@revoked * {' '.join(shown)}\n")
    with pytest.raises(RefusedError, match="revoked"):
        check(endpoint(file), shown)


def test_a_certificate_authority_is_no_host_key(tmp_path: Path) -> None:
    shown = key(tmp_path, "key")
    file = tmp_path / "known_hosts"
    file.write_text(f"@cert-authority * {' '.join(shown)}\n")
    with pytest.raises(RefusedError, match="unknown host key"):
        check(endpoint(file), shown)
