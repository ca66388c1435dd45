"""A TCP proxy that makes loopback a long way: delays, narrows, counts round trips, cuts or freezes the link.

Round trips are counted as the longest chain of cause and effect: whatever a side sends after it received
something is taken as an answer to it, so things sent at the same time count once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Self

BUFFER_BYTES = 128 << 10  # as much lies in between, no more: the kernel's own buffers hold megabytes


class End:
    """The connection to one of the two sides."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: int) -> None:
        self.reader, self.writer = reader, writer
        self.socket: socket.socket = writer.get_extra_info("socket")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = answers
        """1 for the server: what it sends completes a round trip."""
        self.chain = 1
        """The longest chain of question and answer that reached this side; TCP's own is its first."""

    async def read(self) -> bytes:
        """What it sent, b"" at the end. Acknowledged at once: the proxy adds its delay and no other."""
        try:
            data = await self.reader.read(65536)
            if quickack := getattr(socket, "TCP_QUICKACK", None):
                self.socket.setsockopt(socket.IPPROTO_TCP, quickack, 1)
        except OSError:
            return b""
        return data


class DelayProxy:
    """Listens on `port` and forwards to 127.0.0.1:`to_port`; each way takes `one_way_s`.

    Either way carries `bytes_per_s` at most, if given, as a weak Wi-Fi does.
    """

    def __init__(self, to_port: int, one_way_s: float = 0.0, bytes_per_s: float | None = None) -> None:
        self.to_port = to_port
        self.one_way_s = one_way_s
        self.bytes_per_s = bytes_per_s
        self.cut_after_bytes: int | None = None
        """Break every connection once so many bytes went to the server."""
        self.frozen = False
        """Forward nothing, but keep connections open: a board that lost its power or Wi-Fi."""
        self.bytes_up = 0
        self.round_trips = 0
        """The longest chain on any one connection."""
        self._ends: list[End] = []
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        if bytes_per_s:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def cut(self) -> None:
        """Break every connection now."""
        self._loop.call_soon_threadsafe(self._cut)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.start_server(self._serve, sock=self._listener)
        self._server = asyncio.run_coroutine_threadsafe(server, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * self.one_way_s)  # TCP's own handshake
        client = End(reader, writer, answers=0)
        server = End(*await asyncio.open_connection("127.0.0.1", self.to_port), answers=1)
        self._ends += [client, server]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._pump(client, server), self._pump(server, client))

    async def _pump(self, source: End, sink: End) -> None:
        queue: asyncio.Queue[tuple[float, bytes, int]] = asyncio.Queue(maxsize=4096)
        delivery = asyncio.create_task(self._deliver(queue, source, sink))
        data = b"-"
        while data:
            data = await source.read()
            if self.bytes_per_s:  # before it reads on, so that the sender is held up too
                await asyncio.sleep(len(data) / self.bytes_per_s)
            chain = source.chain + source.answers
            await queue.put((self._loop.time() + self.one_way_s, data, chain))
        await delivery

    async def _deliver(self, queue: asyncio.Queue[tuple[float, bytes, int]], source: End, sink: End) -> None:
        while True:
            due_s, data, chain = await queue.get()
            await asyncio.sleep(due_s - self._loop.time())
            while self.frozen:
                await asyncio.sleep(0.02)
            if not data or sink.writer.is_closing():
                sink.writer.close()
                return
            sink.chain = max(sink.chain, chain)
            self.round_trips = max(self.round_trips, chain)
            self.bytes_up += 0 if source.answers else len(data)
            sink.writer.write(data)
            with contextlib.suppress(OSError):
                await sink.writer.drain()
            if self.cut_after_bytes is not None and self.bytes_up >= self.cut_after_bytes:
                self._cut()

    def _cut(self) -> None:
        for end in self._ends:
            end.writer.transport.abort()
        self._ends.clear()

    async def _end(self) -> None:
        self.frozen = False
        self._server.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
