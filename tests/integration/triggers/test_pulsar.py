"""Pulsar triggers against a broker of its protocol, and against a listener for logins and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration.triggers._providers.pulsar_lite import PulsarLite
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.pulsar import Config

N = {"src": {"dependencyName": "dep", "dataKey": "n"}}
TOKEN = "eyJhbGciOiJIUzI1NiJ9.token-of-a-builder"
TOPICS = itertools.count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulsarLite]:
    """A broker for all tests of this file."""
    with PulsarLite(tmp_path_factory.mktemp("pulsar")) as server:
        yield server


class Topic(Target):
    """A topic of its own."""

    def __init__(self, server: PulsarLite) -> None:
        super().__init__()
        self.server = server
        self.topic = f"persistent://public/default/builds-{next(TOPICS)}"
        self.paused = False
        self.secrets.values |= {"pulsar/token": TOKEN}

    def block(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "topic": self.topic,
            "authTokenSecret": {"name": "pulsar", "key": "token"},
            "payload": [{**N, "dest": "n"}],
        }

    async def received(self) -> Sequence[bytes]:
        return [message.data() for message in await self.server.messages(self.topic)]

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "url": f"pulsar://127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "topic": "persistent://without-a-namespace"}

    async def stall(self) -> None:
        self.paused = True
        self.server.pause()


class TestPulsar(TriggerContract):
    key = "pulsar"

    @pytest.fixture(autouse=True)
    def _broker(self, broker: PulsarLite) -> None:
        self.broker = broker

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Topic]:
        target = Topic(self.broker)
        try:
            yield target
        finally:
            if target.paused:
                self.broker.resume()


class Listener:
    """Takes connections, with TLS if it is given a context, and says nothing."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.heard = bytearray()
        self.certificates: list[bytes | None] = []
        self.spoken_to = asyncio.Event()
        self._context = context

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        server = await asyncio.start_server(self._hear, "127.0.0.1", self.port, ssl=self._context)
        async with server:
            yield self

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (connection := writer.get_extra_info("ssl_object")) is not None:
            self.certificates.append(connection.getpeercert(binary_form=True))
        self.heard += await reader.read(4096)
        if self.heard:
            self.spoken_to.set()
        await reader.read()
        writer.close()


def demanding(server: Pair, client: Pair) -> ssl.SSLContext:
    """TLS with the certificate of the server for whoever shows that of the client."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*server)
    context.load_verify_locations(client.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def connecting(listener: Listener, target: Topic, **block: Any) -> None:
    """Fire until the listener was spoken to."""
    scheme = "pulsar+ssl" if listener._context else "pulsar"
    block = {**target.block(), "url": f"{scheme}://127.0.0.1:{listener.port}", **block}
    async with listener.listening(), TestPulsar().running(target, block) as running:
        firing = asyncio.create_task(running.fire())
        spoken = asyncio.create_task(listener.spoken_to.wait())
        await asyncio.wait([firing, spoken], return_when=asyncio.FIRST_COMPLETED)
        for task in (firing, spoken):
            task.cancel()
        await asyncio.gather(firing, spoken, return_exceptions=True)


async def test_the_message_is_the_payload_with_the_id_of_the_action(broker: PulsarLite) -> None:
    target = Topic(broker)
    async with TestPulsar().running(target) as running:
        outcome = await running.fire()
    (message,) = await broker.messages(target.topic)

    assert message.data() == b'{"n":"7"}'
    assert message.properties() == {"Idempotency-Key": "action-1"}
    assert message.partition_key() == ""
    assert outcome.detail == f"sent to {target.topic}"


async def test_parameters_reach_the_topic(broker: PulsarLite) -> None:
    target = Topic(broker)
    parameters = [{**N, "dest": "topic", "operation": "append"}]
    async with TestPulsar().running(
        target, {**target.block(), "parameters": parameters}
    ) as running:
        await running.fire()

    assert len(await broker.messages(f"{target.topic}7")) == 1


async def test_a_broker_that_was_away_is_found_again(tmp_path: Path) -> None:
    with PulsarLite(tmp_path) as server:
        target = Topic(server)
        async with TestPulsar().running(target) as running:
            await running.fire()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await running.fire(action_id="action-2")

        assert len(await target.received()) == 2


async def test_a_message_that_is_too_large_is_refused(broker: PulsarLite) -> None:
    target = Topic(broker)
    large = [{"src": {"dependencyName": "dep", "value": "x" * 6_000_000}, "dest": "n"}]
    async with TestPulsar().running(target, {**target.block(), "payload": large}) as running:
        with pytest.raises(TriggerError, match="MessageTooBig") as caught:
            await running.fire()

    assert not caught.value.retryable


async def test_an_url_that_is_none_is_refused(broker: PulsarLite) -> None:
    target = Topic(broker)
    async with TestPulsar().running(target, {**target.block(), "url": "broker"}) as running:
        with pytest.raises(TriggerError, match="scheme") as caught:
            await running.fire()

    assert not caught.value.retryable


async def test_a_token_logs_in(broker: PulsarLite) -> None:
    listener = Listener()
    await connecting(listener, Topic(broker))

    assert TOKEN.encode() in listener.heard


async def test_a_rotated_token_is_used_for_the_next_action(broker: PulsarLite) -> None:
    listener, target = Listener(), Topic(broker)
    await connecting(listener, target)
    target.secrets.values["pulsar/token"] = "another-token"
    second = Listener()
    await connecting(second, target)

    assert b"another-token" in second.heard


async def test_athenz_logs_in_with_a_certificate_and_wins_over_the_token(
    broker: PulsarLite, server_certificate: Pair, client_certificate: Pair
) -> None:
    asked: list[bytes] = []

    async def grant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"token": "v=Z1;d=ci;r=role-of-athenz", "expiryTime": 4102444800}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    listener, target, port = Listener(), Topic(broker), free_port()
    target.secrets.values["athenz/key"] = client_certificate.key.read_text()
    parameters = {
        "providerDomain": "ci",
        "ztsUrl": f"https://127.0.0.1:{port}",
        "caCert": f"file://{server_certificate.certificate}",
        "x509CertChain": f"file://{client_certificate.certificate}",
    }
    context = demanding(server_certificate, client_certificate)
    async with await asyncio.start_server(grant, "127.0.0.1", port, ssl=context):
        await connecting(
            listener,
            target,
            authAthenzParams=parameters,
            authAthenzSecret={"name": "athenz", "key": "key"},
        )

    assert asked[0].startswith(b"GET /zts/v1/domain/ci/token")
    assert b"role-of-athenz" in listener.heard
    assert TOKEN.encode() not in listener.heard


async def test_tls_verifies_the_server_and_shows_the_certificate_of_the_client(
    broker: PulsarLite, server_certificate: Pair, client_certificate: Pair
) -> None:
    listener = Listener(demanding(server_certificate, client_certificate))
    target = Topic(broker)
    target.secrets.values |= {
        "tls/ca": server_certificate.certificate.read_text(),
        "tls/cert": client_certificate.certificate.read_text(),
        "tls/key": client_certificate.key.read_text(),
    }
    await connecting(
        listener,
        target,
        tlsTrustCertsSecret={"name": "tls", "key": "ca"},
        tlsValidateHostname=True,
        tls={
            "clientCertSecret": {"name": "tls", "key": "cert"},
            "clientKeySecret": {"name": "tls", "key": "key"},
        },
    )

    shown = ssl.PEM_cert_to_DER_cert(client_certificate.certificate.read_text())
    assert listener.certificates == [shown]
    assert TOKEN.encode() not in listener.heard


@pytest.mark.parametrize("accepts", [False, True])
async def test_an_unknown_certificate_is_accepted_only_on_demand(
    broker: PulsarLite, server_certificate: Pair, accepts: bool
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*server_certificate)
    listener = Listener(context)
    await connecting(listener, Topic(broker), tlsAllowInsecureConnection=accepts)

    assert (TOKEN.encode() in listener.heard) is accepts


@pytest.mark.parametrize(("backoff", "attempts"), [(None, 1), ({"duration": "1ms", "steps": 3}, 3)])
async def test_connection_backoff_tries_again_within_an_attempt(
    broker: PulsarLite, backoff: dict[str, Any] | None, attempts: int
) -> None:
    requests: list[bytes] = []

    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    target, port = Topic(broker), free_port()
    block = {**target.block(), "url": f"http://127.0.0.1:{port}", "connectionBackoff": backoff}
    server = await asyncio.start_server(fail, "127.0.0.1", port)
    async with server, TestPulsar().running(target, block) as running:
        with pytest.raises(TriggerError) as caught:
            await running.fire()

    assert len(requests) == attempts
    assert caught.value.retryable


async def test_actions_are_sent_at_the_same_time(broker: PulsarLite) -> None:
    target = Topic(broker)
    async with TestPulsar().running(target) as running:
        await asyncio.gather(*(running.fire(action_id=f"action-{n}") for n in range(50)))

    assert len(await target.received()) == 50


async def test_its_threads_end_with_it_also_in_the_middle_of_a_connection(
    broker: PulsarLite,
) -> None:
    def threads() -> list[str]:
        return [t.name for t in threading.enumerate() if t.name.startswith("pulsar-trigger")]

    await connecting(Listener(), Topic(broker))

    assert threads() == []


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "pulsar url is not specified",
                "pulsar topic is not specified",
                "payload parameters are not specified",
            ],
        ),
        (
            {
                "url": "pulsar://p",
                "topic": "t",
                "payload": [],
                "tls": {"clientCertSecret": {"name": "s", "key": "k"}},
                "authAthenzSecret": {"name": "s", "key": "k"},
            },
            [
                "invalid TLS config: tls needs clientCertSecret and clientKeySecret",
                "authAthenzSecret needs authAthenzParams",
            ],
        ),
        ({"url": "pulsar://p", "topic": "t", "payload": []}, []),
    ],
)
def test_lint_finds_what_cannot_work(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("pulsar").check(Config.model_validate(block)) == problems
