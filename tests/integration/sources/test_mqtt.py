"""The mqtt source, against a real broker."""

from __future__ import annotations

import asyncio
import gc
import itertools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._servers import Mosquitto
from tests.integration.sources._events import (
    event_of,
    failures_of,
    running,
    secrets_of,
    tls_block,
)
from tiphys.aio import stop
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, pull_service, started_bus

numbers = itertools.count()


class Topic(RemoteService):
    """A topic of a broker that all tests share."""

    def __init__(self, server: Mosquitto, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.topic = f"allowed/orders/{next(numbers)}"
        self.trusted: ssl.SSLContext | None = None
        self.options = options
        self.secrets.values = {"mqtt/user": "worker", "mqtt/right": "secret", "mqtt/wrong": WRONG}
        self._granted = 0

    def block(self) -> dict[str, Any]:
        return {
            "url": f"tcp://127.0.0.1:{self.server.port}",
            "topic": self.topic,
            "clientId": f"client-{self.topic}",
            "jsonBody": True,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "url": f"tcp://127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "clientId": "refused", "auth": login("wrong")}

    async def emit(self, n: int) -> None:
        await self.publish(f'{{"n": {n}}}')

    async def publish(self, message: str | bytes, topic: str = "", **how: Any) -> None:
        port = self.server.port
        async with aiomqtt.Client("127.0.0.1", port, tls_context=self.trusted) as client:
            await client.publish(topic or self.topic, message, **{"qos": 1, **how})

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while self._subscriptions() == self._granted:
                await asyncio.sleep(0.01)
        self._granted = self._subscriptions()

    def _subscriptions(self) -> int:
        """How many subscriptions of the source the broker has confirmed so far."""
        client = self.block()["clientId"]
        return self.server.log.read_text().count(f"Sending SUBACK to {client}\n")

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


def login(password: str) -> dict[str, Any]:
    return {
        "username": {"name": "mqtt", "key": "user"},
        "password": {"name": "mqtt", "key": password},
    }


class TestMQTT(RemoteSourceContract):
    key = "mqtt"
    soon = {"tiphys.sources._shared.mqtt.KEEP_ALIVE": 1}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, mosquitto: Mosquitto) -> None:
        self.server = mosquitto

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Topic]:
        yield Topic(self.server)


async def test_without_json_the_body_is_base64(mosquitto: Mosquitto) -> None:
    service = Topic(mosquitto, jsonBody=False, metadata={"team": "a"})
    event = await event_of("mqtt", service, lambda: service.publish(b"\xff\x00"))

    assert (
        event.data
        == (
            f'{{"topic":"{service.topic}","messageId":0,"body":"/wA=","metadata":{{"team":"a"}}}}'
        ).encode()
    )


async def test_the_payload_names_the_topic_and_not_the_filter(mosquitto: Mosquitto) -> None:
    service = Topic(mosquitto)
    service.options["topic"] = f"{service.topic}/+/#"
    topic = f"{service.topic}/a/b"
    event = await event_of("mqtt", service, lambda: service.publish('{"b": 1.50}', topic))

    assert event.data == f'{{"topic":"{topic}","messageId":0,"body":{{"b":1.50}}}}'.encode()


async def test_a_retained_message_comes_at_the_time_of_the_subscription(
    mosquitto: Mosquitto,
) -> None:
    service = Topic(mosquitto)
    await service.publish("1", retain=True)

    async def send() -> None:
        """It was sent before."""

    event = await event_of("mqtt", service, send)

    assert (event.data or b"").endswith(b'"body":1}')


async def test_a_message_that_is_not_json_is_counted_and_the_next_one_comes(
    mosquitto: Mosquitto,
) -> None:
    service = Topic(mosquitto)
    problems = await failures_of("mqtt", service, lambda: service.publish("{"))

    assert problems == [f"a message on '{service.topic}' is not JSON: unexpected end of JSON input"]


async def test_messages_that_the_bus_does_not_take_in_time_are_counted(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.sources._shared.mqtt.BACKLOG", 2)
    bus, service = await started_bus(), Topic(mosquitto)
    async with running("mqtt", service, bus) as pull:
        bus.connected = False
        for n in range(10):
            await service.emit(n)
        await service.wait(0.2)
        bus.connected = True
        await service.until(lambda: pull.status.failed > 0)
        await service.until(lambda: len(bus.published) > 1)

    assert len(bus.published) < 10


@pytest.mark.parametrize("way", ["auth", "url"])
async def test_a_user_with_a_password_may_listen(mosquitto: Mosquitto, way: str) -> None:
    service = Topic(mosquitto)
    if way == "auth":
        service.options["auth"] = login("right")
    else:
        service.options["url"] = f"tcp://worker:secret@127.0.0.1:{mosquitto.port}"
    await event_of("mqtt", service, lambda: service.emit(1))

    assert f"as client-{service.topic} (p2, c1, k30, u'worker')" in mosquitto.log.read_text()


async def test_a_broker_is_reached_through_a_websocket(mosquitto: Mosquitto) -> None:
    service = Topic(mosquitto, url=f"ws://127.0.0.1:{mosquitto.websocket}/mqtt")

    event = await event_of("mqtt", service, lambda: service.emit(1))

    assert service.number(data_of(event)) == 1


@pytest.mark.parametrize("scheme", ["ssl", "tcp"])
async def test_the_broker_proves_who_it_is(
    tmp_path: Path, server_certificate: Pair, client_certificate: Pair, scheme: str
) -> None:
    with Mosquitto(tmp_path, *server_certificate) as server:
        url = f"{scheme}://127.0.0.1:{server.port}"
        service = Topic(server, url=url, tls=tls_block())
        service.trusted = ssl.create_default_context(cafile=str(server_certificate.certificate))
        secrets = secrets_of(service, server_certificate, client_certificate)
        event = await event_of("mqtt", service, lambda: service.emit(1), secrets)

    assert service.number(data_of(event)) == 1


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_broker_that_nobody_vouches_for_is_not_used(
    tmp_path: Path, server_certificate: Pair
) -> None:
    with Mosquitto(tmp_path, *server_certificate) as server:
        error = await error_of(Topic(server, url=f"mqtts://127.0.0.1:{server.port}"))
    gc.collect()

    assert "cannot be reached" in error
    assert "certificate verify failed" in error


async def test_a_subscription_that_the_broker_does_not_grant_is_an_error(
    mosquitto: Mosquitto,
) -> None:
    async with broker(b"\x90\x03\x00\x01\x80") as url:
        error = await error_of(Topic(mosquitto, url=url, topic="a/#"))

    assert error == f"the MQTT broker at {url[6:]} does not allow to subscribe to 'a/#'"


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_broker_that_falls_silent_is_given_up_and_leaves_nothing(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    monkeypatch.setattr("tiphys.sources._shared.mqtt.CONNECT", 0.2)
    async with broker(b"", accepts=accepts) as url:
        before = asyncio.all_tasks()
        error = await error_of(Topic(mosquitto, url=url))
        await asyncio.sleep(0.05)
        left = [task for task in asyncio.all_tasks() - before if "broker" not in repr(task)]

    assert error == f"the MQTT broker at {url[6:]} cannot be reached: no answer in time"
    assert left == []


async def test_giving_up_in_the_middle_of_connecting_leaves_nothing(mosquitto: Mosquitto) -> None:
    bus = await started_bus()
    before = asyncio.all_tasks()
    for pause in range(10):
        task = asyncio.create_task(pull_service("mqtt", Topic(mosquitto), bus).run())
        await asyncio.sleep(pause / 1000)
        assert await stop(task, limit=1)
    await asyncio.sleep(0.1)

    assert asyncio.all_tasks() <= before


@asynccontextmanager
async def broker(answer: bytes, *, accepts: bool = True) -> AsyncIterator[str]:
    """Answers a CONNECT if it *accepts*, and a SUBSCRIBE with bytes."""

    async def serve_broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        if accepts:
            writer.write(b"\x20\x02\x00\x00")
            await reader.read(1000)
            writer.write(answer)
        await reader.read()
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(serve_broker, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        async with asyncio.timeout(10):
            await ended.wait()  # the source has closed its connection


async def error_of(service: Topic) -> str:
    """What the status says when the source cannot work."""
    pull = pull_service("mqtt", service, await started_bus())
    task = asyncio.create_task(pull.run())
    await service.until(lambda: pull.status.error is not None)
    await stop(task)
    assert pull.status.error is not None
    return pull.status.error


async def test_what_the_library_does_not_accept_is_not_taken_for_a_broker_that_is_away(
    mosquitto: Mosquitto,
) -> None:
    error = await error_of(Topic(mosquitto, topic="a/#/b"))

    assert error == (
        f"the MQTT broker at 127.0.0.1:{mosquitto.port} cannot be used: "
        "Invalid subscription filter."
    )


WILDCARD = "`topic`: in {!r}, `+` must stand alone between slashes, and `#` alone at the end"
OPTIONS = {"url": "tcp://m:1883", "topic": "a", "clientId": "a"}


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`url` is missing", "`topic` is missing", "`clientId` is missing"]),
        ({**OPTIONS, "url": "m:1883"}, ["`url`: 'm:1883' is no URL of a broker"]),
        ({**OPTIONS, "url": "tcp://m:x"}, ["`url`: 'tcp://m:x' is no URL"]),
        ({**OPTIONS, "topic": "a/#/b"}, [WILDCARD.format("a/#/b")]),
        ({**OPTIONS, "topic": "a/b#"}, [WILDCARD.format("a/b#")]),
        ({**OPTIONS, "topic": "+a/b"}, [WILDCARD.format("+a/b")]),
        ({**OPTIONS, "topic": "+/a/+/#"}, []),
        ({**OPTIONS, "topic": "#"}, []),
        ({**OPTIONS, "topic": "ä" * 32768}, ["`topic` must hold no zero byte, and at most 65535"]),
        ({**OPTIONS, "auth": {}}, ["`auth.username` is missing", "`auth.password` is missing"]),
        ({**OPTIONS, "auth": {}, "tls": {"enabled": True}}, []),
        (OPTIONS, []),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    found = make_source("mqtt", block).check()

    assert len(found) == len(problems)
    assert all(text.startswith(problem) for text, problem in zip(found, problems, strict=True))
