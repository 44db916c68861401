"""What the tests of both triggers for Azure's messaging share: the broker as a target."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from tests._ports import free_port
from tests.integration.triggers._providers.azure import Broker, Message
from tiphys.testing.triggers import Target

N = {"src": {"dependencyName": "dep", "dataKey": "n"}}
LARGE = [{"src": {"dependencyName": "dep", "value": "x" * 100_000}, "dest": "n"}]


class BrokerTarget(Target):
    """The entities of a broker."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.broker = broker

    async def received(self) -> Sequence[Message]:
        return self.broker.messages

    async def stall(self) -> None:
        self.broker.flowing.clear()


@contextlib.asynccontextmanager
async def first_bytes() -> AsyncIterator[tuple[int, asyncio.Future[bytes]]]:
    """A port, and what is said there first; there is no answer."""
    port = free_port()
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = await reader.read(8)
        if not heard.done():
            heard.set_result(content)
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", port):
        yield port, heard
