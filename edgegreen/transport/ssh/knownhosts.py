"""Host keys: what the user's known_hosts files say about a server, and refusing one that does not fit.

Nothing is ever added to those files here; the messages say how the user does it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgegreen.errors import InputError, RefusedError
from edgegreen.transport.ssh.config import Endpoint
from edgegreen.transport.ssh.configfile import wildcard

# The signature algorithms that prove each type of key, best first.
ALGORITHMS: dict[str, tuple[str, ...]] = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}


@dataclass(frozen=True)
class KnownKey:
    """One line of a known_hosts file."""

    path: Path
    line: int
    revoked: bool
    type: str
    blob: bytes

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def known_keys(endpoint: Endpoint) -> tuple[KnownKey, ...]:
    """The keys that the files list for `endpoint`. Raises InputError for a file that cannot be read."""
    return tuple(key for path in endpoint.known_hosts for key in _keys_in(path, endpoint.known_as))


def algorithms(known: Sequence[KnownKey]) -> tuple[str, ...]:
    """Signature algorithms in order of preference: those of the keys we know come first.

    A server has keys of several types; asked for the type we know, it shows the one we can check.
    """
    types = [key.type for key in known if not key.revoked and key.type in ALGORITHMS]
    return tuple(name for kind in dict.fromkeys([*types, *ALGORITHMS]) for name in ALGORITHMS[kind])


def check(endpoint: Endpoint, known: Sequence[KnownKey], kind: str, blob: bytes) -> None:
    """Accept the key that the server showed, or raise RefusedError."""
    if any(key.revoked and key.blob == blob for key in known):
        raise RefusedError(
            f"{endpoint}: its host key {_show(kind, blob)} is marked as revoked in known_hosts",
            hint="do not connect: that key was given up because others may have it",
        )
    valid = [key for key in known if not key.revoked]
    if any((key.type, key.blob) == (kind, blob) for key in valid):
        return
    raise _changed(endpoint, valid, kind, blob) if valid else _unknown(endpoint, kind, blob)


def fingerprint(blob: bytes) -> str:
    """The SHA256 fingerprint as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _unknown(endpoint: Endpoint, kind: str, blob: bytes) -> RefusedError:
    return RefusedError(
        f"{endpoint}: unknown host key {_show(kind, blob)}",
        hint=f"compare it on the board with `{_keygen_there(kind)}`; "
        f"if it is the same, accept it by connecting once: {endpoint.ssh_command}",
    )


def _changed(endpoint: Endpoint, valid: Sequence[KnownKey], kind: str, blob: bytes) -> RefusedError:
    old = ", ".join(f"{key} has {_show(key.type, key.blob)}" for key in valid)
    remove = " and ".join(
        shlex.join(["ssh-keygen", "-R", endpoint.known_as, "-f", str(path)])
        for path in dict.fromkeys(key.path for key in valid)
    )
    return RefusedError(
        f"{endpoint}: THE HOST KEY HAS CHANGED: it shows {_show(kind, blob)}, but {old}",
        hint="somebody may be in between and read along, or the board was installed anew. Compare it on the "
        f"board with `{_keygen_there(kind)}`; only if it is the same: {remove}, then {endpoint.ssh_command}",
    )


def _show(kind: str, blob: bytes) -> str:
    return f"{_short(kind).upper()} {fingerprint(blob)}"


def _keygen_there(kind: str) -> str:
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{_short(kind)}_key.pub"


def _short(kind: str) -> str:
    return kind.removeprefix("ssh-").partition("-")[0]


def _keys_in(path: Path, name: str) -> Iterator[KnownKey]:
    try:
        lines = path.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", hint="host keys are checked against it") from None
    for number, line in enumerate(lines, 1):
        fields = line.decode("utf-8", "replace").split()
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        # A certificate authority vouches for certificates, which are not used here.
        if len(fields) < 3 or fields[0].startswith("#") or marker == "@cert-authority":
            continue
        if _names(fields[0], name):
            try:
                blob = base64.b64decode(fields[2], validate=True)
            except binascii.Error:
                continue
            yield KnownKey(path, number, marker == "@revoked", fields[1], blob)


def _names(field: str, name: str) -> bool:
    """Whether the first field of a line means `name`: hashed, or patterns by comma."""
    if hashed := re.fullmatch(r"\|1\|([^|]+)\|([^|]+)", field):
        try:
            salt, digest = (base64.b64decode(part, validate=True) for part in hashed.groups())
        except binascii.Error:
            return False
        return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
    found = False
    for pattern in field.lower().split(","):
        if wildcard(pattern.removeprefix("!")).fullmatch(name):
            if pattern.startswith("!"):
                return False
            found = True
    return found
