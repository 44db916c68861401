"""The redisStream source, against a real server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests._ports import free_port
from tests.integration._servers import RedisServer
from tests.integration.sources._events import event_of, failures_of, running
from tiphys.aio import stop
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, pull_service, started_bus

GROUP, CONSUMER = "argo-events-cg", "argo-events-worker"
numbers = itertools.count()


class Stream(RemoteService):
    """A stream of a server that all tests share."""

    def __init__(self, server: RedisServer, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.stream = f"orders-{next(numbers)}"
        self.options = {"streams": [self.stream], **options}
        self.secrets.values = {"redis/wrong": WRONG}
        self.client = Redis(port=server.port, decode_responses=True)

    def block(self) -> dict[str, Any]:
        return {"hostAddress": f"127.0.0.1:{self.server.port}", **self.options}

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "hostAddress": f"127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "username": "worker", "password": {"name": "redis", "key": "wrong"}}

    async def emit(self, n: int) -> None:
        await self.add(n=n)

    async def add(self, stream: str | None = None, **values: Any) -> str:
        fields: dict[Any, Any] = {**values}
        return str(await self.client.xadd(stream or self.stream, fields))

    def number(self, data: dict[str, Any]) -> int:
        return int(data["values"]["n"])

    async def connected(self) -> None:
        """Return when the group reads every stream."""
        async with asyncio.timeout(10):
            for stream in self.options["streams"]:
                while not await self._is_read(stream):
                    await asyncio.sleep(0.01)

    async def _is_read(self, stream: str) -> bool:
        group = self.options.get("consumerGroup", GROUP)
        try:
            consumers = await self.client.xinfo_consumers(stream, group)
        except RedisError:
            return False
        return any(consumer["name"] == CONSUMER for consumer in consumers)

    async def pending(self) -> int:
        return int((await self.client.xpending(self.stream, GROUP))["pending"])

    async def delivered(self) -> int:
        """How many entries the group was given."""
        (group,) = await self.client.xinfo_groups(self.stream)
        return int(group["entries-read"] or 0)

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


@asynccontextmanager
async def stream(server: RedisServer, **options: Any) -> AsyncIterator[Stream]:
    service = Stream(server, **options)
    for name in service.options["streams"]:
        await service.client.xadd(name, {"n": "before the group was there"})
    try:
        yield service
    finally:
        await service.client.aclose()


class TestRedisStream(RemoteSourceContract):
    key = "redisStream"
    soon = {"tiphys.sources.redis_stream.BLOCK": 100, "tiphys.sources._shared.redis.ANSWER": 0.5}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Stream]:
        async with stream(self.server) as service:
            yield service


async def test_the_payload_names_stream_and_entry_and_the_id_derives_from_them(
    redis_server: RedisServer,
) -> None:
    async with stream(redis_server, metadata={"team": "a"}) as service:
        added: list[str] = []

        async def send() -> None:
            added.append(await service.add(a="1", b=b"caf\xc3\xa9 \xff"))

        event = await event_of("redisStream", service, send)

    assert data_of(event) == {
        "stream": service.stream,
        "message_id": added[0],
        "values": {"a": "1", "b": "café �"},
        "metadata": {"team": "a"},
    }
    assert event.id == f"es:ev:{service.stream}:{added[0]}"


async def test_an_entry_is_acknowledged_once_its_event_is_stored(redis_server: RedisServer) -> None:
    bus = await started_bus()
    async with stream(redis_server) as service, running("redisStream", service, bus):
        bus.connected = False
        await service.emit(1)
        async with asyncio.timeout(10):
            while await service.delivered() == 0:
                await asyncio.sleep(0.01)
        before = await service.pending()
        bus.connected = True
        await service.until(lambda: len(bus.published) == 1)
        async with asyncio.timeout(10):
            while after := await service.pending():
                await asyncio.sleep(0.01)

    assert (before, after) == (1, 0)


async def test_what_was_pending_comes_first_and_all_of_it(redis_server: RedisServer) -> None:
    bus = await started_bus()
    async with stream(redis_server, maxMsgCountPerRead=3) as service:
        await service.client.xgroup_create(service.stream, GROUP, "$")
        for n in range(8):
            await service.emit(n)
        await service.client.xreadgroup(GROUP, CONSUMER, {service.stream: ">"}, count=7)
        async with running("redisStream", service, bus):
            await service.until(lambda: len(bus.published) == 8)

            assert [service.number(data_of(event)) for event in bus.published] == list(range(8))


async def test_a_refused_entry_is_offered_again_with_a_pause(redis_server: RedisServer) -> None:
    """Argo Events offers it only after a restart, and then in a tight loop."""
    bus = await started_bus()
    async with stream(redis_server) as service, running("redisStream", service, bus):
        before = await _calls(service)
        bus.refuse = 1
        await service.emit(1)
        await service.until(lambda: len(bus.published) == 1)
        reads = await _calls(service) - before

        assert reads < 10
        while await service.pending():
            await asyncio.sleep(0.01)


async def _calls(service: Stream) -> int:
    statistics = await service.client.info("commandstats")
    return int(statistics["cmdstat_xreadgroup"]["calls"])


async def test_a_failing_read_is_tried_again_with_a_pause(redis_server: RedisServer) -> None:
    """Argo Events tries again without one."""
    bus = await started_bus()
    async with stream(redis_server) as service, running("redisStream", service, bus) as pull:
        await service.client.delete(service.stream)
        await service.until(lambda: "has no stream" in (pull.status.error or ""))
        before = await _calls(service)
        await service.wait(0.5)
        assert await _calls(service) - before <= 2

        await service.add(n="the stream is there again, and the group begins at its end")
        await service.connected()
        await service.emit(2)
        await service.until(lambda: len(bus.published) == 1)

        assert service.number(data_of(bus.published[0])) == 2


async def test_a_stream_that_is_not_there_is_named(redis_server: RedisServer) -> None:
    async with stream(redis_server) as service:
        service.options = {"streams": ["nowhere"]}
        pull = pull_service("redisStream", service, await started_bus())
        task = asyncio.create_task(pull.run())
        await service.until(lambda: pull.status.error is not None)

        await stop(task)

    assert pull.status.error == (f"Redis at 127.0.0.1:{redis_server.port} has no stream 'nowhere'")


async def test_several_streams_are_read_through_one_group_of_any_name(
    redis_server: RedisServer,
) -> None:
    names = [f"many-{n}-{next(numbers)}" for n in range(3)]
    bus = await started_bus()
    async with (
        stream(redis_server, streams=names, consumerGroup="mine") as service,
        running("redisStream", service, bus),
    ):
        for name in names:
            await service.add(name, n=1)
        await service.until(lambda: len(bus.published) == 3)

    assert sorted(data_of(event)["stream"] for event in bus.published) == sorted(names)


async def test_an_entry_that_was_deleted_while_it_was_pending_is_a_loss_and_no_event(
    redis_server: RedisServer,
) -> None:
    """Argo Events makes an event without values of it."""
    async with stream(redis_server) as service:
        await service.client.xgroup_create(service.stream, GROUP, "$")
        entry = await service.add(n=0)
        await service.client.xreadgroup(GROUP, CONSUMER, {service.stream: ">"})
        await service.client.xdel(service.stream, entry)

        async def nothing() -> None:
            """It is pending already."""

        problems = await failures_of("redisStream", service, nothing)
        async with asyncio.timeout(10):
            while await service.pending():
                await asyncio.sleep(0.01)

    assert problems == [f"the pending entry {entry} of '{service.stream}' was deleted or trimmed"]


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`hostAddress` is missing", "`streams` is empty"]),
        ({"hostAddress": "redis:6379", "streams": []}, ["`streams` is empty"]),
        (
            {
                "hostAddress": "redis:6379",
                "streams": ["a"],
                "tls": {"clientCertSecret": {"name": "a", "key": "b"}},
            },
            ["`tls`: `clientCertSecret` and `clientKeySecret` must come together"],
        ),
        ({"hostAddress": "redis:6379", "streams": ["a"], "tls": {"enabled": True}}, []),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("redisStream", block).check() == problems


def test_zero_and_nothing_mean_the_defaults() -> None:
    config = make_source("redisStream", {"consumerGroup": "", "maxMsgCountPerRead": 0}).config

    assert (config.consumer_group, config.max_msg_count_per_read) == (GROUP, 10)
