"""One listening port: uvicorn's HTTP protocol in our own event loop, without its process."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tiphys.errors import SourceError
from tiphys.ingest._application import Application
from tiphys.ingest.tls import ServerTLS

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
KEEP_ALIVE = 75  # seconds; longer than the usual 60 s of load balancers, so that they close first
CLOSING = 5.0  # seconds until connections that do not close are cut


class Listener:
    """
    A port that is open from :meth:`open` to :meth:`close`.

    :attr:`application` answers the requests.
    """

    def __init__(self, host: str, port: int, tls: ServerTLS | None) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.application = Application()
        self._state = ServerState()
        self._empty = asyncio.Event()
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Listen.  Raises :exc:`SourceError` when the port cannot be had."""
        loop = asyncio.get_running_loop()
        config = _config(self.application)

        def protocol() -> _Protocol:
            return _Protocol(config, self._state, {}, loop, self._empty)

        try:
            self._server = await loop.create_server(
                protocol,
                self.host or None,
                self.port,
                ssl=self.tls.context if self.tls else None,
                backlog=2048,
            )
        except OSError as error:
            raise SourceError(_explain(self.port, error)) from error

    async def close(self) -> None:
        """Stop listening and close every connection, after the answer that is on its way."""
        if self._server is None:
            return
        self._server.close()
        self._empty.clear()
        for connection in list(self._state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(CLOSING):
                while self._state.connections:
                    await self._empty.wait()
                await self._server.wait_closed()
        except TimeoutError:
            for connection in list(self._state.connections):
                connection.transport.abort()
        self._server = None


class _Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, with a bound on the head of a request and word of the last goodbye."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        empty: asyncio.Event,
    ) -> None:
        super().__init__(config, state, app_state, loop)
        self._empty = empty
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
            self._empty.set()


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


def _explain(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program; stop that or choose another `port`"
    if error.errno == errno.EACCES:
        return (
            f"port {port} needs privileges that this process does not have; "
            "choose a `port` from 1024 up, or grant CAP_NET_BIND_SERVICE"
        )
    return f"port {port} cannot be opened: {error.strerror or error}"
