"""Clients that serve one message at a time and do not survive a failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
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

    async def __aenter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every client."""
        while self._idle:
            await _close(self._idle.pop())

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[T]:
        """A client for one message, closed if that fails or is cancelled."""
        async with self._places:
            client = self._idle.pop() if self._idle else self._opened()
            try:
                yield client
            except BaseException:
                await _close(client)
                raise
            self._idle.append(client)


async def _close(client: Closable) -> None:
    try:
        async with asyncio.timeout(CLOSE):
            await client.close()
    except Exception:  # of whatever kind; the client is given up
        LOG.debug("a client did not close in good order", exc_info=True)
