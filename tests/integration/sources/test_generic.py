"""The generic source, against a gRPC server in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration.sources._events import event_of, failures_of, running
from tests.integration.sources._providers.eventing import EventingServer
from tiphys.sources._shared.eventing import NotAMessage, payload_of, start_request
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, started_bus

LOST = "the contract has no acknowledgements"
numbers = itertools.count()


def ref(key: str) -> dict[str, str]:
    return {"name": "generic", "key": key}


def message(payload: bytes, name: bytes = b"n") -> bytes:
    """The message ``Event``, written by hand; for payloads of up to 16383 bytes."""
    length = len(payload)
    encoded = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return b"\x0a" + bytes([len(name)]) + name + b"\x12" + encoded + payload


class Stream(RemoteService):
    """A stream of a server that all tests share."""

    def __init__(self, server: EventingServer, config: str = "orders", **options: Any) -> None:
        super().__init__()
        self.server = server
        self.config = f"{config}-{next(numbers)}"
        self.options = {"insecure": True, **options}
        self.secrets.values = {"generic/token": "secret", "generic/wrong": WRONG}

    def block(self) -> dict[str, Any]:
        return {
            "url": f"127.0.0.1:{self.server.port}",
            "config": self.config,
            "jsonBody": True,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "url": f"127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "config": "guarded", "authSecret": ref("wrong")}

    async def emit(self, n: int) -> None:
        await self.send(message(json.dumps({"n": n}).encode()))

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    async def send(self, event: bytes) -> None:
        await self._command(message=base64.b64encode(event).decode())

    async def end(self, status: str) -> None:
        await self._command(end=status)

    async def _command(self, **command: str) -> None:
        await self._control("Send", json.dumps({"config": self.config, **command}).encode())

    async def state(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await self._control("State", self.config.encode()))
        return answer

    async def _control(self, method: str, request: bytes) -> bytes:
        async with aio.insecure_channel(f"127.0.0.1:{self.server.port}") as channel:
            call = channel.unary_unary(f"/test.Control/{method}")
            return bytes(await call(request, wait_for_ready=True))

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while not (await self.state())["listening"]:
                await asyncio.sleep(0.01)

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.kill)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


@pytest.fixture(scope="module")
def server(server_directory: Path) -> Iterator[EventingServer]:
    """A server without TLS."""
    with EventingServer(server_directory / "eventing") as running_server:
        yield running_server


@pytest.fixture
def stream(server: EventingServer) -> Stream:
    """A stream of the server."""
    return Stream(server)


class TestGeneric(RemoteSourceContract):
    key = "generic"
    no_redelivery = LOST
    soon = {  # noqa: RUF012
        "tiphys.sources.generic.KEEPALIVE": 0.2,
        "tiphys.sources.generic.KEEPALIVE_ANSWER": 0.3,
    }

    @pytest.fixture(autouse=True)
    def _stream(self, stream: Stream) -> None:
        self.stream = stream

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Stream]:
        yield self.stream


async def test_the_server_is_told_the_name_of_the_event_and_the_configuration(
    stream: Stream,
) -> None:
    stream.options["authSecret"] = ref("token")
    async with running("generic", stream, await started_bus()):
        (call,) = (await stream.state())["calls"]

    assert call == {"name": "ev", "config": stream.config, "authorization": "Bearer secret"}


async def test_without_a_token_no_authorization_is_sent(stream: Stream) -> None:
    async with running("generic", stream, await started_bus()):
        (call,) = (await stream.state())["calls"]

    assert call["authorization"] is None


async def test_the_token_is_read_for_every_new_stream(server: EventingServer) -> None:
    stream = Stream(server, "guarded", authSecret=ref("token"))
    bus = await started_bus()
    async with running("generic", stream, bus) as pull:
        stream.secrets.values["generic/token"] = WRONG
        await stream.end("OK")
        await stream.until(lambda: "refuses the credentials" in str(pull.status.error))
        stream.secrets.values["generic/token"] = "secret"
        await stream.connected()
        await stream.emit(1)
        await stream.until(lambda: bool(bus.published))
        calls = (await stream.state())["calls"]

    assert [call["authorization"] for call in calls[-2:]] == [f"Bearer {WRONG}", "Bearer secret"]


@pytest.mark.parametrize(
    ("as_json", "payload", "body"),
    [
        (False, b"\x00\xff" * 100, base64.b64encode(b"\x00\xff" * 100).decode()),
        (False, b"", ""),
        (True, b'{ "price": 1.50 }', {"price": 1.5}),
        (True, b"null", None),
    ],
)
async def test_the_payload_is_json_or_base64(
    server: EventingServer, as_json: bool, payload: bytes, body: Any
) -> None:
    stream = Stream(server, jsonBody=as_json)

    async def send() -> None:
        await stream.send(message(payload))

    assert data_of(await event_of("generic", stream, send)) == {"body": body}


async def test_metadata_is_there_when_the_manifest_has_any(server: EventingServer) -> None:
    stream = Stream(server, metadata={"team": "a"})

    async def send() -> None:
        await stream.emit(1)

    assert data_of(await event_of("generic", stream, send)) == {
        "body": {"n": 1},
        "metadata": {"team": "a"},
    }


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (message(b"no json"), "the payload of an event is not JSON: "),
        (message(b""), "the payload of an event is not JSON: "),
        (b"\x12\x7fshort", "the server sent no event: "),
    ],
)
async def test_what_is_no_event_is_logged_and_counted(
    stream: Stream, event: bytes, problem: str
) -> None:
    async def send() -> None:
        await stream.send(event)

    (error,) = await failures_of("generic", stream, send)

    assert error.startswith(problem)


@pytest.mark.parametrize(
    ("status", "words"), [("OK", "ended the stream"), ("INTERNAL", "broke: INTERNAL: on demand")]
)
async def test_a_stream_that_ends_is_an_error_and_started_again(
    stream: Stream, status: str, words: str
) -> None:
    bus = await started_bus()
    async with running("generic", stream, bus) as pull:
        await stream.end(status)
        await stream.until(lambda: pull.status.error is not None)
        assert words in str(pull.status.error)
        await stream.connected()
        await stream.emit(1)
        await stream.until(lambda: bool(bus.published))

    assert len((await stream.state())["calls"]) == 2


class SecureStream(Stream):
    """A stream of a server that nobody can control; it counts as connected without an error."""

    async def connected(self) -> None:
        await asyncio.sleep(0)


@asynccontextmanager
async def secure(directory: Path, pair: Pair, **options: Any) -> AsyncIterator[SecureStream]:
    server = EventingServer(directory, *pair, options.pop("client_ca", None))
    await asyncio.to_thread(server.start)
    try:
        yield SecureStream(server, insecure=False, **options)
    finally:
        await asyncio.to_thread(server.stop)


async def test_tls_trusts_the_given_roots_and_not_those_of_the_system(
    tmp_path: Path, server_certificate: Pair
) -> None:
    async with secure(tmp_path, server_certificate) as stream:
        assert "cannot be reached" in await error_of(stream)
        stream.options["tls"] = {"caCertSecret": ref("ca")}
        stream.options["config"] = "guarded"
        stream.secrets.values["generic/ca"] = server_certificate.certificate.read_text()

        error = await error_of(stream)

    assert "refuses the credentials: unknown token" in error  # so the server was heard


async def test_a_client_certificate_is_shown(
    tmp_path: Path, server_certificate: Pair, client_certificate: Pair
) -> None:
    authority = client_certificate.certificate
    async with secure(tmp_path, server_certificate, client_ca=authority) as stream:
        stream.options["config"] = "guarded"
        stream.secrets.values |= {
            "generic/ca": server_certificate.certificate.read_text(),
            "generic/crt": client_certificate.certificate.read_text(),
            "generic/pem": client_certificate.key.read_text(),
        }
        stream.options["tls"] = {"caCertSecret": ref("ca")}
        assert "unknown token" not in await error_of(stream)
        stream.options["tls"] |= {"clientCertSecret": ref("crt"), "clientKeySecret": ref("pem")}

        assert "unknown token" in await error_of(stream)


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`url` is missing", "`config` is missing"]),
        ({"url": "a:1", "config": "x"}, []),
        ({"url": "dns:///a:1", "config": "x"}, []),
        ({"url": "http://a:1", "config": "x"}, ["`url` is host:port, without a scheme"]),
        ({"url": "HTTPS://a:1", "config": "x"}, ["`url` is host:port, without a scheme"]),
        (
            {"url": "a:1", "config": "x", "tls": {"insecureSkipVerify": True}},
            ["`tls.insecureSkipVerify` does not exist with gRPC; give the roots"],
        ),
        (
            {"url": "a:1", "config": "x", "insecure": True, "tls": {"enabled": True}},
            ["`insecure` and `tls` exclude each other"],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("generic", block).check() == problems


def test_the_request_has_both_fields_and_leaves_out_empty_ones() -> None:
    assert start_request("ev", "é") == b"\x0a\x02ev\x12\x02\xc3\xa9"
    assert start_request("", "x" * 300) == b"\x12\xac\x02" + b"x" * 300


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (b"", b""),
        (b"\x12\x01a\x12\x01b", b"b"),
        (b"\x18\x96\x01\x12\x01a", b"a"),
        (b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x12\x01a", b"a"),
    ],
)
def test_fields_of_later_versions_are_passed_over(event: bytes, payload: bytes) -> None:
    assert payload_of(event) == payload


@pytest.mark.parametrize(
    "event", [b"\x12", b"\x12\x05a", b"\x18", b"\x18" + b"\xff" * 11, b"\x13", b"\x19\x00"]
)
def test_bytes_that_are_no_message_are_refused(event: bytes) -> None:
    with pytest.raises(NotAMessage):
        payload_of(event)


async def error_of(stream: Stream) -> str:
    """What the status says when the source cannot work."""
    async with running("generic", stream, await started_bus()) as pull:
        await stream.until(lambda: pull.status.error is not None)
        return str(pull.status.error)
