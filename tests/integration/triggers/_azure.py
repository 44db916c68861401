"""What the tests of both triggers for Azure's messaging share: the broker as a target."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from tests.integration.triggers._providers.azure import Broker, Message
from tiphys.testing.triggers import Target

SECURE = 5671  # the only port that the libraries speak TLS to; hence hosts of our own
TLS_HANDSHAKE = b"\x16\x03"
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
async def first_bytes(host: str) -> AsyncIterator[asyncio.Future[bytes]]:
    """What is said first on the port for TLS; there is no answer."""
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = await reader.read(8)
        if not heard.done():
            heard.set_result(content)
        writer.close()

    async with await asyncio.start_server(hear, host, SECURE):
        yield heard
