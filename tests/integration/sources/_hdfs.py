"""A directory of Hadoop as the service of the hdfs source."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests._ports import free_port
from tests.integration._hadoop import Files, Hadoop
from tiphys.aio import stop
from tiphys.testing.remote_sources import RemoteService
from tiphys.testing.sources import Service, data_of, pull_service, started_bus

USER = "worker"
NUMBERS = itertools.count()


class Directory(RemoteService):
    """A directory of its own in the file system that all tests share; nobody but USER may look."""

    def __init__(self, hadoop: Hadoop, **options: Any) -> None:
        super().__init__()
        self.hadoop = hadoop
        self.path = f"/{next(NUMBERS)}/in"
        self.options = options

    @property
    def files(self) -> Files:
        return Files(self.hadoop.names, USER)

    async def make(self) -> None:
        parent = self.path.rpartition("/")[0]
        admin = Files(self.hadoop.names)
        await admin.mkdir(parent)
        await admin.chown(parent, USER)
        await self.files.mkdir(self.path, "700")

    def block(self) -> dict[str, Any]:
        return {
            "directory": f"{self.path}/",
            "pathRegexp": ".",
            "type": "CREATE",
            "checkInterval": "20ms",
            "addresses": [self.hadoop.names.address],
            "webAddresses": [self.hadoop.names.url],
            "hdfsUser": USER,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "webAddresses": [f"http://127.0.0.1:{free_port()}"]}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "hdfsUser": "stranger"}

    async def emit(self, n: int) -> None:
        await self.write(str(n))

    async def write(self, name: str, content: bytes = b"") -> None:
        await self.files.write(f"{self.path}/{name}", content)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["name"].rpartition("/")[2])

    async def connected(self) -> None:
        await self.walked()

    async def walked(self) -> None:
        """Return when a walk that began from now on is over, and taken in."""
        walk = f"ugi={USER} (auth:SIMPLE)\tip=/127.0.0.1\tcmd=listStatus\tsrc={self.path}\t"
        with self.hadoop.names.audit.open() as lines:
            lines.seek(0, io.SEEK_END)
            walks = 0
            async with asyncio.timeout(10):
                while walks < 3:
                    await asyncio.sleep(0.01)
                    walks += lines.read().count(walk)

    async def pause(self) -> None:
        self.hadoop.names.pause()

    async def resume(self) -> None:
        self.hadoop.names.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.hadoop.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.hadoop.start)

    def reported(self, bus: Any) -> list[tuple[str, int]]:
        """Name, in the directory, and operation of every event."""
        return [(name.removeprefix(f"{self.path}/"), bits) for name, bits in operations(bus)]


@asynccontextmanager
async def directory(hadoop: Hadoop, **options: Any) -> AsyncIterator[Directory]:
    service = Directory(hadoop, **options)
    await service.make()
    try:
        yield service
    finally:
        if not hadoop.names.answers():  # the test has ended early
            await asyncio.to_thread(hadoop.stop)
            await asyncio.to_thread(hadoop.start)


def operations(bus: Any) -> list[tuple[str, int]]:
    """Name and operation of every event."""
    return [(data_of(event)["name"], data_of(event)["op"]) for event in bus.published]


async def error_of(service: Service) -> str:
    """What the status says when the source cannot work."""
    pull = pull_service("hdfs", service, await started_bus())
    task = asyncio.create_task(pull.run())
    try:
        await service.until(lambda: pull.status.error is not None)
        return str(pull.status.error)
    finally:
        assert await stop(task, limit=1)
