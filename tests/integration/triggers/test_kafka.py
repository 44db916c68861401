"""Kafka triggers against a broker with Kafka's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import fastavro
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._servers import NoidaDB
from tests.integration.triggers._providers.schema_registry import Registry
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.kafka import Config, partition_of

N = {"src": {"dependencyName": "dep", "dataKey": "n", "useRawData": True}}
TEXT = {"src": {"dependencyName": "dep", "dataKey": "text"}}
LOGIN = {
    "userSecret": {"name": "kafka", "key": "user"},
    "passwordSecret": {"name": "kafka", "key": "password"},
}
PARTITIONS = 3


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NoidaDB]:
    """A broker."""
    with NoidaDB(tmp_path_factory.mktemp("kafka")) as server:
        yield server


class Topic(Target):
    """A topic of its own."""

    made = 0

    def __init__(self, server: NoidaDB) -> None:
        super().__init__()
        type(self).made += 1
        self.server = server
        self.topic = f"topic-{self.made}"
        self.stalled = False
        self.address = f"127.0.0.1:{server.port}"
        self.secrets.values |= {"kafka/user": "ada", "kafka/password": "s3cret", "kafka/no": ""}

    def block(self) -> dict[str, Any]:
        return {
            "url": self.address,
            "topic": self.topic,
            "version": "2.5.0",
            "payload": [{**N, "dest": "n"}],
            "sasl": LOGIN,
        }

    async def received(self) -> Sequence[Any]:
        return await self.records()

    async def records(self) -> list[ConsumerRecord[bytes | None, bytes | None]]:
        """All records of the topic."""
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.address, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign(partitions)
            wanted = sum((await consumer.end_offsets(partitions)).values())
            found: list[ConsumerRecord[bytes | None, bytes | None]] = []
            async with asyncio.timeout(10):
                while len(found) < wanted:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        found += records
            return found
        finally:
            await consumer.stop()

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "url": f"127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "sasl": {**LOGIN, "mechanism": "SCRAM-SHA-512"}}

    async def stall(self) -> None:
        self.stalled = True
        self.server.pause()


@contextlib.asynccontextmanager
async def topic(server: NoidaDB) -> AsyncIterator[Topic]:
    """A topic with some partitions."""
    target = Topic(server)
    admin = AIOKafkaAdminClient(bootstrap_servers=target.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(target.topic, PARTITIONS, 1)])
    finally:
        await admin.close()
    try:
        yield target
    finally:
        if target.stalled:
            server.resume()


class TestKafka(TriggerContract):
    key = "kafka"

    @pytest.fixture(autouse=True)
    def _server(self, kafka: NoidaDB) -> None:
        self.server = kafka

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Topic]:
        async with topic(self.server) as target:
            yield target


async def fire(target: Topic, **block: Any) -> Any:
    """The outcome of one firing."""
    async with TestKafka().running(target, {**target.block(), **block}) as running:
        return await running.fire()


async def test_the_record_has_payload_key_and_headers(kafka: NoidaDB) -> None:
    async with topic(kafka) as target:
        secret = {"secretKeyRef": {"name": "kafka", "key": "password"}}
        outcome = await fire(
            target,
            partitioningKey="ada",
            headers={"a": "1", "b": "2"},
            secureHeaders=[{"name": "c", "valueFrom": secret}],
        )
        (record,) = await target.records()

    assert (record.value, record.key) == (b'{"n":7}', b"ada")
    assert dict(record.headers) == {
        "Idempotency-Key": b"action-1", "a": b"1", "b": b"2", "c": b"s3cret"
    }  # fmt: skip
    assert outcome.detail == f"{target.topic}/{record.partition}@0"
    assert record.partition == partition_of(b"ada", range(PARTITIONS), ())


async def test_parameters_reach_topic_and_key(kafka: NoidaDB) -> None:
    async with topic(kafka) as target:
        value = {"src": {"dependencyName": "dep", "value": target.topic}, "dest": "topic"}
        await fire(target, topic="other", parameters=[value, {**TEXT, "dest": "partitioningKey"}])
        (record,) = await target.records()

    assert record.key == b"hello"


async def test_compressed_records_are_readable_and_an_empty_payload_is_an_empty_record(
    kafka: NoidaDB,
) -> None:
    async with topic(kafka) as target:
        await fire(target, compress=True, requiredAcks=1)
        await fire(target, payload=[])
        values = sorted(record.value or b"" for record in await target.records())

    assert values == [b"", b'{"n":7}']


@pytest.mark.parametrize(
    ("key", "partitions", "expected"),
    [  # hashes from the table of the FNV authors
        (b"", 10, abs(0x811C9DC5 - 2**32) % 10),
        (b"a", 7, abs(0xE40C292C - 2**32) % 7),
        (b"foobar", 12, abs(0xBF9CF968 - 2**32) % 12),
        (b"fo", 5, 0x6222E842 % 5),
    ],
)
def test_a_key_chooses_the_partition_that_argo_events_chooses(
    key: bytes, partitions: int, expected: int
) -> None:
    assert partition_of(key, range(partitions), ()) == expected


def test_records_without_a_key_go_to_partitions_that_are_there() -> None:
    assert {partition_of(None, [0, 1, 2], [1, 2]) for _ in range(200)} == {1, 2}


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"version": "two"}, "failed to parse Kafka version"),
        ({"sasl": {"mechanism": "PLAIN"}}, "sasl needs userSecret and passwordSecret"),
        ({"sasl": {**LOGIN, "mechanism": "GSSAPI"}}, "SASL mechanism GSSAPI needs options"),
        ({"sasl": {**LOGIN, "passwordSecret": {"name": "gone", "key": "x"}}}, "failed to retrieve"),
        ({"sasl": {**LOGIN, "passwordSecret": {"name": "kafka", "key": "no"}}}, "is empty"),
    ],
)
async def test_what_cannot_be_produced_says_why(
    kafka: NoidaDB, block: dict[str, Any], message: str
) -> None:
    async with topic(kafka) as target:
        with pytest.raises(TriggerError, match=message):
            await fire(target, **block)


async def test_a_record_that_is_too_large_is_not_tried_again(kafka: NoidaDB) -> None:
    async with topic(kafka) as target:
        big = {"src": {"dependencyName": "dep", "value": "x" * 1_100_000}, "dest": "x"}
        with pytest.raises(TriggerError, match="MessageSizeTooLarge") as caught:
            await fire(target, payload=[big])

    assert not caught.value.retryable


async def test_success_is_reported_only_when_the_broker_has_the_record(tmp_path: Path) -> None:
    with NoidaDB(tmp_path) as server:
        async with (
            topic(server) as target,
            TestKafka().running(target, target.block()) as running,
        ):
            await running.fire()
            await asyncio.to_thread(server.stop)
            with pytest.raises(TriggerError) as caught:
                await running.fire(action_id="action-2")

    assert caught.value.retryable


@pytest.mark.parametrize("trusted", [True, False])
async def test_tls_verifies_the_broker(
    kafka: NoidaDB, server_certificate: Pair, trusted: bool
) -> None:
    # The broker tells its own address, which speaks no TLS, so that producing fails either way;
    # what counts is whether the client has said anything before.
    async with topic(kafka) as target, tls_in_front(kafka, server_certificate) as front:
        target.secrets.values["ca/pem"] = server_certificate.certificate.read_text()
        tls = {"caCertSecret": {"name": "ca", "key": "pem"}} if trusted else {"enabled": True}
        with pytest.raises(TriggerError, match="Kafka at") as caught:
            await fire(target, url=f"127.0.0.1:{front.port}", tls=tls, sasl=None)

    assert bool(front.heard) is trusted
    assert ("certificate verify failed" in str(caught.value)) is not trusted


class Front:
    """A port that speaks TLS and hands everything on to the broker."""

    def __init__(self, server: NoidaDB) -> None:
        self.server = server
        self.port = free_port()
        self.heard = 0  # bytes of clients

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.server.port)
        with contextlib.suppress(OSError):
            await asyncio.gather(self.copy(reader, back, 1), self.copy(there, writer, 0))

    async def copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int
    ) -> None:
        try:
            while data := await reader.read(65536):
                self.heard += count * len(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def tls_in_front(server: NoidaDB, pair: Pair) -> AsyncIterator[Front]:
    """A running front."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    front = Front(server)
    listener = await asyncio.start_server(front.serve, "127.0.0.1", front.port, ssl=context)
    try:
        yield front
    finally:
        listener.close()
        await listener.wait_closed()


RECORD = {
    "type": "record",
    "name": "Build",
    "fields": [
        {"name": "n", "type": "long"},
        {"name": "share", "type": "double", "default": 0.5},
        {"name": "commit", "type": ["null", "string"], "default": None},
    ],
}


@contextlib.asynccontextmanager
async def registry() -> AsyncIterator[tuple[Registry, dict[str, Any]]]:
    """A registry, and the block that reaches it."""
    service, port = Registry(), free_port()
    runner = web.AppRunner(service.application(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    auth = {
        "username": {"name": "kafka", "key": "user"},
        "password": {"name": "kafka", "key": "password"},
    }
    try:
        yield service, {"url": f"http://127.0.0.1:{port}/", "schemaId": 42, "auth": auth}
    finally:
        await runner.cleanup()


async def test_a_schema_turns_the_payload_into_avro_and_is_read_once(kafka: NoidaDB) -> None:
    async with topic(kafka) as target, registry() as (service, block):
        service.add(42, RECORD)
        options = {**target.block(), "schemaRegistry": block}
        options["payload"] = [{**N, "dest": "n"}, {**TEXT, "dest": "commit"}]
        async with TestKafka().running(target, options) as running:
            await running.fire()
            await running.fire(action_id="action-2")
        first, second = await target.records()

    assert first.value is not None
    assert first.value[:5] == b"\0" + (42).to_bytes(4, "big")
    schema = fastavro.parse_schema(RECORD)
    decoded = fastavro.schemaless_reader(io.BytesIO(first.value[5:]), schema, None)
    assert decoded == {"n": 7, "share": 0.5, "commit": "hello"}
    assert (first.value, service.reads) == (second.value, 1)


@pytest.mark.parametrize(
    ("schema", "extra", "message"),
    [
        (None, {}, "error getting the schema with id '42': status 404"),
        ({"type": "nothing"}, {}, "error getting the schema with id '42': it is no Avro schema"),
        (RECORD, {"schemaType": "PROTOBUF"}, "its type is PROTOBUF, not AVRO"),
        ({**RECORD, "fields": [{"name": "x", "type": "int"}]}, {}, "not of the schema 42: .x is"),
    ],
)
async def test_a_schema_that_does_not_fit_is_refused(
    kafka: NoidaDB, schema: Any, extra: dict[str, Any], message: str
) -> None:
    async with topic(kafka) as target, registry() as (service, block):
        if schema is not None:
            service.add(42, schema, **extra)
        with pytest.raises(TriggerError, match=message) as caught:
            await fire(target, schemaRegistry=block)

        assert await target.records() == []
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "broker url must not be empty",
                "payload must not be empty",
                "topic must not be empty",
            ],
        ),
        ({"url": "k", "topic": "t", "payload": []}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("kafka").check(Config.model_validate(json.loads(json.dumps(block)))) == (
        problems
    )
