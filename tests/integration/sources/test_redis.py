"""The redis source, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._servers import RedisServer
from tests.integration.sources._events import (
    event_of,
    failures_of,
    running,
    secrets_of,
    tls_block,
)
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import make_source, started_bus


class Channel(RemoteService):
    """A channel of a server that all tests share."""

    def __init__(self, server: RedisServer, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.options = options
        self.secrets.values = {"redis/right": "secret", "redis/wrong": WRONG}
        self.client = Redis(port=server.port)
        self._newest = 0

    def block(self) -> dict[str, Any]:
        return {
            "hostAddress": f"127.0.0.1:{self.server.port}",
            "channels": ["news"],
            "jsonBody": True,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "hostAddress": f"127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        password = {"name": "redis", "key": "wrong"}
        return {**self.block(), "username": "worker", "password": password, "namespace": "x"}

    async def emit(self, n: int) -> None:
        await self.publish(f'{{"n": {n}}}')

    async def publish(self, message: str | bytes, channel: str | bytes = "news") -> None:
        assert await self.client.publish(channel, message) == 1

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while not (new := await self._subscribers()):
                await asyncio.sleep(0.01)
        self._newest = max(new)

    async def _subscribers(self) -> list[int]:
        """Numbers of connections that subscribe and were not there the last time."""
        clients = await self.client.client_list("pubsub")
        found = [int(c["id"]) for c in clients if int(c["sub"]) == len(self.block()["channels"])]
        return [number for number in found if number > self._newest]

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        self._newest = 0
        await asyncio.to_thread(self.server.start)


@asynccontextmanager
async def channel(server: RedisServer, **options: Any) -> AsyncIterator[Channel]:
    service = Channel(server, **options)
    try:
        yield service
    finally:
        await service.client.aclose()


class TestRedis(RemoteSourceContract):
    key = "redis"
    soon = {"tiphys.sources.redis.QUIET": 0.1, "tiphys.sources.redis.ANSWER": 0.2}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Channel]:
        async with channel(self.server) as service:
            yield service


async def test_without_json_the_body_is_a_string(redis_server: RedisServer) -> None:
    async with channel(redis_server, jsonBody=False, metadata={"team": "a"}) as service:
        event = await event_of("redis", service, lambda: service.publish(b"caf\xc3\xa9 \xff <&>"))

    assert event.data == (
        b'{"channel":"news","pattern":"","body":"caf\xc3\xa9 \xef\xbf\xbd <&>",'
        b'"metadata":{"team":"a"}}'
    )


async def test_with_json_the_body_is_embedded_as_it_was_written(redis_server: RedisServer) -> None:
    async with channel(redis_server) as service:
        event = await event_of("redis", service, lambda: service.publish('{"b": 1.50, "a": "<"}'))

    assert event.data == b'{"channel":"news","pattern":"","body":{"b":1.50,"a":"\\u003c"}}'


async def test_a_message_that_is_not_json_is_counted_and_the_next_one_comes(
    redis_server: RedisServer,
) -> None:
    async with channel(redis_server) as service:
        problems = await failures_of("redis", service, lambda: service.publish("{"))

    assert problems == ["a message in 'news' is not JSON: unexpected end of JSON input"]


async def test_names_of_channels_are_no_patterns(redis_server: RedisServer) -> None:
    async with channel(redis_server, channels=["new*", "olds"]) as service:

        async def send() -> None:
            assert await service.client.publish("news", "1") == 0
            await service.publish("2", "new*")

        event = await event_of("redis", service, send)

    assert event.data == b'{"channel":"new*","pattern":"","body":2}'


async def test_a_user_with_a_password_may_listen(redis_server: RedisServer) -> None:
    password = {"name": "redis", "key": "right"}
    login = {"username": "worker", "password": password, "namespace": "argo"}
    async with channel(redis_server, **login) as service:

        async def send() -> None:
            (client,) = await service.client.client_list("pubsub")
            assert client["user"] == "worker"
            await service.emit(1)

        await event_of("redis", service, send)


async def test_a_user_without_a_password_has_no_effect_which_is_said_once(
    redis_server: RedisServer,
) -> None:
    bus = await started_bus()
    with capture_logs() as logs:
        async with (
            channel(redis_server, username="worker") as service,
            running("redis", service, bus) as pull,
        ):
            (client,) = await service.client.client_list("pubsub")
            assert client["user"] == "default"
            await service.client.client_kill_filter(_id=client["id"])
            await service.until(lambda: pull.status.error is not None)
            await service.connected()
    warnings = [line["event"] for line in logs if "username" in line["event"]]

    assert warnings == ["`username` has no effect without `password`, the default user connects"]


async def test_the_server_and_the_client_prove_who_they_are(
    tmp_path: Path, server_certificate: Pair, client_certificate: Pair
) -> None:
    options = (
        "port 0\ntls-port {port}\ntls-auth-clients yes\n"
        f"tls-cert-file {server_certificate.certificate}\ntls-key-file {server_certificate.key}\n"
        f"tls-ca-cert-file {client_certificate.certificate}\n"
    )
    server = RedisServer(tmp_path)
    server.options = options.format(port=server.port)
    with server:
        service = Channel(server, tls=tls_block(client=True))
        service.client = Redis(
            port=server.port,
            ssl=True,
            ssl_cert_reqs="none",
            ssl_certfile=str(client_certificate.certificate),
            ssl_keyfile=str(client_certificate.key),
        )
        secrets = secrets_of(service, server_certificate, client_certificate)
        event = await event_of("redis", service, lambda: service.emit(1), secrets)
        await service.client.aclose()

    assert event.subject == "ev"


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`hostAddress` is missing", "`channels` is empty"]),
        ({"hostAddress": "redis", "channels": ["a"]}, ["`hostAddress`: 'redis' is no address"]),
        ({"hostAddress": "redis:x", "channels": ["a"]}, ["`hostAddress`: 'redis:x' is no address"]),
        ({"hostAddress": "[::1]:6379", "channels": ["a"]}, []),
        (
            {"hostAddress": "r:1", "channels": ["a"], "password": {"name": "s", "key": "k"}},
            ["`namespace` must not be empty when there is a `password`"],
        ),
        (
            {"hostAddress": "r:1", "channels": ["a"], "tls": {}},
            ["`tls` says nothing; `enabled: true` trusts the roots of the system"],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    found = make_source("redis", block).check()

    assert len(found) == len(problems)
    assert all(text.startswith(problem) for text, problem in zip(found, problems, strict=True))
