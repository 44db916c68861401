"""
Clients of Azure's messaging services, which serve one message at a time.

The libraries for Event Hubs and Service Bus contain the same AMQP client.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, Protocol, Self, TypeVar

import structlog

LOG = structlog.get_logger("argo-events.sensor")
SIZE = 4  # clients of one target
CLOSE = 1.0  # seconds for a client to close in good order


class Closable(Protocol):
    """What can be closed."""

    async def close(self) -> None:
        """Close it, in whatever state it is."""


T = TypeVar("T", bound=Closable)


class Pool(Generic[T]):
    """As many clients as there are messages at the same time, up to :data:`SIZE`."""

    def __init__(self, opened: Callable[[], T]) -> None:
        self._opened = opened
        self._idle: list[T] = []
        self._places = asyncio.Semaphore(SIZE)
        self._closed = False

    async def __aenter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every client; those at work are closed when they are done."""
        self._closed = True
        await asyncio.gather(*map(_close, self._idle))

    @contextlib.asynccontextmanager
    async def client(self, limit: float) -> AsyncIterator[T]:
        """
        A client for one message, closed if that fails or is cancelled.

        Raises :exc:`TimeoutError` after *limit* seconds with it.
        """
        async with self._places:
            client = self._idle.pop() if self._idle else self._opened()
            try:
                async with asyncio.timeout(limit):
                    with _half_open_closed():
                        yield client
            except BaseException:
                await _close(client)
                raise
            if self._closed:
                await _close(client)
            else:
                self._idle.append(client)


@contextlib.contextmanager
def _half_open_closed() -> Iterator[None]:
    """
    Close connections that were cancelled before the first answer came.

    Only the library's frames know them; closing its client leaves them open.
    """
    try:
        yield
    except asyncio.CancelledError as cancelled:
        for frame, _ in traceback.walk_tb(cancelled.__traceback__):
            writer = getattr(frame.f_locals.get("self"), "writer", None)
            if isinstance(writer, asyncio.StreamWriter):
                writer.close()
        raise


async def _close(client: Closable) -> None:
    try:
        async with asyncio.timeout(CLOSE):
            await client.close()
    except Exception:  # of whatever kind; the client is given up
        LOG.debug("a client did not close in good order", exc_info=True)
