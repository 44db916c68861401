"""Serves the API and the metrics, each on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from prometheus_client import make_asgi_app

from tiphys.aio import stop
from tiphys.errors import TiphysError
from tiphys.observe.metrics import Metrics

GRACE = 1.0  # seconds that answers may take when the server stops
ENDING = 0.1  # seconds that handlers get after they were told that their client is gone


class PortError(TiphysError):
    """A port cannot be had."""


class _Server(uvicorn.Server):
    """
    Uvicorn without its hold on signals, which belong to the program.

    It waits for nobody when it stops: an answer that is endless, or that the client does not read,
    is cut after :data:`GRACE`.  (Uvicorn's own time limit leaves a stack trace for each of them.)
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cutting = asyncio.create_task(self._cut())
        try:
            await super().shutdown(sockets)
        finally:
            await stop(cutting)

    async def _cut(self) -> None:
        await asyncio.sleep(GRACE)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(ENDING)
        await stop(*self.server_state.tasks)


class _Cancellable:
    """An application whose handlers end without a stack trace in the log when they are cut."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._application(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(application: Any, host: str, port: int, option: str) -> AsyncIterator[None]:
    """
    Answer on *port* while the context is open.

    *option* is the command line's name for the port.  Raises :exc:`PortError`.
    """
    try:
        listening = _listening(host, port)
    except OSError as error:
        raise PortError(
            f"port {port} on {host} cannot be opened: {error.strerror}; "
            f"choose another with {option}"
        ) from error
    config = uvicorn.Config(
        _Cancellable(application), log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name=option)
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listening.close()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens on *host*; without one, on all there is.  Raises :exc:`OSError`."""
    everywhere = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if everywhere or ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=everywhere, backlog=128)


def metrics_application(metrics: Metrics) -> Any:
    """``/metrics`` (and any other path) in the text format of Prometheus."""
    return make_asgi_app(metrics.registry)
