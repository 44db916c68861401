"""A load generator that costs little: fixed requests over raw connections."""

from __future__ import annotations

import asyncio
import time
from typing import cast


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last has come."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._buffer = b""
        self._load.answered(head, time.perf_counter() - self._sent)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.gone()

    def _next(self) -> None:
        if self._load.take():
            self._sent = time.perf_counter()
            self._transport.write(self._load.request)
        else:
            self._transport.close()


class Load:
    """*count* requests over *connections* connections."""

    def __init__(self, port: int, path: str, body: bytes, count: int, connections: int) -> None:
        self.request = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._port = port
        self._left = count
        self._connections = connections
        self._open = connections
        self._ended = asyncio.Event()
        self.times: list[float] = []
        self.refused = 0

    def take(self) -> bool:
        """Whether there is one more request to send."""
        self._left -= 1
        return self._left >= 0

    def answered(self, head: bytes, seconds: float) -> None:
        """Count an answer."""
        self.times.append(seconds)
        self.refused += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 204"))

    def gone(self) -> None:
        """Count a connection that ended."""
        self._open -= 1
        if not self._open:
            self._ended.set()

    async def run(self) -> float:
        """Send all; returns requests per second."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        for _ in range(self._connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        await self._ended.wait()
        return len(self.times) / (time.perf_counter() - started)

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of answers came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000
