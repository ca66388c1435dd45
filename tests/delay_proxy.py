"""A TCP proxy that makes loopback a long way: delays, counts round trips, cuts or freezes the link.

Round trips are counted as the longest chain of cause and effect: whatever a side sends after it received
something is taken as an answer to it, so things sent at the same time count once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Self


class DelayProxy:
    """Listens on `port` and forwards to 127.0.0.1:`to_port`; each way takes `one_way_s`."""

    def __init__(self, to_port: int, one_way_s: float = 0.0) -> None:
        self.to_port = to_port
        self.one_way_s = one_way_s
        self.cut_after_bytes: int | None = None
        """Break every connection once so many bytes went to the server."""
        self.frozen = False
        """Forward nothing, but keep connections open: a board that lost its power or Wi-Fi."""
        self.bytes_up = 0
        self.round_trips = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
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
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to_port)
        self._writers += [writer, far_writer]
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The length of the chain that reached each side, TCP's handshake being the first round trip.
        chain = {"client": 1, "server": 1}
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._pump(reader, far_writer, chain, "client"),
                self._pump(far_reader, writer, chain, "server"),
            )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chain: dict[str, int], side: str
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes, int]] = asyncio.Queue(maxsize=4096)
        delivery = asyncio.create_task(self._deliver(queue, writer, chain, side))
        data = b"-"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            length = chain[side] + (side == "server")
            await queue.put((self._loop.time() + self.one_way_s, data, length))
        await delivery

    async def _deliver(
        self,
        queue: asyncio.Queue[tuple[float, bytes, int]],
        writer: asyncio.StreamWriter,
        chain: dict[str, int],
        side: str,
    ) -> None:
        other = "server" if side == "client" else "client"
        while True:
            due_s, data, length = await queue.get()
            await asyncio.sleep(due_s - self._loop.time())
            while self.frozen:
                await asyncio.sleep(0.02)
            if not data or writer.is_closing():
                writer.close()
                return
            chain[other] = max(chain[other], length)
            self.round_trips = max(self.round_trips, length)
            self.bytes_up += len(data) if side == "client" else 0
            writer.write(data)
            try:
                await writer.drain()
            except OSError:
                return
            if self.cut_after_bytes is not None and self.bytes_up >= self.cut_after_bytes:
                self._cut()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _end(self) -> None:
        self.frozen = False
        self._server.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
