"""Uvicorn's HTTP protocol without uvicorn's process, signal handlers, logs and clock."""

from __future__ import annotations

import asyncio
import logging

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tiphys.ingest._application import Application

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
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


class _Protocol(HttpToolsProtocol):
    """Bounds the head of a request, and tells when the last connection is gone."""

    def __init__(
        self, owner: Connections, config: uvicorn.Config, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(config, owner.state, {}, loop)
        self._owner = owner
        self._in_head = True
        self._head_size = 0

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
