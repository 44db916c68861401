"""The nats source, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import nats
import nkeys
import pytest
from nats.aio.client import Client

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._nats_accounts import operator_login
from tests.integration._refusing_nats import refusing_nats
from tests.integration._servers import NatsServer
from tests.integration.sources._events import (
    event_of,
    failures_of,
    running,
    secrets_of,
    tls_block,
)
from tiphys.aio import stop
from tiphys.errors import MissingExtraError
from tiphys.sources._shared.nats import parse_headers
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, pull_service, started_bus

SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = nkeys.from_seed(bytearray(SEED.encode())).public_key.decode()


class Subject(RemoteService):
    """A subject of a server that all tests share."""

    def __init__(self, server: NatsServer, client: Client | None, **options: Any) -> None:
        super().__init__()
        self.server = server
        self.client = client
        self.options = options
        self.secrets.values = {
            "nats/user": "worker",
            "nats/right": "secret",
            "nats/wrong": WRONG,
            "nats/seed": SEED,
        }
        self._newest = 0

    def block(self) -> dict[str, Any]:
        return {"url": self.server.url, "subject": "news.>", "jsonBody": True, **self.options}

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "url": f"nats://127.0.0.1:{free_port()}"}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "auth": basic("wrong")}

    async def emit(self, n: int) -> None:
        await self.publish(f'{{"n": {n}}}'.encode())

    async def publish(
        self, message: bytes, subject: str = "news.today", headers: dict[str, str] | None = None
    ) -> None:
        assert self.client is not None
        await self.client.publish(subject, message, headers=headers)
        await self.client.flush()

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    async def connected(self) -> None:
        async with asyncio.timeout(10):
            while not (new := await self._subscribers()):
                await asyncio.sleep(0.01)
        self._newest = max(new)

    async def _subscribers(self) -> list[int]:
        """Numbers of connections that subscribe and were not there the last time."""
        url = f"http://127.0.0.1:{self.server.monitoring}/connz?subs=1"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            connections = (await answer.json())["connections"] or []
        subject = self.block()["subject"]
        return [
            c["cid"]
            for c in connections
            if c["cid"] > self._newest and subject in c.get("subscriptions_list", [])
        ]

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        self._newest = 0
        await asyncio.to_thread(self.server.start)


def basic(password: str) -> dict[str, Any]:
    return {
        "basic": {
            "username": {"name": "nats", "key": "user"},
            "password": {"name": "nats", "key": password},
        }
    }


@asynccontextmanager
async def subject(server: NatsServer, **options: Any) -> AsyncIterator[Subject]:
    async def quiet(error: Exception) -> None:
        """The server is stopped on purpose."""

    client = await nats.connect(
        server.url, error_cb=quiet, reconnect_time_wait=0.05, max_reconnect_attempts=-1
    )
    try:
        yield Subject(server, client, **options)
    finally:
        await client.close()


class TestNATS(RemoteSourceContract):
    key = "nats"
    soon = {"tiphys.sources._shared.nats.PING": 0.2}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, nats_server: NatsServer) -> None:
        self.server = nats_server

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Subject]:
        async with subject(self.server) as service:
            yield service


async def test_without_json_the_body_is_base64(nats_server: NatsServer) -> None:
    async with subject(nats_server, jsonBody=False, metadata={"team": "a"}) as service:
        event = await event_of("nats", service, lambda: service.publish(b"\xff\x00"))

    assert event.data == b'{"subject":"news.today","body":"/wA=","metadata":{"team":"a"}}'


async def test_with_json_the_body_is_embedded_as_it_was_written(nats_server: NatsServer) -> None:
    async with subject(nats_server) as service:
        event = await event_of("nats", service, lambda: service.publish(b'{"b": 1.50, "a": 1}'))

    assert event.data == b'{"subject":"news.today","body":{"b":1.50,"a":1}}'


async def test_headers_keep_their_case_and_all_their_values(nats_server: NatsServer) -> None:
    async with subject(nats_server) as service:
        headers = b"x-Color: red\r\nx-Color:blue\r\nZ: caf\xc3\xa9:1\r\n"
        event = await event_of("nats", service, lambda: raw(nats_server, b"news.raw", headers))

    assert data_of(event) == {
        "subject": "news.raw",
        "body": 1,
        "header": {"x-Color": ["red", "blue"], "Z": ["café:1"]},
    }


async def raw(server: NatsServer, subject: bytes, headers: bytes = b"") -> None:
    """Publish a message as no client library would write it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    block = b"NATS/1.0\r\n" + headers + b"\r\n"
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n')
    writer.write(b"HPUB %b %d %d\r\n%b1\r\nPING\r\n" % (subject, len(block), len(block) + 1, block))
    assert await reader.readline() == b"PONG\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_subject_that_is_no_utf_8_is_an_event_and_silences_nothing(
    nats_server: NatsServer,
) -> None:
    """nats-py stops reading at it, and says that it is connected."""
    bus = await started_bus()
    async with subject(nats_server) as service, running("nats", service, bus):
        await raw(nats_server, b"news.\xff")
        await service.emit(1)
        await service.until(lambda: len(bus.published) == 2)

    assert [data_of(event)["subject"] for event in bus.published] == ["news.\ufffd", "news.today"]


@pytest.mark.parametrize("waiting", [0, 3])
async def test_when_nothing_is_read_any_more_the_source_connects_again_at_once(
    nats_server: NatsServer, waiting: int, caplog: pytest.LogCaptureFixture
) -> None:
    bus = await started_bus()
    async with (
        Wire(nats_server) as wire,
        subject(nats_server, url=wire.url) as service,
        running("nats", service, bus) as pull,
    ):
        bus.connected = False
        wire.insert(waiting * b'MSG news.today 1 7\r\n{"n":0}\r\n')
        await service.until(lambda: bool(pull._under_way) or not waiting)
        wire.insert(b"-ERR '\xff'\r\n")
        await service.until(lambda: "encountered error" in caplog.text)
        bus.connected = True
        await service.until(lambda: pull.status.error is not None)
        assert not pull.status.ready
        assert str(pull.status.error).endswith("broke: the server sent what cannot be read")
        await service.connected()
        await service.emit(1)
        await service.until(lambda: 1 in [service.number(data_of(e)) for e in bus.published])


class Wire:
    """What lies between a client and a server, where more can be put on it."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._clients: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    def insert(self, text: bytes) -> None:
        """Let the newest client read *text*."""
        self._clients[-1].write(text)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"nats://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            await stop(task)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        far = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._tasks += [
            asyncio.create_task(self._carry(reader, far[1])),
            asyncio.create_task(self._carry(far[0], writer)),
        ]

    @staticmethod
    async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while text := await source.read(65536):
                target.write(text)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()


def test_what_is_no_header_is_left_out() -> None:
    assert parse_headers(b"NATS/1.0 503\r\n\r\n") is None
    assert parse_headers(b"NATS/1.0\r\nno colon\r\na:b\r\n\r\n") == {"a": ["b"]}


async def test_the_id_derives_from_the_subject_and_the_message_id(nats_server: NatsServer) -> None:
    """Message ids are unique within a stream, and a subject with wildcards hears several."""
    bus = await started_bus()
    async with subject(nats_server) as service, running("nats", service, bus):
        for name in ("news.orders", "news.invoices", "news.orders"):
            await service.publish(b"1", name, {"Nats-Msg-Id": "17"})
        await service.emit(1)
        await service.until(lambda: len(bus.published) == 3)

    assert [event.id for event in bus.published][:2] == [
        "es:ev:news.orders:17",
        "es:ev:news.invoices:17",
    ]


@pytest.mark.parametrize(
    ("name", "header"),
    [(b"news.\xff", b"Nats-Msg-Id: 1\r\n"), (b"news.a", b"Nats-Msg-Id: \xff\r\n")],
    ids=["subject", "message id"],
)
async def test_no_id_derives_from_what_is_no_utf_8(
    nats_server: NatsServer, name: bytes, header: bytes
) -> None:
    async with subject(nats_server) as service:
        event = await event_of("nats", service, lambda: raw(nats_server, name, header))

    assert len(event.id) == 32


async def test_an_empty_message_id_is_none(nats_server: NatsServer) -> None:
    async with subject(nats_server) as service:
        event = await event_of(
            "nats", service, lambda: raw(nats_server, b"news.a", b"Nats-Msg-Id:\r\n")
        )

    assert len(event.id) == 32


async def test_a_message_that_is_not_json_is_counted_and_the_next_one_comes(
    nats_server: NatsServer,
) -> None:
    async with subject(nats_server) as service:
        problems = await failures_of("nats", service, lambda: service.publish(b""))

    assert problems == ["a message on 'news.today' is not JSON: unexpected end of JSON input"]


async def test_members_of_a_queue_group_share_the_messages(nats_server: NatsServer) -> None:
    bus = await started_bus()
    async with (
        subject(nats_server, queue="workers") as service,
        running("nats", service, bus),
        running("nats", service, bus),
    ):
        for n in range(10):
            await service.emit(n)
        await service.until(lambda: len(bus.published) >= 10)
        await service.wait(0.1)

    assert sorted(service.number(data_of(event)) for event in bus.published) == list(range(10))


async def test_one_of_several_servers_is_enough(nats_server: NatsServer) -> None:
    url = f"nats://127.0.0.1:{free_port()}, {nats_server.url}"
    async with subject(nats_server, url=url) as service:
        events = [await event_of("nats", service, lambda: service.emit(1)) for _ in range(3)]

    assert [service.number(data_of(event)) for event in events] == [1, 1, 1]


async def test_messages_that_the_bus_does_not_take_in_time_are_counted(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.sources._shared.nats.READ_AHEAD", 1)
    monkeypatch.setattr("tiphys.sources._shared.nats.PENDING_BYTES", 100)
    bus = await started_bus()
    async with subject(nats_server) as service, running("nats", service, bus) as pull:
        bus.connected = False
        for n in range(50):
            await service.emit(n)
        await service.wait(0.2)
        bus.connected = True
        await service.until(lambda: pull.status.failed > 0)
        await service.until(lambda: len(bus.published) > 2)

    assert len(bus.published) < 50


@pytest.mark.parametrize(
    ("server_options", "auth"),
    [
        ("authorization {user: worker, password: secret}", basic("right")),
        ("authorization {token: secret}", {"token": {"name": "nats", "key": "right"}}),
        (
            f"authorization {{users: [{{nkey: {PUBLIC}}}]}}",
            {"nkey": {"name": "nats", "key": "seed"}},
        ),
    ],
    ids=["basic", "token", "nkey"],
)
async def test_every_way_to_log_in_works(
    tmp_path: Path, server_options: str, auth: dict[str, Any]
) -> None:
    with NatsServer(tmp_path, server_options) as server:
        service = Subject(server, None, auth=auth)
        bus = await started_bus()
        async with running("nats", service, bus) as pull:
            assert pull.status.error is None


async def test_a_credentials_file_logs_in(tmp_path: Path) -> None:
    options, credentials = operator_login()
    with NatsServer(tmp_path, options) as server:
        service = Subject(server, None, auth={"credential": {"name": "nats", "key": "creds"}})
        service.secrets.values["nats/creds"] = credentials
        async with running("nats", service, await started_bus()) as pull:
            assert pull.status.error is None


async def test_the_server_and_the_client_prove_who_they_are(
    tmp_path: Path, server_certificate: Pair, client_certificate: Pair
) -> None:
    options = (
        f'tls {{cert_file: "{server_certificate.certificate}", '
        f'key_file: "{server_certificate.key}", '
        f'ca_file: "{client_certificate.certificate}", verify: true}}'
    )
    with NatsServer(tmp_path, options) as server:
        service = Subject(server, None, tls=tls_block(client=True))
        service.secrets = secrets_of(service, server_certificate, client_certificate)  # type: ignore[assignment]
        async with running("nats", service, await started_bus()) as pull:
            assert pull.status.error is None


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_nothing_is_told_to_a_server_without_tls_when_tls_is_demanded(
    nats_server: NatsServer, scheme: str
) -> None:
    options = {"tls": {"insecureSkipVerify": True}} if scheme == "nats" else {}
    url = f"{scheme}://127.0.0.1:{nats_server.port}"
    async with subject(nats_server, url=url, auth=basic("right"), **options) as service:
        error = await error_of(service)

    assert error == (
        f"NATS at 127.0.0.1:{nats_server.port} does not offer TLS, so nothing is sent to it"
    )


async def test_a_refusal_is_heard_though_the_server_hangs_up_at_once(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_nats(monkeypatch) as url:
        error = await error_of(Subject(nats_server, None, url=url, auth=basic("right")))

    assert error.endswith("refuses the credentials: Authorization Violation")


async def test_a_subject_that_the_user_may_not_read_is_an_error(tmp_path: Path) -> None:
    """nats-py only tells a callback, and the subscription stays silent."""
    options = (
        "authorization {default_permissions: {subscribe: other}, "
        "users: [{user: worker, password: secret}]}"
    )
    with NatsServer(tmp_path, options) as server:
        error = await error_of(Subject(server, None, auth=basic("right")))

    assert "refuses the credentials: permissions violation for subscription" in error.lower()


@pytest.mark.parametrize("auth", ["nkey", "credential"])
async def test_a_secret_that_holds_no_key_is_an_error(nats_server: NatsServer, auth: str) -> None:
    service = Subject(nats_server, None, auth={auth: {"name": "nats", "key": "wrong"}})
    error = await error_of(service)

    assert f"`auth.{auth}`" in error
    assert WRONG not in error


async def test_a_missing_module_is_named(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nkeys", None)
    service = Subject(nats_server, None, auth={"nkey": {"name": "nats", "key": "seed"}})

    with pytest.raises(MissingExtraError, match=r"pip install 'tiphys\[nkeys\]'"):
        await pull_service("nats", service, await started_bus()).run()


async def error_of(service: Subject) -> str:
    """What the status says when the source cannot work."""
    pull = pull_service("nats", service, await started_bus())
    task = asyncio.create_task(pull.run())
    await service.until(lambda: pull.status.error is not None)
    await stop(task)
    assert pull.status.error is not None
    return pull.status.error


NO_SERVER = "`url`: {!r} is no server of NATS; write nats://host:port or tls://host:port"
WILDCARD = "`subject`: in {!r}, `*` must stand alone, and `>` alone at the end"


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`url` is missing", "`subject` is missing"]),
        (
            {"url": "nats://n", "subject": "a", "queue": ""},
            ["`queue` must not be empty; leave it out to listen alone"],
        ),
        ({"url": "nats://n", "subject": "a", "queue": "", "tls": {"enabled": True}}, []),
        (
            {"url": "nats://n", "subject": "a", "auth": {"basic": {}}},
            ["`auth.basic.username` is missing", "`auth.basic.password` is missing"],
        ),
        ({"url": " , ", "subject": "a"}, ["`url` names no server; write nats://host:port"]),
        ({"url": "http://user:secret@n", "subject": "a"}, [NO_SERVER.format("n")]),
        ({"url": "TLS://n", "subject": "a"}, [NO_SERVER.format("TLS://n")]),
        ({"url": "nats://n:x, n:4222", "subject": "a"}, [NO_SERVER.format("nats://n:x")]),
        ({"url": "nats://[::1", "subject": "a"}, [NO_SERVER.format("nats://[::1")]),
        ({"url": "nats://", "subject": "a"}, [NO_SERVER.format("nats://")]),
        ({"url": "a b", "subject": "a"}, [NO_SERVER.format("a b")]),
        (
            {"url": "nats://n,ws://n", "subject": "a"},
            ["`url`: servers with ws:// or wss:// cannot be mixed with others"],
        ),
        ({"url": "n, n:4222,tls://a:b@[::1]:1", "subject": "a.*.>"}, []),
        ({"url": "wss://n/x", "subject": "*"}, []),
        ({"url": "n", "subject": "a b"}, ["`subject`: 'a b' must not contain blanks"]),
        (
            {"url": "n", "subject": "a..b"},
            ["`subject`: 'a..b' must have something before and behind each dot"],
        ),
        ({"url": "n", "subject": ">.a"}, [WILDCARD.format(">.a")]),
        ({"url": "n", "subject": "a*"}, [WILDCARD.format("a*")]),
        (
            {"url": "n", "subject": "a", "queue": "a b"},
            ["`queue`: 'a b' must not contain blanks"],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("nats", block).check() == problems
