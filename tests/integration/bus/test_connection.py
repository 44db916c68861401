"""Servers of the user's own: addresses, credentials, TLS, and links that break in odd ways."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tests.integration.bus._servers import NatsServer
from tiphys.bus.jetstream import Credentials, Endpoint, JetStreamBus
from tiphys.bus.jetstream.connection import Link
from tiphys.errors import BusError, BusUnavailable, ManifestError, SecretError
from tiphys.events import CloudEvent
from tiphys.manifests.common import TLS, SecretRef

USER = "authorization { user: argo, password: s3cret }"


async def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for the loopback, and its key."""
    await asyncio.to_thread(directory.mkdir)
    process = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=bus",
        "-addext", "subjectAltName=IP:127.0.0.1",
        cwd=directory, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    return directory / "cert.pem", directory / "key.pem"


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[NatsServer]]]:
    servers: list[NatsServer] = []

    async def start(options: str = "") -> NatsServer:
        server = NatsServer(tmp_path / str(len(servers)), options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


Run = Callable[..., Awaitable[NatsServer]]


def event(id: str) -> CloudEvent:
    return CloudEvent(id, "es", "ev", "webhook", data=b"{}")


async def works(bus: JetStreamBus) -> bool:
    """Whether *bus* starts and stores an event."""
    await bus.start()
    try:
        await bus.publish(event("a"))
        return len([record async for record in bus.events().read()]) == 1
    finally:
        await bus.close()


async def refused(bus: JetStreamBus) -> str:
    """Why *bus* does not start."""
    before = asyncio.all_tasks()
    with pytest.raises(BusUnavailable) as error:
        await bus.start()
    assert asyncio.all_tasks() <= before
    return str(error.value)


def configured(
    config: Mapping[str, Any], secrets: Mapping[str, str], tls: ssl.SSLContext | None = None
) -> JetStreamBus:
    """The bus of an EventBus' configuration, with the runtime's means to read Secrets."""

    async def secret(ref: SecretRef) -> str:
        return secrets[f"{ref.name}/{ref.key}"]

    async def context(block: TLS) -> ssl.SSLContext:
        assert tls is not None
        return tls

    return JetStreamBus.from_config(config, secret=secret, tls=context)


async def test_a_plain_server_without_credentials_works(run: Run) -> None:
    server = await run()
    assert await works(configured({"url": server.url, "streamConfig": ""}, {}))


async def test_one_server_of_a_list_is_enough(run: Run) -> None:
    server = await run()
    dead = f"nats://127.0.0.1:{free_port()}"
    assert await works(configured({"url": f"{dead},{server.url}"}, {}))


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        (USER, "username: argo\npassword: s3cret\n"),
        ("authorization { token: t0ken }", "token: t0ken"),
    ],
)
async def test_the_access_secret_opens_the_server(run: Run, options: str, secret: str) -> None:
    server = await run(options)
    config = {"url": server.url, "accessSecret": {"name": "bus", "key": "auth"}}
    assert await works(configured(config, {"bus/auth": secret}))


async def test_wrong_credentials_are_told_without_the_password(run: Run) -> None:
    server = await run(USER)
    where = Endpoint((server.url,), Credentials("argo", "wr0ng"))
    told = await refused(JetStreamBus(where, connect_timeout=1.0))
    assert "Authorization Violation" in told
    assert server.url in told
    assert "wr0ng" not in told


@pytest.mark.parametrize("password", ["s3cr%2Fword", "s3cr://word", "s3cr/word", "s3cr@word"])
async def test_a_password_in_the_address_is_not_told(password: str) -> None:
    port = free_port()
    where = Endpoint.at(f"nats://argo:{password}@127.0.0.1:{port}")
    with capture_logs() as logs:
        told = await refused(JetStreamBus(where, connect_timeout=0.5))

    assert f"nats://127.0.0.1:{port} " in told
    assert not [word for word in ("s3cr", "word") if word in f"{told} {logs}"]


async def test_a_secret_that_cannot_be_read_is_told_at_once() -> None:
    config = {"url": "nats://127.0.0.1:1", "accessSecret": {"name": "bus", "key": "auth"}}
    with pytest.raises(SecretError, match=r"auth\.yaml"):
        await configured(config, {"bus/auth": "just-a-password"}).start()


async def test_a_configuration_without_an_address_is_refused() -> None:
    with pytest.raises(ManifestError, match="address"):
        configured({}, {})


async def test_rotated_credentials_are_used_without_a_restart(run: Run) -> None:
    server = await run(USER)
    secrets = {"bus/auth": "username: argo\npassword: s3cret"}
    bus = configured({"url": server.url, "accessSecret": {"name": "bus", "key": "auth"}}, secrets)
    await bus.start()
    await bus.publish(event("a"))
    await server.stop()
    server.options = "authorization { user: argo, password: n3w }"
    secrets["bus/auth"] = "username: argo\npassword: n3w"
    await server.start()
    await bus.publish(event("b"), timeout=30.0)
    ids = [CloudEvent.decode(record.body).id async for record in bus.events().read()]
    await bus.close()

    assert ids == ["a", "b"]


async def test_no_server_is_told_after_the_time_is_over() -> None:
    url = f"nats://user:hunter2@127.0.0.1:{free_port()}"
    told = await refused(JetStreamBus(Endpoint((url,)), connect_timeout=0.5))
    assert "hunter2" not in told
    assert "127.0.0.1" in told


async def test_something_that_is_no_nats_server_is_told() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        bus = JetStreamBus(Endpoint((f"nats://127.0.0.1:{port}",)), connect_timeout=0.5)
        assert "INFO" in await refused(bus)


async def test_a_server_without_jetstream_is_told(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, "jetstream: disabled")
    await server.start()
    bus = JetStreamBus(Endpoint((server.url,)))
    with pytest.raises(BusError, match="listens"):
        await bus.start()
    await server.stop()


async def tls_server(run: Run, tmp_path: Path) -> tuple[NatsServer, ssl.SSLContext]:
    """A server that demands TLS, and a context that trusts it."""
    cert, key = await certificate(tmp_path / "tls")
    server = await run(f'tls {{ cert_file: "{cert}", key_file: "{key}" }}\n{USER}')
    return server, ssl.create_default_context(cafile=cert)


async def test_tls_settings_are_used(run: Run, tmp_path: Path) -> None:
    server, context = await tls_server(run, tmp_path)
    config = {
        "url": server.url,
        "accessSecret": {"name": "bus", "key": "auth"},
        "tls": {"caCertSecret": {"name": "bus", "key": "ca"}},
    }
    secrets = {"bus/auth": "username: argo\npassword: s3cret"}
    assert await works(configured(config, secrets, context))


async def test_a_server_that_demands_tls_gets_it_unverified_without_settings(
    run: Run, tmp_path: Path
) -> None:
    server, _ = await tls_server(run, tmp_path)
    where = Endpoint((server.url,), Credentials("argo", "s3cret"))
    assert await works(JetStreamBus(where))


async def test_a_server_that_is_not_trusted_is_refused(run: Run, tmp_path: Path) -> None:
    server, _ = await tls_server(run, tmp_path)
    where = Endpoint((server.url,), Credentials("argo", "s3cret"), ssl.create_default_context())
    assert "CERTIFICATE_VERIFY_FAILED" in await refused(JetStreamBus(where, connect_timeout=1.0))


@pytest.mark.parametrize("demand", ["settings", "address"])
async def test_no_credentials_go_to_a_server_without_tls_when_tls_is_wanted(demand: str) -> None:
    received = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","auth_required":true}\r\n')
        received.extend(await reader.read())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if demand == "settings":
            context = ssl.create_default_context()
            where = Endpoint((f"nats://{address}",), Credentials("argo", "s3cret"), context)
        else:
            where = Endpoint((f"tls://{address}",), Credentials("argo", "s3cret"))
        assert "secure connection not available" in await refused(
            JetStreamBus(where, connect_timeout=0.5)
        )
    assert received == b""


async def test_a_server_that_falls_silent_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.bus.jetstream._client._PING_INTERVAL", 0.2)
    server = await run()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    await server.pause()
    heard: list[bool] = []
    bus.on_link_change(heard.append)
    with pytest.raises(BusError):
        await bus.publish(event("a"), timeout=1.0)
    async with asyncio.timeout(30):
        while not heard:
            await asyncio.sleep(0.02)
    server.resume()
    await bus.publish(event("b"), timeout=30.0)
    await bus.close()
    assert heard[:2] == [False, True]


async def test_a_connection_that_the_server_ends_is_made_anew(run: Run) -> None:
    """With an error of the kind after which nats-py would close itself for good."""
    server = await run("max_payload: 64KB")
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    client = bus._link._client
    assert client is not None
    with capture_logs() as lines:
        client._transport.write(b"PUB a 100000\r\n")  # type: ignore[union-attr]
        await client._transport.drain()  # type: ignore[union-attr]
        async with asyncio.timeout(30):
            while len(lines) < 2:
                await asyncio.sleep(0.02)
    await bus.publish(event("a"), timeout=30.0)
    await bus.close()
    assert [line["event"] for line in lines] == [
        "Lost the link to the event bus; trying to reconnect",
        "Connected to the event bus",
    ]


async def test_a_long_outage_is_reported_as_an_error(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.bus.jetstream.connection._LONG_OUTAGE", 0.2)
    server = await run()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    with capture_logs() as lines:
        await server.stop()
        await asyncio.sleep(2.0)
        await server.start()
        await bus.publish(event("a"), timeout=30.0)
    await bus.close()
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "Lost the link to the event bus; trying to reconnect"),
        ("error", "Still no link to the event bus; trying on"),
        ("info", "Connected to the event bus"),
    ]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[dict[str, NatsServer]]:
    """Three servers that know each other, by name."""
    routes = {f"n{number}": f"127.0.0.1:{free_port()}" for number in range(3)}
    urls = ", ".join(f"nats://{route}" for route in routes.values())
    servers = {
        name: NatsServer(
            tmp_path / name,
            f'server_name: {name}\ncluster {{ name: c, listen: "{route}", routes: [{urls}] }}',
        )
        for name, route in routes.items()
    }
    await asyncio.gather(*(server.start() for server in servers.values()))
    yield servers
    await asyncio.gather(*(server.stop() for server in servers.values()))


async def test_losing_the_leader_of_a_cluster_loses_no_event(
    cluster: dict[str, NatsServer],
) -> None:
    url = ",".join(server.url for server in cluster.values())
    bus = configured({"url": url, "streamConfig": "replicas: 3"}, {})
    async with asyncio.timeout(30):
        while True:  # until the cluster has a leader
            try:
                await bus.start()
                break
            except BusError:
                await asyncio.sleep(0.5)
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")

    async def publish(numbers: range) -> None:
        for number in numbers:
            await bus.publish(event(str(number)), timeout=25.0)

    await publish(range(100))
    leader = (await bus._api.call("STREAM.INFO.default"))["cluster"]["leader"]
    await cluster[leader].stop(signal.SIGKILL)
    await publish(range(100, 200))

    ids: list[str] = []
    async with asyncio.timeout(25):
        while len(ids) < 200:
            for delivery in await subscription.fetch(200):
                await delivery.ack()
                ids.append(CloudEvent.decode(delivery.body).id)
    await subscription.close()
    await bus.close()
    assert ids == [str(number) for number in range(200)]


async def test_a_request_whose_answer_does_not_come_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when the leader of a stream dies while the link to another server stays."""
    monkeypatch.setattr("tiphys.bus.jetstream.connection._PATIENCE", 0.1)
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","headers":true}\r\n')
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if line.startswith(b"PING"):
                    writer.write(b"PONG\r\n")
                elif line.startswith(b"PUB"):
                    requests.append(line)
                    await reader.readline()
                    if len(requests) == 3:
                        writer.write(b"MSG %b 1 2\r\nok\r\n" % line.split()[2])
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        where = Endpoint((f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}",))

        async def endpoint() -> Endpoint:
            return where

        link = Link(endpoint, name="test")
        await link.open(10.0)
        assert (await link.request("a", b"b", timeout=30.0)).data == b"ok"
        with pytest.raises(BusUnavailable, match="no answer"):
            await link.request("a", b"b", timeout=0.2)
        await link.close()
    assert len(set(requests[:3])) == 1
