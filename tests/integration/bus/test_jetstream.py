"""The JetStream driver keeps the contract of a bus, on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tiphys.bus import Bus
from tiphys.bus.embedded import EmbeddedServer
from tiphys.bus.jetstream import Endpoint, JetStreamBus
from tiphys.testing.bus_contract import BusContract


class TestJetStreamBus(BusContract):
    server: EmbeddedServer
    clients: list[Bus]

    @pytest.fixture
    async def bus(self, tmp_path: Path) -> AsyncIterator[Bus]:
        self.server, self.clients = EmbeddedServer(tmp_path), []
        await self.server.start()
        yield await self.another()
        for client in self.clients:
            await client.close()
        await self.server.close()

    async def another(self, bus: Bus | None = None) -> Bus:
        async def endpoint() -> Endpoint:
            return self.server.endpoint()

        client = JetStreamBus(endpoint)
        self.clients.append(client)
        await client.start()
        return client

    @contextlib.asynccontextmanager
    async def without_link(self, bus: Bus) -> AsyncIterator[None]:
        await self.server.close()
        yield
        await self.server.start()
