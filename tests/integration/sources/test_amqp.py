"""The amqp source, against a real broker."""

from __future__ import annotations

import asyncio
import itertools
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiormq
import pytest
from aiormq.abc import AbstractChannel, ChannelFrame
from aiormq.exceptions import AMQPError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._servers import RabbitMQ
from tests.integration.sources._events import (
    event_of,
    failures_of,
    running,
    secrets_of,
    tls_block,
)
from tiphys.aio import stop
from tiphys.sources._shared.amqp import parse_url
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, pull_service, started_bus

numbers = itertools.count()
MANUAL: dict[str, Any] = {"consume": {"autoAck": False}}


class Queue(RemoteService):
    """A queue with an exchange of a broker that all tests share."""

    def __init__(self, server: RabbitMQ, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.name = f"orders-{next(numbers)}"
        self.options = options
        self.secrets.values = {
            "amqp/user": "guest",
            "amqp/right": "guest",
            "amqp/wrong": WRONG,
            "amqp/url": f"amqp://guest:guest@127.0.0.1:{server.port}",
        }

    def block(self) -> dict[str, Any]:
        return {
            "url": f"amqp://127.0.0.1:{self.server.port}",
            "exchangeName": self.name,
            "exchangeType": "direct",
            "routingKey": "key",
            "queueDeclare": {"name": self.name, "durable": True},
            "jsonBody": True,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "url": f"amqp://127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "auth": login("wrong")}

    async def emit(self, n: int) -> None:
        await self.publish(f'{{"n": {n}}}'.encode())

    async def publish(self, body: bytes, **properties: Any) -> None:
        """Publish a message, once it would arrive somewhere."""
        properties = {"delivery_mode": 2, **properties}
        async with self.channel() as channel:
            while True:
                answer = await channel.basic_publish(
                    body,
                    exchange=self.name,
                    routing_key="key",
                    mandatory=True,
                    properties=Basic.Properties(**properties),
                )
                if isinstance(answer, Basic.Ack):
                    return

    @asynccontextmanager
    async def channel(self, *, publisher_confirms: bool = True) -> AsyncIterator[AbstractChannel]:
        connection = await aiormq.connect(f"amqp://127.0.0.1:{self.server.port}")
        try:
            yield await connection.channel(
                publisher_confirms=publisher_confirms, on_return_raises=False
            )
        finally:
            await connection.close()

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    async def count(self, queue: str = "") -> tuple[int, int]:
        """How many messages a queue has ready, and how many consumers."""
        async with self.channel() as channel:
            found = await channel.queue_declare(queue or self.name, passive=True)
        return found.message_count or 0, found.consumer_count or 0

    async def connected(self) -> None:
        async with asyncio.timeout(30):
            while not await self._is_consumed():
                await asyncio.sleep(0.02)

    async def _is_consumed(self) -> bool:
        try:
            return (await self.count())[1] > 0
        except AMQPError:
            return False

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
        "username": {"name": "amqp", "key": "user"},
        "password": {"name": "amqp", "key": password},
    }


class Contract(RemoteSourceContract):
    key = "amqp"
    soon = {"tiphys.sources._shared.amqp.HEARTBEAT": 1}  # noqa: RUF012
    options: dict[str, Any] = {}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, rabbitmq: RabbitMQ) -> None:
        self.server = rabbitmq

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Queue]:
        service = Queue(self.server, **self.options)
        yield service
        async with service.channel() as channel:
            await channel.queue_delete(service.name)


class TestAMQP(Contract):
    options = MANUAL


class TestAMQPWithAutoAck(Contract):
    options = {}  # noqa: RUF012


async def test_every_property_of_the_message_is_in_the_payload(rabbitmq: RabbitMQ) -> None:
    service = Queue(rabbitmq, jsonBody=False, metadata={"team": "a"})
    properties = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 7,
        "correlation_id": "c-1",
        "reply_to": "answers",
        "expiration": "60000",
        "message_id": "m-1",
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "message_type": "order",
        "app_id": "shop",
    }
    event = await event_of("amqp", service, lambda: service.publish(b"\xff\x00", **properties))
    data = data_of(event)

    assert datetime.strptime(data.pop("timestamp")[:25], "%Y-%m-%d %H:%M:%S %z") == datetime(
        2026, 1, 2, 3, 4, 5, tzinfo=UTC
    )
    assert data == {
        "contentType": "text/plain",
        "contentEncoding": "utf-8",
        "deliveryMode": 2,
        "priority": 7,
        "correlationId": "c-1",
        "replyTo": "answers",
        "expiration": "60000",
        "messageId": "m-1",
        "type": "order",
        "appId": "shop",
        "exchange": service.name,
        "routingKey": "key",
        "body": "/wA=",
        "metadata": {"team": "a"},
    }
    assert event.id == f"es:ev:{service.name}:key:m-1"


async def test_properties_that_were_not_set_are_empty(rabbitmq: RabbitMQ) -> None:
    service = Queue(rabbitmq)

    header = ContentHeader(properties=Basic.Properties())
    event = await event_of("amqp", service, lambda: raw(service, header, b'{"b": 1.50}'))

    assert (
        event.data
        == (
            '{"contentType":"","contentEncoding":"","deliveryMode":0,"priority":0,'
            '"correlationId":"","replyTo":"","expiration":"","messageId":"",'
            '"timestamp":"0001-01-01 00:00:00 +0000 UTC","type":"","appId":"",'
            f'"exchange":"{service.name}","routingKey":"key","body":{{"b":1.50}}}}'
        ).encode()
    )
    assert len(event.id) == 32


async def raw(
    service: Queue,
    header: ContentHeader,
    body: bytes,
    publish: Basic.Publish | None = None,
) -> None:
    """Publish a message as it is; the library would fill in what is empty."""
    header.body_size = len(body)
    frames: list[Any] = [
        publish or Basic.Publish(exchange=service.name, routing_key="key"),
        header,
        ContentBody(body),
    ]
    async with service.channel(publisher_confirms=False) as channel:
        assert isinstance(channel, aiormq.Channel)
        written = asyncio.get_running_loop().create_future()
        await channel.write_queue.put(ChannelFrame.marshall(channel.number, frames, written))
        await written


class RawHeader(ContentHeader):
    """A content header with properties that the library would not write."""

    def __init__(self, name: str, value: bytes) -> None:
        super().__init__()
        self.content = struct.pack(">H", Basic.Properties.flags[name]) + value

    def marshal(self) -> bytes:
        return struct.pack(">HxxQ", Basic.frame_id, self.body_size) + self.content


class RawPublish(Basic.Publish):
    """A publication with a key that the library would not write."""

    def __init__(self, exchange: str, key: bytes) -> None:
        super().__init__(exchange=exchange)
        self.key = key

    def marshal(self) -> bytes:
        return b"\0\0" + short(self.exchange.encode()) + short(self.key) + b"\0"


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


NO_TIME = "0001-01-01 00:00:00 +0000 UTC"
YEAR_58873 = struct.pack(">Q", 1_795_716_654_744_000)  # microseconds, where seconds are meant
LATIN = "caf\xe9".encode("latin-1")


@pytest.mark.parametrize(
    ("name", "value", "member", "shown"),
    [
        ("message_id", short(LATIN), "messageId", "caf\ufffd"),
        ("correlation_id", short(LATIN), "correlationId", "caf\ufffd"),
        ("timestamp", YEAR_58873, "timestamp", NO_TIME),
        ("timestamp", b"\xff" * 8, "timestamp", NO_TIME),
        ("headers", struct.pack(">I", 7) + short(LATIN) + b"t\1", "messageId", ""),
    ],
    ids=["id", "other text", "microseconds", "end of time", "headers"],
)
async def test_a_property_that_cannot_be_decoded_holds_up_nothing(
    rabbitmq: RabbitMQ, name: str, value: bytes, member: str, shown: str
) -> None:
    """The library ends the connection, and the message comes again on the next one."""
    bus, service = await started_bus(), Queue(rabbitmq, **MANUAL)
    async with running("amqp", service, bus):
        await raw(service, RawHeader(name, value), b'{"n": 1}')
        await service.emit(2)
        await service.until(lambda: len(bus.published) == 2)
        events = sorted(bus.published, key=lambda event: service.number(data_of(event)))
        await service.wait(0.1)

    assert [service.number(data_of(event)) for event in events] == [1, 2]
    assert data_of(events[0])[member] == shown
    assert len(events[0].id) == 32
    assert await service.count() == (0, 0)


async def test_a_key_that_cannot_be_decoded_holds_up_nothing(rabbitmq: RabbitMQ) -> None:
    bus, service = await started_bus(), Queue(rabbitmq, **MANUAL)
    service.options |= {"exchangeType": "topic", "routingKey": "#"}
    async with running("amqp", service, bus):
        header = ContentHeader(properties=Basic.Properties(message_id="1"))
        await raw(service, header, b'{"n": 1}', RawPublish(service.name, LATIN))
        await service.emit(2)
        await service.until(lambda: len(bus.published) == 2)
        events = sorted(bus.published, key=lambda event: service.number(data_of(event)))

    assert data_of(events[0])["routingKey"] == "caf\ufffd"
    assert len(events[0].id) == 32


async def test_a_time_that_is_out_of_range_only_in_the_zone_of_the_process_is_none(
    rabbitmq: RabbitMQ, far_east: None
) -> None:
    service = Queue(rabbitmq)
    header = RawHeader("timestamp", struct.pack(">Q", 253_402_300_799_000))  # the last second
    event = await event_of("amqp", service, lambda: raw(service, header, b"1"))

    assert data_of(event)["timestamp"] == NO_TIME


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process is in Tokyo."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


async def test_messages_with_one_id_and_different_keys_are_different_events(
    rabbitmq: RabbitMQ,
) -> None:
    """An id is unique for its sender at best, and several may send to one queue."""
    bus, service = await started_bus(), Queue(rabbitmq, **MANUAL)
    service.options |= {"exchangeType": "topic", "routingKey": "#"}
    async with running("amqp", service, bus):
        for key in ("orders", "invoices", "orders"):
            header = ContentHeader(properties=Basic.Properties(message_id="17"))
            publish = Basic.Publish(exchange=service.name, routing_key=key)
            await raw(service, header, b'{"n": 1}', publish)
        await service.until(lambda: len(bus.published) == 2)
        await service.emit(2)
        await service.until(lambda: len(bus.published) == 3)

    assert {event.id for event in bus.published} >= {
        f"es:ev:{service.name}:orders:17",
        f"es:ev:{service.name}:invoices:17",
    }


async def test_with_auto_ack_a_message_is_done_with_once_it_is_read(rabbitmq: RabbitMQ) -> None:
    bus, service = await started_bus(), Queue(rabbitmq)
    bus.refuse = 10**9
    async with running("amqp", service, bus):
        await service.emit(1)
        await service.until(lambda: bus.refuse < 10**9)

    assert await service.count() == (0, 0)


async def test_without_auto_ack_a_message_waits_until_its_event_is_stored(
    rabbitmq: RabbitMQ,
) -> None:
    """Argo Events never acknowledges."""
    bus, service = await started_bus(), Queue(rabbitmq, **MANUAL)
    bus.refuse = 10**9
    async with running("amqp", service, bus):
        await service.emit(1)
        await service.until(lambda: bus.refuse < 10**9)
    assert await service.count() == (1, 0)

    bus.refuse = 0
    async with running("amqp", service, bus) as pull:
        await service.until(lambda: pull.status.sent == 1)
        await service.wait(0.1)

    assert await service.count() == (0, 0)


async def test_while_the_bus_is_away_the_broker_keeps_what_comes(rabbitmq: RabbitMQ) -> None:
    """Argo Events reads without a limit."""
    bus, service = await started_bus(), Queue(rabbitmq)
    async with running("amqp", service, bus):
        bus.connected = False
        async with service.channel() as channel:
            for _ in range(300):
                await channel.basic_publish(b"1", exchange=service.name, routing_key="key")
        await service.wait(0.3)

    assert (await service.count())[0] > 250


async def test_a_message_that_is_not_json_is_counted_and_the_next_one_comes(
    rabbitmq: RabbitMQ,
) -> None:
    service = Queue(rabbitmq)
    problems = await failures_of("amqp", service, lambda: service.publish(b""))

    assert problems == ["a message with the key 'key' is not JSON: unexpected end of JSON input"]


async def test_a_message_that_is_not_json_goes_where_dead_letters_go(rabbitmq: RabbitMQ) -> None:
    service = Queue(rabbitmq, **MANUAL)
    dead = f"dead-{service.name}"
    arguments = f"x-dead-letter-exchange: ''\nx-dead-letter-routing-key: {dead}\nx-max-length: 10"
    service.options["queueDeclare"] = {"name": service.name, "arguments": arguments}
    async with service.channel() as channel:
        await channel.queue_declare(dead)
    problems = await failures_of("amqp", service, lambda: service.publish(b"{"))
    await service.wait(0.1)

    assert len(problems) == 1
    assert (await service.count(dead))[0] == 1
    assert (await service.count())[0] == 0


async def test_without_the_blocks_the_exchange_is_durable_and_the_queue_exclusive(
    rabbitmq: RabbitMQ,
) -> None:
    service = Queue(rabbitmq)
    service.options["queueDeclare"] = None
    bus = await started_bus()
    pull = pull_service("amqp", service, bus)
    task = asyncio.create_task(pull.run())
    async with service.channel() as channel:
        while not await exists(service):
            await asyncio.sleep(0.02)
        await channel.exchange_declare(service.name, exchange_type="direct", durable=True)
    await service.emit(1)
    await service.until(lambda: bool(bus.published))
    assert await stop(task, limit=1)
    async with service.channel() as channel:
        answer = await channel.basic_publish(
            b"1", exchange=service.name, routing_key="key", mandatory=True
        )

    assert not isinstance(answer, Basic.Ack)  # the queue went with the connection


async def exists(service: Queue) -> bool:
    try:
        async with service.channel() as channel:
            await channel.exchange_declare(service.name, passive=True)
    except AMQPError:
        return False
    return True


async def test_a_block_that_is_there_counts_as_a_whole(rabbitmq: RabbitMQ) -> None:
    source = make_source(
        "amqp", {"exchangeDeclare": {}, "queueDeclare": {}, "consume": {"consumerTag": "x"}}
    )

    assert not source.config.exchange_declare.durable
    assert not source.config.queue_declare.exclusive
    assert not source.config.consume.auto_ack
    assert source.delivery == "at-least-once"
    assert make_source("amqp", {}).delivery == "at-most-once"
    service = Queue(rabbitmq, exchangeDeclare={"autoDelete": True}, consume={"consumerTag": "x"})
    async with running("amqp", service, await started_bus()), service.channel() as channel:
        await channel.exchange_declare(
            service.name, exchange_type="direct", durable=False, auto_delete=True
        )
    await service.wait(0.1)
    async with service.channel() as channel:
        await channel.queue_delete(service.name)
    assert not await exists(service)


async def test_an_exchange_that_is_there_with_other_properties_is_an_error(
    rabbitmq: RabbitMQ,
) -> None:
    service = Queue(rabbitmq)
    async with service.channel() as channel:
        await channel.exchange_declare(service.name, exchange_type="fanout")
    error = await error_of(service)

    assert f"the AMQP broker at 127.0.0.1:{rabbitmq.port} refuses: PRECONDITION_FAILED" in error


async def test_a_virtual_host_that_is_not_there_is_an_error(rabbitmq: RabbitMQ) -> None:
    error = await error_of(Queue(rabbitmq, url=f"amqp://127.0.0.1:{rabbitmq.port}/nowhere"))

    assert "does not open the virtual host 'nowhere'" in error


async def test_a_queue_that_is_deleted_is_declared_again(rabbitmq: RabbitMQ) -> None:
    bus, service = await started_bus(), Queue(rabbitmq, **MANUAL)
    async with running("amqp", service, bus) as pull:
        async with service.channel() as channel:
            await channel.queue_delete(service.name)
        await service.until(lambda: pull.status.error is not None)
        assert pull.status.error == (
            f"the AMQP broker at 127.0.0.1:{rabbitmq.port} refuses: further reading of the queue "
            f"{service.name!r}"
        )
        await service.connected()
        await service.emit(1)
        await service.until(lambda: bool(bus.published))


@pytest.mark.parametrize("way", ["auth", "url", "urlSecret"])
async def test_the_credentials_come_from_the_block_or_the_url(rabbitmq: RabbitMQ, way: str) -> None:
    service = Queue(rabbitmq)
    host = f"127.0.0.1:{rabbitmq.port}"
    ways: dict[str, dict[str, Any]] = {
        "auth": {"url": f"amqp://nobody:nothing@{host}/%2f", "auth": login("right")},
        "url": {"url": f"amqp://guest:guest@{host}/"},
        "urlSecret": {"url": None, "urlSecret": {"name": "amqp", "key": "url"}},
    }
    service.options.update(ways[way])

    event = await event_of("amqp", service, lambda: service.emit(1))

    assert service.number(data_of(event)) == 1


@pytest.mark.parametrize("scheme", ["amqps", "amqp"])
async def test_the_broker_proves_who_it_is(
    rabbitmq: RabbitMQ, server_certificate: Pair, client_certificate: Pair, scheme: str
) -> None:
    url = f"{scheme}://127.0.0.1:{rabbitmq.secure_port}"
    service = Queue(rabbitmq, url=url, tls=tls_block(client=True))
    secrets = secrets_of(service, server_certificate, client_certificate)

    event = await event_of("amqp", service, lambda: service.emit(1), secrets)

    assert service.number(data_of(event)) == 1


async def test_a_broker_that_nobody_vouches_for_is_not_used(rabbitmq: RabbitMQ) -> None:
    error = await error_of(Queue(rabbitmq, url=f"amqps://127.0.0.1:{rabbitmq.secure_port}"))

    assert "cannot be reached" in error
    assert "certificate verify failed" in error


async def test_a_url_in_a_secret_that_is_none_is_reported_without_it(rabbitmq: RabbitMQ) -> None:
    service = Queue(rabbitmq, url=None, urlSecret={"name": "amqp", "key": "wrong"})
    pull = pull_service("amqp", service, await started_bus())

    with pytest.raises(Exception, match="urlSecret: it is no URL") as raised:
        await pull.run()
    assert WRONG not in str(raised.value)


async def error_of(service: Queue) -> str:
    """What the status says when the source cannot work."""
    pull = pull_service("amqp", service, await started_bus())
    task = asyncio.create_task(pull.run())
    await service.until(lambda: pull.status.error is not None)
    await stop(task)
    assert pull.status.error is not None
    return pull.status.error


OPTIONS = {"url": "amqp://r", "exchangeName": "e", "exchangeType": "topic", "routingKey": "k"}
SECRET = {"name": "a", "key": "b"}


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "`exchangeName` is missing",
                "`exchangeType` is missing",
                "`routingKey` is missing",
                "exactly one of `url` and `urlSecret` is needed",
            ],
        ),
        ({**OPTIONS, "urlSecret": SECRET}, ["exactly one of `url` and `urlSecret` is needed"]),
        (
            {**OPTIONS, "url": "http://r"},
            ["`url`: it is no URL of the form amqp://host:port/vhost"],
        ),
        (
            {**OPTIONS, "queueDeclare": {"arguments": "[1]"}},
            ["`queueDeclare.arguments`: it must be YAML with `name: value` lines"],
        ),
        (
            {**OPTIONS, "auth": {"username": SECRET}},
            ["`auth.password` is missing"],
        ),
        ({**OPTIONS, "auth": {"username": SECRET}, "tls": {"enabled": True}}, []),
        (OPTIONS, []),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("amqp", block).check() == problems


def test_arguments_of_the_queue_keep_their_types() -> None:
    text = "x-message-ttl: 60000\nx-queue-type: quorum\nx-single-active-consumer: true\n"
    config = make_source("amqp", {"queueDeclare": {"arguments": text}}).config

    assert config.queue_declare.table() == {
        "x-message-ttl": 60000,
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
    }


def test_a_url_is_read_with_its_virtual_host() -> None:
    assert parse_url("amqp://r:5672/%2fa") == URL("amqp://r:5672/%2fa")
