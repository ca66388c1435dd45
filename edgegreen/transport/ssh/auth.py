"""Logging in: named identity files, then the agent's keys, then the usual files, then a password."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import paramiko
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    PasswordRequiredException,
    SSHException,
)

from edgegreen.errors import RefusedError, UnreachableError
from edgegreen.transport.ssh.config import Endpoint

USUAL_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


def log_in(transport: paramiko.Transport, endpoint: Endpoint) -> None:
    """Log in as `endpoint.user`. Raises RefusedError, which says what was tried and what is allowed."""
    notes: list[str] = []
    agent = _open_agent(notes)
    try:
        _try_all(transport, endpoint, agent, notes)
    finally:
        if agent is not None:
            agent.close()


def _try_all(
    transport: paramiko.Transport, endpoint: Endpoint, agent: paramiko.Agent | None, notes: list[str]
) -> None:
    user = endpoint.user
    for label, key in _keys(endpoint, agent, notes):
        allowed = _attempt(transport, endpoint, partial(transport.auth_publickey, user, key))
        if transport.is_authenticated():
            return
        notes.append(f"{label} was refused")
        if allowed and "publickey" not in allowed:
            break  # either keys are not wanted, or this one was and a password is wanted too
    offers: list[tuple[str, Callable[[], list[str]]]] = [("no secret", partial(transport.auth_none, user))]
    if password := os.environ.get("EDGEGREEN_PASSWORD"):
        offers.insert(0, ("EDGEGREEN_PASSWORD", partial(transport.auth_password, user, password)))
    for label, offer in offers:
        allowed = _attempt(transport, endpoint, offer)
        if transport.is_authenticated():
            return
        if label != "no secret":
            notes.append(f"{label} was refused")
    raise RefusedError(
        f"{endpoint}: login as `{user}` refused ({'; '.join(notes) or 'there is no key to offer'}); "
        f"the server allows: {', '.join(allowed) or 'not said'}",
        hint=f"put your key on the board with `{_copy_id(endpoint)}`, or name another `user` or "
        "`identity_file` in the target, or set EDGEGREEN_PASSWORD",
    )


def _attempt(transport: paramiko.Transport, endpoint: Endpoint, offer: Callable[[], list[str]]) -> list[str]:
    """Make one offer. Returns what the server allows next, as far as it said."""
    try:
        return offer()
    except BadAuthenticationType as error:
        return list(error.allowed_types)
    except AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise UnreachableError(f"{endpoint}: no answer to the login", transient=True) from None
        if not transport.is_active():
            raise RefusedError(
                f"{endpoint}: the server hung up during the login as `{endpoint.user}`",
                hint="it may have been offered too many keys: name the right one as `identity_file` in the "
                "target, or set `IdentitiesOnly yes` for the host in ~/.ssh/config",
            ) from None
        return []


def _keys(
    endpoint: Endpoint, agent: paramiko.Agent | None, notes: list[str]
) -> Iterator[tuple[str, paramiko.PKey]]:
    """Keys to offer, each once; files are read only when their turn comes."""
    in_agent = {key.asbytes(): key for key in agent.get_keys()} if agent else {}
    offered: set[bytes] = set()
    named = endpoint.identity_files
    for label, key in _from_files(named, in_agent, notes, must_exist=True):
        offered.add(key.asbytes())
        yield label, key
    if not endpoint.identities_only:
        for blob, agent_key in in_agent.items():
            if blob not in offered:
                offered.add(blob)
                yield f"the agent's key `{agent_key.comment or agent_key.get_name()}`", agent_key
    if not named:
        usual = tuple(Path(name).expanduser() for name in USUAL_FILES)
        for label, key in _from_files(usual, in_agent, notes, must_exist=False):
            if key.asbytes() not in offered:
                yield label, key


def _from_files(
    paths: tuple[Path, ...], in_agent: dict[bytes, paramiko.AgentKey], notes: list[str], *, must_exist: bool
) -> Iterator[tuple[str, paramiko.PKey]]:
    for path in paths:
        held = _held(path, in_agent)
        if held is not None:  # no passphrase is needed then
            yield f"key {path} (by the agent)", held
            continue
        try:
            key = _load(path)
        except FileNotFoundError:
            if must_exist:
                notes.append(f"key {path} does not exist")
        except PasswordRequiredException:
            notes.append(f"key {path} is encrypted: run `ssh-add {path}` or set EDGEGREEN_PASSPHRASE")
        except OSError as error:
            notes.append(f"key {path}: {error.strerror}")
        except Exception as error:  # what a broken file makes paramiko and cryptography raise is open-ended
            reason = str(error).partition("\n")[0].partition(". See https")[0]
            notes.append(f"key {path} cannot be used ({reason or type(error).__name__})")
        else:
            yield f"key {path}", key


def _load(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except TypeError:  # how an encrypted key announces itself
        passphrase = os.environ.get("EDGEGREEN_PASSPHRASE")
        if not passphrase:
            raise PasswordRequiredException from None
        return paramiko.PKey.from_path(path, passphrase.encode())  # type: ignore[arg-type]  # wants bytes


def _held(path: Path, in_agent: dict[bytes, paramiko.AgentKey]) -> paramiko.AgentKey | None:
    """The agent's key that belongs to `path`, known by the .pub file beside it."""
    public = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    try:
        blob = paramiko.pkey.PublicBlob.from_file(public).key_blob
    except (OSError, ValueError, SSHException):
        return None
    return in_agent.get(blob)


def _open_agent(notes: list[str]) -> paramiko.Agent | None:
    try:
        return paramiko.Agent()
    except (SSHException, OSError) as error:
        notes.append(f"the agent does not answer ({error})")
        return None


def _copy_id(endpoint: Endpoint) -> str:
    port = "" if endpoint.port == 22 else f"-p {endpoint.port} "
    return f"ssh-copy-id {port}{endpoint.user}@{endpoint.called}"
