"""The byte stream under an SSH connection: keeps small answers from waiting, and notices a dead peer."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from typing import Protocol

_RECV_BYTES = 65536
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Stream(Protocol):
    """A socket, or a channel through a jump host."""

    def send(self, data: bytes, /) -> int:
        """Send some of it."""

    def recv(self, size: int, /) -> bytes:
        """Receive up to `size` bytes."""

    def settimeout(self, timeout_s: float | None, /) -> None:
        """For the calls to come."""

    def close(self) -> None:
        """Close."""


class Link:
    """A Stream as paramiko reads it.

    - An SSH server answers in small packets and holds the next one back until the last is acknowledged
      (Nagle's algorithm), and Linux delays a lone acknowledgement by 40 ms. So every read is acknowledged
      at once: on loopback the first command takes 4 ms instead of 46, and 20 MB 70 ms instead of 115.
    - paramiko reads a packet in pieces of a few bytes; they come from a buffer, not from a system call each.
    - When nothing at all has come for `silence_s`, the peer is given up (connection.py asks for signs of
      life, so a healthy one is never silent that long).
    """

    def __init__(self, stream: Stream, silence_s: float) -> None:
        self._stream = stream
        self._silence_s = silence_s
        self._heard_s = time.monotonic()
        self._buffer = b""
        self._acknowledge = isinstance(stream, socket.socket) and stream.family != socket.AF_UNIX
        self._closed = False  # paramiko looks at this name
        self.lost: str | None = None
        """Why the stream ended, when it was not us who closed it."""

    def settimeout(self, timeout_s: float | None) -> None:
        """How long `send` and `recv` wait before they raise TimeoutError."""
        self._stream.settimeout(timeout_s)

    def send(self, data: bytes) -> int:
        """Send some of `data`, return how much."""
        try:
            return self._stream.send(data)
        except TimeoutError:
            self._check_silence()
            raise
        except OSError as error:
            self._lose(error.strerror or str(error))
            raise

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        if not self._buffer:
            self._buffer = self._read()
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def close(self) -> None:
        """End the stream and wake whoever reads from it. The file descriptor stays until `release`."""
        if self._closed:
            return
        self._closed = True
        if isinstance(self._stream, socket.socket):
            # Closing it now could make paramiko's thread read from whatever gets the same number next.
            with suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)
        else:
            self._stream.close()

    def release(self) -> None:
        """Give the file descriptor back, once nobody reads any more."""
        self.close()
        self._stream.close()

    def _read(self) -> bytes:
        try:
            data = self._stream.recv(_RECV_BYTES)
        except TimeoutError:
            self._check_silence()
            raise
        except OSError as error:
            self._lose(error.strerror or str(error))
            raise
        if not data:
            self._lose("it hung up")
            return data
        self._heard_s = time.monotonic()
        if self._acknowledge and _QUICKACK is not None and isinstance(self._stream, socket.socket):
            self._stream.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data

    def _check_silence(self) -> None:
        if time.monotonic() - self._heard_s > self._silence_s:
            self._lose(f"nothing came for {self._silence_s:g} s")
            raise ConnectionAbortedError(
                errno.ECONNABORTED, "no sign of life"
            )  # a TimeoutError means "ask again"

    def _lose(self, reason: str) -> None:
        if self.lost is None and not self._closed:
            self.lost = reason
