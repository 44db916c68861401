"""The bus in memory keeps the same contract as the real ones."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from tiphys.bus import Bus
from tiphys.testing.bus import MemoryBus
from tiphys.testing.bus_contract import BusContract


class TestMemoryBus(BusContract):
    memory: MemoryBus

    @pytest.fixture
    async def bus(self) -> AsyncIterator[Bus]:
        self.memory = MemoryBus()
        await self.memory.start()
        yield self.memory
        await self.memory.close()

    async def another(self, bus: Bus) -> Bus:
        return bus

    @contextlib.asynccontextmanager
    async def without_link(self, bus: Bus) -> AsyncIterator[None]:
        self.memory.connected = False
        yield
        self.memory.connected = True
