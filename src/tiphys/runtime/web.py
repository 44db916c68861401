"""Serves the API and the metrics, each on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from prometheus_client import make_asgi_app

from tiphys.errors import TiphysError
from tiphys.observe.metrics import Metrics


class PortError(TiphysError):
    """A port cannot be had."""


class _Server(uvicorn.Server):
    """Uvicorn without its hold on signals, which belong to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(application: Any, host: str, port: int, option: str) -> AsyncIterator[None]:
    """
    Answer on *port* while the context is open.

    *option* is the command line's name for the port.  Raises :exc:`PortError`.
    """
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise PortError(
            f"port {port} on {host} cannot be opened: {error.strerror}; "
            f"choose another with {option}"
        ) from error
    config = uvicorn.Config(
        application, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name=option)
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listening.close()


def metrics_application(metrics: Metrics) -> Any:
    """``/metrics`` (and any other path) in the text format of Prometheus."""
    return make_asgi_app(metrics.registry)
