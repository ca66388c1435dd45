"""What a running program's output is cut into: lines of bounded length, and the last of its stderr."""

from __future__ import annotations

from edgegreen.errors import DeviceError


class Lines:
    """Bytes in, lines out. What is not yet a whole line waits here."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._buffer += data

    def next(self, max_bytes: int, name: str) -> bytes | None:
        """The next line without its newline, None when there is none yet.

        Raises DeviceError (naming `name`) when a line is longer than `max_bytes`.
        """
        end = self._buffer.find(b"\n", self._searched)
        length = len(self._buffer) if end < 0 else end
        if length > max_bytes:
            raise DeviceError(f"{name}: a line of output is longer than {max_bytes} bytes")
        if end < 0:
            self._searched = length
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return line

    def rest(self) -> bytes:
        """What is left: at the end of the stream, a last line without a newline."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return data


class Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = b""

    def add(self, data: bytes) -> None:
        """Add what was read."""
        self._data = (self._data + data)[-self._limit :]

    def bytes(self) -> bytes:
        """What is kept."""
        return self._data

    def text(self) -> str:
        """What is kept, as text; bytes that are no UTF-8 are shown escaped."""
        return self._data.decode("utf-8", "backslashreplace")
