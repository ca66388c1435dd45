"""One SSH connection we are logged in on: handshake, host key, jump hosts, and the watch over the link."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import paramiko
from paramiko.ssh_exception import ChannelException, IncompatiblePeer, SSHException

from edgegreen.errors import DeviceError, InputError, UnreachableError
from edgegreen.transport.ssh import auth, dial, knownhosts
from edgegreen.transport.ssh.config import Endpoint
from edgegreen.transport.ssh.link import Link, Stream

# The fastest first. The default's post-quantum exchange is slow, and its first ciphers are not the fastest.
_KEX = (
    "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
    "mlkem768x25519-sha256", "diffie-hellman-group16-sha512", "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)  # fmt: skip
_CIPHERS = ("aes128-gcm@openssh.com", "aes128-ctr", "aes256-gcm@openssh.com", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-512",
    "hmac-sha1",
)  # fmt: skip
_WINDOW_BYTES = 8 << 20
_JUMPS_MAX = 8
_NO_BANNER = "Error reading SSH protocol banner"  # paramiko's words


@dataclass(frozen=True)
class Patience:
    """How long to wait. `connect_s` holds for each step of connecting to each host."""

    connect_s: float = 10.0
    ping_s: float = 5.0
    silence_s: float = 30.0
    """A peer that sends nothing at all for so long, though asked every `ping_s`, is gone."""


class Connection:
    """A host we are logged in on, and what we go through to get there."""

    def __init__(self, endpoint: Endpoint, patience: Patience, via: Connection | None) -> None:
        self.endpoint = endpoint
        self._patience = patience
        self._via = via
        self._proxy: dial.ProxyCommand | None = None
        self._link: Link | None = None
        self._transport: paramiko.Transport | None = None
        self._closing = threading.Event()
        self._pinger: threading.Thread | None = None
        self.round_trip_s = math.inf
        """The shortest time that opening a session took, which is one question and one answer."""

    def open(self) -> None:
        """Dial, check the host key, log in. Raises UnreachableError, RefusedError."""
        known = knownhosts.known_keys(self.endpoint)
        limit_s = self.endpoint.connect_timeout_s or self._patience.connect_s
        self._link = Link(self._dial(limit_s), self._patience.silence_s)
        # paramiko types its argument as a socket; what it uses of one is what a Link has.
        transport = paramiko.Transport(cast(Any, self._link), default_window_size=_WINDOW_BYTES)
        self._transport = transport
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = limit_s
        options = transport.get_security_options()
        options.kex, options.ciphers, options.digests = _KEX, _CIPHERS, _MACS
        options.key_types = knownhosts.algorithms(known)
        key = self._shake_hands(transport, limit_s)
        knownhosts.check(self.endpoint, known, key.get_name(), key.asbytes())
        try:
            auth.log_in(transport, self.endpoint)
        except (SSHException, EOFError, OSError) as error:
            raise self.broken(error) from None
        self._pinger = threading.Thread(target=self._ping, args=(transport,), daemon=True)
        self._pinger.start()

    def open_session(self) -> paramiko.Channel:
        """A channel to run a command in. Raises UnreachableError, DeviceError."""
        began_s = time.monotonic()
        try:
            channel = self._live().open_session(timeout=self._patience.silence_s)
        except ChannelException as error:
            raise DeviceError(f"{self.endpoint}: the SSH server opens no session: {error.text}") from None
        except (SSHException, EOFError, OSError) as error:
            raise self.broken(error) from None
        self.round_trip_s = min(self.round_trip_s, time.monotonic() - began_s)
        return channel

    def tunnel(self, to: Endpoint, timeout_s: float) -> paramiko.Channel:
        """A TCP connection from this host to another one."""
        try:
            return self._live().open_channel(
                "direct-tcpip", (to.host, to.port), ("127.0.0.1", 0), timeout=timeout_s
            )
        except ChannelException as error:
            raise UnreachableError(
                f"{to}: the jump host {self.endpoint} cannot connect to it: {error.text}",
                hint="is the board on, and is its name known on the jump host?",
                transient=True,
            ) from None
        except (SSHException, EOFError, OSError) as error:
            raise self.broken(error) from None

    def is_lost(self, wait_s: float = 0.0) -> bool:
        """Whether the connection is over; paramiko may need a moment (`wait_s`) to say so."""
        if self._transport is None or self._link is None or self._link.lost or self._closing.is_set():
            return True
        if self._transport.is_alive():
            self._transport.join(wait_s)
        return not self._transport.is_alive()

    def broken(self, error: Exception | None = None) -> UnreachableError:
        """The error to raise when the connection is found broken."""
        if self._closing.is_set():
            return UnreachableError(f"{self.endpoint}: the connection was closed from this side")
        reason = (self._link.lost if self._link else None) or str(error or "") or "nobody said why"
        return UnreachableError(
            f"{self.endpoint}: the connection broke: {reason}",
            hint="check the board's power and network, then try again; what was sent is not sent again",
            transient=True,
        )

    def close(self) -> None:
        """Hang up everywhere, the farthest first. Idempotent; may be called from another thread."""
        self._closing.set()
        if self._transport is not None:
            self._transport.packetizer.complete_handshake()  # stops a timer that would keep Python alive
            self._transport.close()
            if self._transport.is_alive():
                self._transport.join(2.0)
        if self._link is not None:
            self._link.release()
        if self._pinger is not None:
            self._pinger.join(2.0)
        if self._proxy is not None:
            self._proxy.close()
        if self._via is not None:
            self._via.close()

    def _live(self) -> paramiko.Transport:
        if self._transport is None or self.is_lost():
            raise self.broken()
        return self._transport

    def _dial(self, limit_s: float) -> Stream:
        if self._via is not None:
            return self._via.tunnel(self.endpoint, limit_s)
        if self.endpoint.proxy_command:
            self._proxy = dial.ProxyCommand(self.endpoint.proxy_command)
            return self._proxy.socket
        return dial.tcp(self.endpoint, limit_s)

    def _shake_hands(self, transport: paramiko.Transport, limit_s: float) -> paramiko.PKey:
        try:
            transport.start_client(timeout=2 * limit_s)
            return transport.get_remote_server_key()
        except IncompatiblePeer as error:
            raise UnreachableError(
                f"{self.endpoint}: it speaks no encryption that is safe today: {error}",
                hint="update the SSH server on the board",
            ) from None
        except (SSHException, EOFError, OSError) as error:
            said = self._proxy.complaint() if self._proxy else ""
            late = f"no complete greeting within {2 * limit_s:g} s" if transport.is_active() else str(error)
            if late == _NO_BANNER:
                late = f"it says nothing for {limit_s:g} s"
            reason = said or (self._link.lost if self._link else None) or late
            raise UnreachableError(
                f"{self.endpoint}: answers, but not as an SSH server should: {reason}",
                hint="is it the right port? A board that is just starting needs a moment",
                transient=True,
            ) from None

    def _ping(self, transport: paramiko.Transport) -> None:
        """Ask for a sign of life now and then; Link notices when none comes."""
        while not self._closing.wait(self._patience.ping_s) and transport.is_active():
            with suppress(SSHException, EOFError, OSError):
                transport.global_request("keepalive@openssh.com", wait=True)


def reach(endpoint: Endpoint, patience: Patience, resolve_jump: Callable[[str], Endpoint]) -> Connection:
    """Connect to `endpoint`, through its jump hosts if it has any."""
    via: Connection | None = None
    for hop in _route(endpoint, resolve_jump, 0):
        connection = Connection(hop, patience, via)
        try:
            connection.open()
        except BaseException:
            connection.close()
            raise
        via = connection
    assert via is not None
    return via


def _route(endpoint: Endpoint, resolve_jump: Callable[[str], Endpoint], depth: int) -> list[Endpoint]:
    """All hosts on the way, the nearest first. Only the nearest jump host may have jumps of its own."""
    if depth > _JUMPS_MAX:
        raise InputError(f"{endpoint}: the jump hosts of ~/.ssh/config lead in a circle")
    hops = [resolve_jump(jump) for jump in endpoint.jumps]
    nearest = _route(hops[0], resolve_jump, depth + 1) if hops else []
    return [*nearest, *hops[1:], endpoint]
