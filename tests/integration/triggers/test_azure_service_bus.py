"""Service Bus triggers against a broker that speaks AMQP as Azure's does."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration.triggers._azure import (
    LARGE,
    SECURE,
    TLS_HANDSHAKE,
    BrokerTarget,
    N,
    first_bytes,
)
from tests.integration.triggers._providers.azure import KEY, KEY_NAME, Broker
from tiphys.errors import TriggerError
from tiphys.testing.triggers import TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.azure_service_bus import Config

HOST = "127.13.0.2"  # ours alone


def connection_string(host: str, key: str = KEY, ending: str = "") -> str:
    """What Azure's portal shows; *ending* is added to it."""
    login = f"SharedAccessKeyName={KEY_NAME};SharedAccessKey={key}"
    return f"Endpoint=sb://{host}/;{login};{ending}\n"


class Queue(BrokerTarget):
    """The queue ``builds``."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        emulated = "UseDevelopmentEmulator=true;"
        self.secrets.values |= {
            "bus/connection": connection_string(f"127.0.0.1:{broker.port}", ending=emulated),
            "bus/nowhere": connection_string(f"127.0.0.1:{free_port()}", ending=emulated),
            "bus/secure": connection_string(HOST),
            "bus/broken": "Endpoint=sb://127.0.0.1",
        }

    def block(self) -> dict[str, Any]:
        return {
            "connectionString": {"name": "bus", "key": "connection"},
            "queueName": "builds",
            "payload": [{**N, "dest": "n"}],
        }

    def connecting(self, key: str) -> dict[str, Any]:
        """A block with another connection string."""
        return {**self.block(), "connectionString": {"name": "bus", "key": key}}

    def unreachable(self) -> dict[str, Any]:
        return self.connecting("nowhere")

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "queueName": "no-such-queue"}


class TestAzureServiceBus(TriggerContract):
    key = "azureServiceBus"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Queue]:
        async with Broker().serving() as broker:
            yield Queue(broker)


async def test_the_message_is_the_payload_with_the_id_of_the_action() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target, contract.running(target) as running:
        outcome = await running.fire()
        (message,) = await target.received()

    assert (message.entity, message.body, message.id) == ("builds", b'{"n":"7"}', "action-1")
    assert not any(message.properties[1:])
    assert message.application_properties == {}
    assert outcome.detail == "sent to builds"


@pytest.mark.parametrize(
    ("block", "entity"),
    [
        ({"queueName": "", "topicName": "events"}, "events"),
        ({"queueName": "builds", "topicName": "events", "subscriptionName": "all"}, "builds"),
    ],
)
async def test_a_queue_wins_over_a_topic(block: dict[str, Any], entity: str) -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target:
        async with contract.running(target, {**target.block(), **block}) as running:
            await running.fire()

        assert [message.entity for message in await target.received()] == [entity]


async def test_parameters_reach_the_queue() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target:
        target.broker.entities.add("builds7")
        parameters = [{**N, "dest": "queueName", "operation": "append"}]
        async with contract.running(
            target, {**target.block(), "parameters": parameters}
        ) as running:
            await running.fire()

        assert [message.entity for message in await target.received()] == ["builds7"]


async def test_a_connection_that_was_lost_is_made_anew() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target, contract.running(target) as running:
        await running.fire()
        target.broker.drop()
        await running.fire(action_id="action-2")

        assert [message.id for message in await target.received()] == ["action-1", "action-2"]


async def test_actions_at_the_same_time_share_few_connections() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target, contract.running(target) as running:
        await asyncio.gather(*(running.fire(action_id=f"action-{n}") for n in range(20)))

        assert {message.id for message in await target.received()} == {
            f"action-{n}" for n in range(20)
        }
        assert len(target.broker.connections) <= 4


async def test_it_goes_on_after_an_action_was_cancelled() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target, contract.running(target) as running:
        await running.fire()
        await target.stall()
        cancelled = asyncio.create_task(running.fire(action_id="action-2"))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        target.broker.flowing.set()
        await running.fire(action_id="action-3")

        assert (await target.received())[-1].id == "action-3"


async def test_a_wrong_key_is_refused_and_a_rotated_one_is_used() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target, contract.running(target) as running:
        target.broker.key = "another-key"
        with pytest.raises(TriggerError, match="failed to send a message to the service") as caught:
            await running.fire()
        text = target.secrets.values["bus/connection"]
        target.secrets.values["bus/connection"] = text.replace(KEY, "another-key")
        await running.fire()

        assert len(await target.received()) == 1
    assert not caught.value.retryable


async def test_a_message_that_is_too_large_is_refused() -> None:
    contract = TestAzureServiceBus()
    async with contract.target() as target:
        async with contract.running(target, {**target.block(), "payload": LARGE}) as running:
            with pytest.raises(TriggerError) as caught:
                await running.fire()

        assert await target.received() == []
    assert not caught.value.retryable


async def test_a_connection_string_that_is_none_is_refused() -> None:
    contract, target = TestAzureServiceBus(), Queue(Broker())
    async with contract.running(target, target.connecting("broken")) as running:
        with pytest.raises(TriggerError, match="SharedAccessKey") as caught:
            await running.fire()

    assert not caught.value.retryable


async def test_nothing_is_said_in_plain_text_unless_to_an_emulator() -> None:
    contract, target = TestAzureServiceBus(), Queue(Broker())
    async with first_bytes(HOST) as heard:
        async with contract.running(target, target.connecting("secure")) as running:
            with pytest.raises(TriggerError):
                await running.fire()

        assert (await heard).startswith(TLS_HANDSHAKE)


def certificate(directory: Path) -> Pair:
    """A certificate for the host of these tests."""
    pair = Pair(directory / "bus.crt", directory / "bus.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bus"]
    command += ["-addext", f"subjectAltName=IP:{HOST}"]
    command += ["-out", str(pair.certificate), "-keyout", str(pair.key)]
    subprocess.run(command, check=True, capture_output=True)
    return pair


async def test_tls_verifies_the_service(tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    contract = TestAzureServiceBus()
    async with Broker(HOST, SECURE, context).serving() as broker:
        target = Queue(broker)
        target.secrets.values["ca/pem"] = pair.certificate.read_text()
        block = target.connecting("secure")
        tls = {"caCertSecret": {"name": "ca", "key": "pem"}}
        async with contract.running(target, {**block, "tls": tls}) as running:
            await running.fire()
        async with contract.running(target, block) as running:
            with pytest.raises(TriggerError, match=r"(?i)certificate"):
                await running.fire(action_id="action-2")

    assert [message.id for message in broker.messages] == ["action-1"]


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "connectionString is not specified",
                "neither queue name nor topic name is specified",
                "payload parameters are not specified",
            ],
        ),
        (Queue(Broker()).block(), []),
        ({**Queue(Broker()).block(), "queueName": "", "topicName": "t"}, []),
    ],
)
def test_lint_finds_what_is_missing(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("azureServiceBus").check(Config.model_validate(block)) == problems
