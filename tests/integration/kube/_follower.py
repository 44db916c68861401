"""Following the secrets of a namespace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tiphys.kube import SECRETS, Change, Client, Watch, name_of


class Follower:
    """What a watch tells, in a queue."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._changes: asyncio.Queue[Change] = asyncio.Queue()

    async def run(self) -> None:
        async for change in self.watch:
            self._changes.put_nowait(change)

    async def next(self) -> tuple[str, str]:
        change = await self.change()
        return change.type, name_of(change.object)

    async def change(self) -> Change:
        async with asyncio.timeout(20):
            return await self._changes.get()

    @property
    def waiting(self) -> int:
        return self._changes.qsize()

    async def lost(self) -> None:
        """Wait until the watch is not connected."""
        async with asyncio.timeout(20):
            while self.watch.connected:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def following(
    client: Client, namespace: str = "default", **options: Any
) -> AsyncIterator[Follower]:
    """Follow the secrets of a namespace."""
    follower = Follower(client.watch(SECRETS, namespace, **options))
    task = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(20):
            await follower.watch.synced.wait()
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])


async def secret(
    client: Client, name: str, namespace: str = "default", **data: str
) -> dict[str, Any]:
    """Create a secret."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
    return await client.create(SECRETS, body, namespace)


async def change(client: Client, name: str, namespace: str = "default", **data: str) -> None:
    """Change a secret."""
    await client.patch(SECRETS, name, {"stringData": data}, namespace)
