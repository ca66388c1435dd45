"""~/.ssh/config, held against what `ssh -G` makes of the same files."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgegreen.errors import InputError
from edgegreen.transport.ssh.config import Endpoint, resolve, resolve_jump

COMPARED = (
    "port", "hostname", "user", "proxyjump", "proxycommand", "hostkeyalias", "identitiesonly",
    "connecttimeout",
)  # fmt: skip
CONFIGS = {  # lines separated by "; "
    "first value wins": "Host pi*; Port 2200; User pi; Host pi5; Port 2300; HostName pi; Host *; User x",
    "negation": "Host * !pi5; Port 99; Host pi? !pi4; User five",
    "equals and quotes": 'Host=pi5;   HostName = "10.0.0.9"; identityfile="~/my keys/id"; PORT 23 # why',
    "tokens": "Host pi5; HostName %h.lab.example; IdentityFile ~/.ssh/%r@%h:%p; User u; Port 24",
    "identities": "IdentityFile ~/a; IdentitiesOnly yes; Host *; IdentityFile ~/b; IdentityFile ~/a",
    "known hosts": "UserKnownHostsFile /k1 /k2; GlobalKnownHostsFile /g; HostKeyAlias the-pi",
    "jumps": "Host pi5; ProxyJump gate,user@inner:2222",
    "jump before command": "Host pi5; ProxyJump gate; Host *; ProxyCommand nc %h %p",
    "command before jump": "Host pi5; ProxyCommand nc 1.2.3.4 5; Host *; ProxyJump gate",
    "no jump": "Host pi5; ProxyJump none; Host *; ProxyJump gate",
    "match host": "Host pi5; HostName real; Match host real; Port 1234; Match host pi5; Port 4321",
    "match originalhost, user": "User me; Match originalhost pi5,pi6 user me; Port 77; Match all; Port 78",
    "match negated": "Match !host pi5; Port 77; Match !originalhost other; Port 79",
    "match final": "Match final host real; Port 88; Host pi5; HostName real",
    "match exec": 'Match exec "test %n = pi5"; Port 55; Match exec false; User wrong',
    "match exec not reached": "Match host other exec false; User wrong; Match all; Port 56",
    "include": "Include extra.conf; Host pi5; Port 100; User outer",
    "include in a host": "Host other; Include extra.conf; Host pi5; Include more/*.conf; User outer",
    "timeout": "ConnectTimeout 7",
    "nothing": "# only a comment; ",
}


@pytest.fixture
def files(own_home: Path) -> Path:
    """A .ssh folder with files to include."""
    folder = own_home / ".ssh"
    (folder / "extra.conf").write_text("Host pi5\n User included\nHost *\n ConnectTimeout 3\n")
    (folder / "more").mkdir()
    (folder / "more" / "1.conf").write_text("Port 101\n")
    (folder / "more" / "2.conf").write_text("Port 102\nHost pi6\n User six\nHost pi5\n HostKeyAlias five\n")
    return folder / "config"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh command to compare with")
@pytest.mark.parametrize("name", CONFIGS)
def test_means_what_ssh_makes_of_it(name: str, files: Path) -> None:
    text = CONFIGS[name].replace("; ", "\n")
    # ssh looks for relative includes in the passwd home, not in $HOME: it gets whole paths.
    files.write_text(re.sub(r"Include (\S+)", rf'Include "{files.parent}/\1"', text))
    theirs = ssh_g(files, "pi5")
    files.write_text(text)
    ours = resolve("pi5", files=[files])
    assert {
        "port": str(ours.port),
        "hostname": ours.host,
        "user": ours.user,
        "proxyjump": ",".join(ours.jumps),
        "proxycommand": ours.proxy_command or "",
        "hostkeyalias": ours.host_key_alias or "",
        "identitiesonly": "yes" if ours.identities_only else "no",
        "connecttimeout": "none" if ours.connect_timeout_s is None else f"{ours.connect_timeout_s:g}",
    } == {key: theirs.get(key, [""])[0] for key in COMPARED}
    if "identityfile" in text.lower():
        assert [str(path) for path in ours.identity_files] == [
            expanded(path) for path in theirs["identityfile"]
        ]
    if "KnownHosts" in text:
        known = theirs["userknownhostsfile"][0].split() + theirs["globalknownhostsfile"][0].split()
        assert [str(path) for path in ours.known_hosts] == [expanded(path) for path in known]


def ssh_g(config: Path, host: str) -> dict[str, list[str]]:
    done = subprocess.run(["ssh", "-G", "-F", config, host], capture_output=True, text=True, check=True)
    options: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        options.setdefault(key, []).append(value)
    return options


def expanded(path: str) -> str:
    """ssh -G leaves %-tokens and ~ in paths as they are."""
    for token, value in {"%r": "u", "%h": "pi5.lab.example", "%p": "24"}.items():
        path = path.replace(token, value)
    return str(Path(path.strip('"')).expanduser())


def test_what_is_given_wins_over_the_files(files: Path) -> None:
    files.write_text("Host pi5\n User a\n Port 1\n IdentityFile /x\n ProxyJump gate\n ProxyCommand nc\n")
    endpoint = resolve(
        "pi5", port=22, user="b", identity_file=Path("~/key"), proxy_jump="none", files=[files]
    )
    assert (endpoint.port, endpoint.user, endpoint.jumps, endpoint.proxy_command) == (22, "b", (), None)
    assert endpoint.identity_files == (Path("~/key").expanduser(),)


def test_without_files_there_are_defaults(tmp_path: Path, own_home: Path) -> None:
    endpoint = resolve("pi5", files=[tmp_path / "none"])
    assert (endpoint.host, endpoint.port, endpoint.user) == ("pi5", 22, getpass.getuser())
    assert endpoint.known_hosts[0] == own_home / ".ssh" / "known_hosts"
    assert endpoint.identity_files == ()
    assert endpoint.ssh_command == f"ssh {getpass.getuser()}@pi5"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Port twelve", "a port is a number"),
        ("Host", "expected `Keyword value`"),
        ('HostName "open', "No closing quotation"),
        ("Match host", "`host` needs a value"),
        ("ConnectTimeout soon", "could not convert"),
        ("Include config", "files that include each other"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: str, reason: str, files: Path) -> None:
    files.write_text(f"# first\n{line}\n")
    with pytest.raises(InputError, match=reason) as caught:
        resolve("pi5", files=[files])
    assert caught.value.message.startswith(f"{files}:2: `{line}`")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("gate", ("gate", 22, "me")),
        ("you@Gate:2222", ("Gate", 2222, "you")),
        ("ssh://you@gate:2222", ("gate", 2222, "you")),
        ("[fe80::1]:23", ("fe80::1", 23, "me")),
    ],
)
def test_a_jump_is_written_as_ssh_takes_it(spec: str, expected: tuple[str, int, str], files: Path) -> None:
    files.write_text("User me\n")
    endpoint = resolve_jump(spec, [files])
    assert (endpoint.host, endpoint.port, endpoint.user) == expected


@pytest.mark.parametrize("spec", ["", "gate:x", "gate/path", "http://gate"])
def test_what_is_no_jump_is_refused(spec: str, files: Path) -> None:
    with pytest.raises(InputError, match="is no jump host"):
        resolve_jump(spec, [files])


def test_known_hosts_names(files: Path) -> None:
    def endpoint(**fields: object) -> Endpoint:
        return resolve("PI5", files=[files], **fields)  # type: ignore[arg-type]

    assert endpoint().known_as == "pi5"
    assert endpoint(port=2222).known_as == "[pi5]:2222"
    files.write_text("HostKeyAlias Fleet\n")
    assert endpoint(port=2222).known_as == "fleet"
