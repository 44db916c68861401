"""Uvicorn's HTTP protocol without uvicorn's process, signal handlers, logs and clock."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tiphys.ingest._application import Application

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
KEEP_ALIVE = 75  # seconds; longer than the usual 60 s of load balancers, so that they close first


class Connections:
    """The connections of one port."""

    def __init__(self, application: Application) -> None:
        self._config = _config(application)
        self._loop = asyncio.get_running_loop()
        self.state = ServerState()
        self.empty = asyncio.Event()

    def protocol(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        return _Protocol(self, self._config, self._loop)

    async def close(self) -> None:
        """Close each connection, after the answer that is on its way, and wait until all are."""
        self.empty.clear()
        for connection in list(self.state.connections):
            connection.shutdown()
        while self.state.connections:
            await self.empty.wait()

    def abort(self) -> None:
        """Cut the connections that there are."""
        for connection in list(self.state.connections):
            connection.transport.abort()


class _Transport:
    """
    A transport that sends the head of an answer together with its body.

    Uvicorn writes them one after the other, which costs a second system call and packet per
    request.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send *data*, or keep it until the next call when it is a head."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and data != CONTINUE and data.endswith(b"\r\n\r\n"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send what was kept: an answer to ``HEAD`` has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what was kept, and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()


class _Protocol(HttpToolsProtocol):
    """Bounds the head of a request, and tells when the last connection is gone."""

    def __init__(
        self, owner: Connections, config: uvicorn.Config, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(config, owner.state, {}, loop)
        self._owner = owner
        self._in_head = True
        self._head_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wrapped = _Transport(cast(asyncio.Transport, transport))
        super().connection_made(self._wrapped)  # type: ignore[arg-type]  # what uvicorn uses of it

    def on_response_complete(self) -> None:
        self._wrapped.flush()
        super().on_response_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_size = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.transport.write(
                    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
                    b"content-length: 0\r\nconnection: close\r\n\r\n"
                )
                self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.connections:
            self._owner.empty.set()


def _config(application: Application) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # one line a broken request
    config = uvicorn.Config(
        application,
        interface="asgi3",
        http=HttpToolsProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
    )
    config.load()
    return config
