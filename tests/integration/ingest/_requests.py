"""Requests to a server, and a handler that keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext

import aiohttp

from tiphys.ingest import Reply, Request

SOON = 10.0  # seconds within which whatever must happen has happened


class Recorder:
    """A handler that answers with a text and keeps the requests."""

    def __init__(self, text: str = "done") -> None:
        self.text = text
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(200, self.text.encode())


async def get(http: aiohttp.ClientSession, port: int, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{port}{path}"
    async with http.get(url, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def raw(port: int, data: bytes) -> bytes:
    """Send bytes, and return everything that comes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


class Sender:
    """One connection; made by :func:`connected`."""

    def __init__(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._port = port
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._writer.write(data)

    async def send_alone(self, data: bytes) -> None:
        """Send bytes that the server has read before the next ones come."""
        self._writer.write(data)
        await self._writer.drain()
        await all_seen(self._port)

    async def start_tls(self, context: SSLContext) -> None:
        """Go on in an encrypted way."""
        await self._writer.start_tls(context, server_hostname="127.0.0.1")

    def pause(self) -> None:
        """Take nothing that comes."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a socket's

    def resume(self) -> None:
        """Take what comes."""
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def answer(self) -> bytes:
        """The head and body of one answer."""
        async with asyncio.timeout(SOON):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            return head + await self._reader.readexactly(int(length))

    async def end(self) -> bytes:
        """What comes until the server has closed the connection."""
        async with asyncio.timeout(SOON):
            received = b""
            try:
                while data := await self._reader.read(1 << 16):
                    received += data
            except ConnectionError:
                pass  # it was cut
            return received


@asynccontextmanager
async def connected(
    port: int, data: bytes = b"", ssl: SSLContext | None = None
) -> AsyncIterator[Sender]:
    """A connection over which *data* was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ssl)
    writer.write(data)
    try:
        yield Sender(port, reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def all_seen(port: int) -> None:
    """Wait until the server has read what was sent to it on other connections."""
    for _ in range(3):
        async with connected(port, b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n") as sender:
            await sender.answer()
