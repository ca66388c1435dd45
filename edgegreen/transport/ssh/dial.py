"""The bare way to a host: TCP, or the user's ProxyCommand. What fails is said in words."""

from __future__ import annotations

import errno
import socket
import subprocess
import tempfile
from contextlib import suppress

from edgegreen.errors import UnreachableError
from edgegreen.transport.ssh.config import Endpoint


def tcp(endpoint: Endpoint, limit_s: float) -> socket.socket:
    """A TCP connection on which small packets leave at once. Raises UnreachableError."""
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), limit_s)
    except (OSError, UnicodeError) as error:  # UnicodeError: a text that cannot be a host name
        raise _failed(endpoint, error, limit_s) from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _failed(endpoint: Endpoint, error: Exception, limit_s: float) -> UnreachableError:
    """What a failed TCP connection means, in words."""
    again = True
    if isinstance(error, socket.gaierror | UnicodeError):
        local = endpoint.host.endswith(".local")
        what = f"the name `{endpoint.host}` is not known"
        hint = "check its spelling, or give an address" + (
            "; names in .local are known only while the board is on and in the same network" if local else ""
        )
        again = local or getattr(error, "errno", None) == socket.EAI_AGAIN
    elif isinstance(error, ConnectionRefusedError):
        what = f"nothing listens on port {endpoint.port}"
        hint = "the machine is on, but no SSH server is: start it there, or correct `port`"
    elif isinstance(error, TimeoutError):
        what = f"no answer within {limit_s:g} s"
        hint = "is the board on and in this network, and does no firewall stand between?"
    elif isinstance(error, OSError) and error.errno in (
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
    ):
        what = "there is no way to that network, or the board is off"
        hint = "check cable, Wi-Fi or VPN, and that the board is on"
    else:
        what, hint = str(error), "check the address"
    return UnreachableError(f"{endpoint}: {what}", hint=hint, transient=again)


class ProxyCommand:
    """A command of the user's whose standard streams are the way to the server."""

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the command
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._stderr,
            )

    def complaint(self) -> str:
        """The last line it wrote to stderr."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        self._stderr.seek(0)
        lines = self._stderr.read(8192).decode("utf-8", "replace").strip().splitlines()
        return f"ProxyCommand said: {lines[-1]}" if lines else ""

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()
