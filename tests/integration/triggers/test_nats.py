"""NATS triggers against a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import nats
import nkeys
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._nats_accounts import operator_login
from tests.integration._refusing_nats import refusing_nats
from tests.integration._servers import NatsServer
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.nats import Config

N = {"src": {"dependencyName": "dep", "dataKey": "n"}}
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = nkeys.from_seed(bytearray(SEED.encode())).public_key.decode()
WORKER = {
    "basic": {
        "username": {"name": "nats", "key": "user"},
        "password": {"name": "nats", "key": "password"},
    }
}


class Subject(Target):
    """Subjects below ``out`` of a server."""

    def __init__(self, server: NatsServer) -> None:
        super().__init__()
        self.server = server
        self.messages: list[Msg] = []
        self.paused = False
        self.secrets.values |= {
            "nats/user": "worker",
            "nats/password": "secret",
            "nats/wrong": "letmein",
            "nats/token": "sesame",
            "nats/seed": SEED,
        }

    def block(self) -> dict[str, Any]:
        return {
            "url": self.server.url,
            "subject": "out.builds",
            "auth": WORKER,
            "payload": [{**N, "dest": "n"}],
        }

    async def received(self) -> Sequence[Any]:
        return self.messages

    async def heard(self) -> Msg:
        """The first message."""
        async with asyncio.timeout(10):
            while not self.messages:
                await asyncio.sleep(0.01)
        return self.messages[0]

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "url": f"127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        basic = {**WORKER["basic"], "password": {"name": "nats", "key": "wrong"}}
        return {**self.block(), "auth": {"basic": basic}}

    async def stall(self) -> None:
        self.paused = True
        self.server.pause()

    async def keep(self, message: Msg) -> None:
        self.messages.append(message)


@contextlib.asynccontextmanager
async def subject(server: NatsServer, client: Client | None = None) -> AsyncIterator[Subject]:
    """The subjects, listened to by a client of its own."""
    target = Subject(server)
    listener = client or await nats.connect(server.url, user="worker", password="secret")
    try:
        await listener.subscribe("out.>", cb=target.keep)
        await listener.flush()
        yield target
    finally:
        if target.paused:
            server.resume()
        await listener.close()


class TestNATS(TriggerContract):
    key = "nats"

    @pytest.fixture(autouse=True)
    def _server(self, nats_server: NatsServer) -> None:
        self.server = nats_server

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Subject]:
        async with subject(self.server) as target:
            yield target


async def fire(target: Subject, **block: Any) -> None:
    """Fire once."""
    async with TestNATS().running(target, {**target.block(), **block}) as running:
        await running.fire()


async def test_the_message_is_the_payload_with_the_id_of_the_action(
    nats_server: NatsServer,
) -> None:
    async with subject(nats_server) as target:
        await fire(target)
        message = await target.heard()

    assert (message.subject, message.data) == ("out.builds", b'{"n":"7"}')
    assert message.headers == {"Nats-Msg-Id": "action-1"}


async def test_parameters_reach_the_subject(nats_server: NatsServer) -> None:
    async with subject(nats_server) as target:
        await fire(target, parameters=[{**N, "dest": "subject", "operation": "append"}])

        assert (await target.heard()).subject == "out.builds7"


async def test_a_server_that_was_away_is_found_again(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        target = Subject(server)
        async with TestNATS().running(target, {**target.block(), "auth": None}) as running:
            await running.fire()
            await asyncio.to_thread(server.stop)
            with pytest.raises(TriggerError) as caught:
                await running.fire(action_id="action-2")
            await asyncio.to_thread(server.start)
            outcome = await running.fire(action_id="action-3")

    assert caught.value.retryable
    assert outcome.detail == "published on out.builds"


async def test_a_message_that_the_server_forbids_is_refused(tmp_path: Path) -> None:
    rights = (
        'authorization { users: [{user: worker, password: secret, permissions: {publish: "in.>"}}]}'
    )
    with NatsServer(tmp_path, rights) as server:
        async with subject(server) as target:
            with pytest.raises(TriggerError, match=r"(?i)permissions violation") as caught:
                await fire(target)

    assert not caught.value.retryable


async def test_a_refusal_is_heard_though_the_server_hangs_up_at_once(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        refusing_nats(monkeypatch) as url,
        pytest.raises(TriggerError, match="Authorization Violation") as caught,
    ):
        await fire(Subject(nats_server), url=url)

    assert not caught.value.retryable


async def test_a_subject_that_is_none_is_refused(nats_server: NatsServer) -> None:
    async with subject(nats_server) as target:
        with pytest.raises(TriggerError, match="failed to publish on 'a b'") as caught:
            await fire(target, subject="a b")

    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("accounts", "auth", "options"),
    [
        ("authorization { token: sesame }", "token", {"token": "sesame"}),
        (f"authorization {{ users: [{{nkey: {PUBLIC}}}] }}", "nkey", {"nkeys_seed_str": SEED}),
    ],
)
async def test_a_token_or_a_key_logs_in(
    tmp_path: Path, accounts: str, auth: str, options: dict[str, Any]
) -> None:
    secret = {"name": "nats", "key": "token" if auth == "token" else "seed"}
    with NatsServer(tmp_path, accounts) as server:
        listener = await nats.connect(server.url, **options)
        async with subject(server, listener) as target:
            await fire(target, auth={auth: secret})

            assert (await target.heard()).data == b'{"n":"7"}'


async def test_a_credentials_file_logs_in(tmp_path: Path) -> None:
    options, credentials = operator_login()
    file = tmp_path / "user.creds"
    file.write_text(credentials)
    with NatsServer(tmp_path / "server", options) as server:
        listener = await nats.connect(server.url, user_credentials=str(file))
        async with subject(server, listener) as target:
            target.secrets.values["nats/creds"] = credentials
            await fire(target, auth={"credential": {"name": "nats", "key": "creds"}})

            assert (await target.heard()).data == b'{"n":"7"}'


async def test_a_seed_that_is_none_is_refused(nats_server: NatsServer) -> None:
    async with subject(nats_server) as target:
        with pytest.raises(TriggerError, match=r"auth\.nkey holds no seed") as caught:
            await fire(target, auth={"nkey": {"name": "nats", "key": "wrong"}})

    assert not caught.value.retryable


async def test_tls_verifies_the_server(tmp_path: Path, server_certificate: Pair) -> None:
    options = (
        f'tls {{ cert_file: "{server_certificate.certificate}", '
        f'key_file: "{server_certificate.key}" }}'
    )
    with NatsServer(tmp_path, options) as server:
        target = Subject(server)
        target.secrets.values["ca/pem"] = server_certificate.certificate.read_text()
        tls = {"caCertSecret": {"name": "ca", "key": "pem"}}
        await fire(target, tls=tls, auth=None)
        with pytest.raises(TriggerError, match=r"(?i)certificate"):
            await fire(target, auth=None)


async def test_secrets_stay_here_when_tls_is_demanded_and_not_offered(
    nats_server: NatsServer,
) -> None:
    async with subject(nats_server) as target:
        with pytest.raises(TriggerError, match="does not offer TLS"):
            await fire(target, tls={"enabled": True})


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "nats server url can't be empty",
                "nats subject can't be empty",
                "payload can't be nil",
            ],
        ),
        ({"url": "n", "subject": "s", "payload": []}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("nats").check(Config.model_validate(block)) == problems
