"""The minio source, against a server written from the documentation."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration.sources._events import event_of, failures_of, running
from tests.integration.sources._providers.minio import ACCESS_KEY, SECRET_KEY, MinIO
from tiphys.sources._shared.sigv4 import Credentials, query_of, signed_headers
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, started_bus

LOST = "MinIO keeps no position; what happens while nobody listens is gone"


def ref(key: str) -> dict[str, str]:
    return {"name": "minio", "key": key}


class Bucket(RemoteService):
    """The bucket of a server."""

    def __init__(self, server: MinIO, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.options = options
        self.secrets.values = {
            "minio/access": ACCESS_KEY,
            "minio/secret": SECRET_KEY,
            "minio/wrong": WRONG,
        }

    def block(self) -> dict[str, Any]:
        return {
            "endpoint": self.server.endpoint,
            "bucket": {"name": "photos"},
            "accessKey": ref("access"),
            "secretKey": ref("secret"),
            "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"],
            "insecure": True,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "endpoint": f"127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "secretKey": ref("wrong")}

    async def emit(self, n: int) -> None:
        self.server.put(f"{n}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["notification"][0]["s3"]["object"]["key"])

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while not self.server.listeners:
                await asyncio.sleep(0.01)

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await self.server.stop()

    async def start(self) -> None:
        await self.server.start()


@asynccontextmanager
async def bucket(server: MinIO | None = None, **options: Any) -> AsyncIterator[Bucket]:
    server = server or MinIO()
    await server.start()
    try:
        yield Bucket(server, **options)
    finally:
        server.resume()
        await server.stop()


class TestMinIO(RemoteSourceContract):
    key = "minio"
    no_redelivery = LOST
    soon = {"tiphys.sources.minio.SILENCE": 0.5}  # noqa: RUF012

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Bucket]:
        async with bucket() as service:
            yield service


async def test_the_record_has_the_members_of_the_original_and_no_others() -> None:
    async with bucket() as service:

        async def send() -> None:
            service.server.put("a b", glacierEventData={"x": 1})

        data = data_of(await event_of("minio", service, send))
    (record,) = data.pop("notification")

    assert data == {}
    assert record["s3"]["object"] == {
        "key": "a%20b",
        "size": 5,
        "eTag": "5d41402abc4b2a76b9719d911017c592",
        "contentType": "text/plain",
        "userMetadata": {"content-type": "text/plain"},
        "sequencer": "17AE000000000001",
    }
    assert list(record) == [
        *("eventVersion", "eventSource", "awsRegion", "eventTime", "eventName", "userIdentity"),
        *("requestParameters", "responseElements", "s3", "source"),
    ]


async def test_what_an_object_does_not_have_is_left_out_and_the_rest_is_empty() -> None:
    async with bucket() as service:

        async def send() -> None:
            service.server.say(b'{"Records":[{"s3":{"object":{"key":"k","size":0}}}]}')

        (record,) = data_of(await event_of("minio", service, send))["notification"]

    assert record["s3"]["object"] == {"key": "k", "sequencer": ""}
    assert record["requestParameters"] is None
    assert record["userIdentity"] == {"principalId": ""}
    assert record["source"] == {"host": "", "port": "", "userAgent": ""}


async def test_the_id_derives_from_the_object_and_the_sequence() -> None:
    async with bucket() as service:

        async def send() -> None:
            service.server.put("a")

        event = await event_of("minio", service, send)

    assert event.id == "es:ev:photos:a:17AE000000000001:s3:ObjectCreated:Put"


async def test_events_prefix_and_suffix_are_for_the_server_to_look_at() -> None:
    options: dict[str, Any] = {
        "events": ["s3:ObjectRemoved:*"],
        "filter": {"prefix": "in/ä&", "suffix": ".png"},
    }
    async with bucket(**options) as service:
        bus = await started_bus()
        async with running("minio", service, bus):
            for key, operation in [
                ("in/ä&1.png", "s3:ObjectCreated:Put"),
                ("in/ä&1.jpg", "s3:ObjectRemoved:Delete"),
                ("1.png", "s3:ObjectRemoved:Delete"),
                ("in/ä&2.png", "s3:ObjectRemoved:Delete"),
            ]:
                service.server.put(key, operation)
            await service.until(lambda: bool(bus.published))
            await service.wait(0.1)

    (event,) = bus.published
    assert data_of(event)["notification"][0]["s3"]["object"]["key"] == "in%2F%C3%A4%262.png"
    assert sorted(service.server.queries[0]) == [
        ("events", "s3:ObjectRemoved:*"),
        ("ping", "1"),
        ("prefix", "in/ä&"),
        ("suffix", ".png"),
    ]


async def test_a_stream_that_ends_is_an_error_and_opened_again() -> None:
    async with bucket() as service:
        bus = await started_bus()
        async with running("minio", service, bus) as pull:
            service.server.end_streams()
            await service.until(lambda: pull.status.error is not None)
            assert pull.status.error == f"MinIO at {service.server.endpoint} ended the stream"
            await service.connected()
            await service.emit(1)
            await service.until(lambda: bool(bus.published))


async def test_an_answer_that_is_no_stream_is_an_error_and_asked_for_again() -> None:
    async with bucket() as service:
        service.server.status = 503
        bus = await started_bus()
        async with starting(service, bus) as pull:
            await service.until(lambda: pull.status.error is not None)
            assert "XMinioServerNotInitialized: No." in str(pull.status.error)
            service.server.status = 0
            await service.connected()
            await service.emit(1)
            await service.until(lambda: bool(bus.published))


async def test_a_bucket_that_is_not_there_is_named() -> None:
    bus = await started_bus()
    async with bucket(bucket={"name": "songs"}) as service, starting(service, bus) as pull:
        await service.until(lambda: pull.status.error is not None)

        assert "NoSuchBucket" in str(pull.status.error)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
async def test_requests_are_signed_for_the_region_of_the_server(region: str) -> None:
    async with bucket(MinIO(region)) as service:

        async def send() -> None:
            service.server.put("1")

        assert await event_of("minio", service, send)


async def test_the_region_may_be_a_secret() -> None:
    server = MinIO("us-east-1")
    server.location_is_forbidden = True
    async with bucket(server) as service:

        async def send() -> None:
            service.server.put("1")

        assert await event_of("minio", service, send)


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[1]",
        b'{"Records": [1]}',
        b'{"Records": 5}',
        b'{"Records": [{"eventName": 5}]}',
        b'{"Records": [{"requestParameters": {"a": 1}}]}',
        b'{"Err": "out of order", "Records": null}',
    ],
)
async def test_what_is_no_notification_is_logged_and_counted(line: bytes) -> None:
    async with bucket() as service:

        async def send() -> None:
            service.server.say(line)

        (problem,) = await failures_of("minio", service, send)

    assert problem.startswith("the server sent no notification: ")


async def test_a_long_line_comes_in_pieces_and_is_one_event() -> None:
    metadata = {f"x-amz-meta-{n}": "v" * 100 for n in range(3000)}
    record = {"s3": {"object": {"key": "1", "userMetadata": metadata, "sequencer": "1"}}}
    async with bucket() as service:

        async def send() -> None:
            service.server.say(orjson.dumps({"Records": [record]}))

        data = data_of(await event_of("minio", service, send))

    assert data["notification"][0]["s3"]["object"]["userMetadata"] == metadata


async def test_tls_trusts_the_bundle_only(server_certificate: Pair) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*server_certificate)
    async with bucket(MinIO(tls=context), insecure=False) as service:
        async with starting(service, await started_bus()) as pull:
            await service.until(lambda: pull.status.error is not None)
            assert "cannot be reached" in str(pull.status.error)
        service.options["caCertificate"] = ref("ca")
        service.secrets.values["minio/ca"] = server_certificate.certificate.read_text()

        async def send() -> None:
            service.server.put("1")

        assert await event_of("minio", service, send)


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        (
            [("lifecycle", "")],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            [("prefix", "J"), ("max-keys", "2")],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_signature_is_that_of_the_examples_in_amazons_documentation(
    parameters: list[tuple[str, str]], signature: str
) -> None:
    who = Credentials(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"
    )
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"

    headers = signed_headers(who, "s3", host, "/", query_of(parameters), moment)

    assert headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"bucket": None}, ["`bucket.name` is missing"]),
        ({"events": []}, ["`events` is missing"]),
        ({"events": ["s3:ObjectCreated:Put", ""]}, ["`events` contains an empty text"]),
        ({"accessKey": None}, ["`accessKey` is missing"]),
        (
            {"endpoint": "http://minio:9000"},
            ["`endpoint` is host:port, without a scheme or a path"],
        ),
        ({"endpoint": "minio:99999"}, ["`endpoint`: 'minio:99999' is not host:port"]),
        ({"endpoint": "min io:9000"}, ["`endpoint`: 'min io:9000' is not host:port"]),
        ({"endpoint": ""}, ["`endpoint` is missing"]),
        ({"endpoint": "[::1]:9000"}, []),
        ({"endpoint": "minio.example.com"}, []),
        (
            {"endpoint": "s3.eu-west-1.amazonaws.com:443"},
            ["`endpoint`: only MinIO servers offer this stream of notifications"],
        ),
        ({"bucket": {"name": "a/../b"}}, ["`bucket.name`: 'a/../b' is no name of a bucket"]),
    ],
)
def test_options_that_make_no_sense_are_named(changes: dict[str, Any], problems: list[str]) -> None:
    block = Bucket(MinIO()).block()

    assert make_source("minio", {**block, **changes}).check() == problems


@asynccontextmanager
async def starting(service: Bucket, bus: Any) -> AsyncIterator[Any]:
    """Run the source although it cannot listen yet."""
    connected = service.connected
    service.connected = _at_once  # type: ignore[method-assign]
    async with running("minio", service, bus) as pull:
        service.connected = connected  # type: ignore[method-assign]
        yield pull


async def _at_once() -> None:
    """Wait for nothing."""
