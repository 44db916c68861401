"""Event Hubs triggers against a broker that speaks AMQP as Azure's does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests._ports import free_port
from tests.integration.triggers._azure import LARGE, TLS_HANDSHAKE, BrokerTarget, N, first_bytes
from tests.integration.triggers._providers.azure import KEY, KEY_NAME, Broker
from tiphys.errors import TriggerError
from tiphys.testing.triggers import TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.azure_event_hubs import Config

HOST = "127.13.0.1"  # ours alone


class Hub(BrokerTarget):
    """The hub ``events``."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.secrets.values |= {"hubs/name": KEY_NAME, "hubs/key": KEY}

    def block(self) -> dict[str, Any]:
        return {
            "fqdn": f"127.0.0.1:{self.broker.port}",
            "hubName": "events",
            "sharedAccessKeyName": {"name": "hubs", "key": "name"},
            "sharedAccessKey": {"name": "hubs", "key": "key"},
            "useDevelopmentEmulator": True,
            "payload": [{**N, "dest": "n"}],
        }

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "fqdn": f"127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "hubName": "no-such-hub"}


class TestAzureEventHubs(TriggerContract):
    key = "azureEventHubs"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Hub]:
        async with Broker().serving() as broker:
            yield Hub(broker)


async def test_the_event_is_the_payload_with_the_id_of_the_action() -> None:
    contract = TestAzureEventHubs()
    async with contract.target() as target, contract.running(target) as running:
        outcome = await running.fire()
        (message,) = await target.received()

    assert (message.entity, message.body, message.id) == ("events", b'{"n":"7"}', "action-1")
    assert not any(message.properties[1:])
    assert message.application_properties == {}
    assert outcome.detail == "sent to events"


async def test_parameters_reach_the_hub() -> None:
    contract = TestAzureEventHubs()
    async with contract.target() as target:
        target.broker.entities.add("events7")
        parameters = [{**N, "dest": "hubName", "operation": "append"}]
        async with contract.running(
            target, {**target.block(), "parameters": parameters}
        ) as running:
            await running.fire()

        assert [message.entity for message in await target.received()] == ["events7"]


async def test_a_connection_that_was_lost_is_made_anew() -> None:
    contract = TestAzureEventHubs()
    async with contract.target() as target, contract.running(target) as running:
        await running.fire()
        target.broker.drop()
        await running.fire(action_id="action-2")

        assert [message.id for message in await target.received()] == ["action-1", "action-2"]


async def test_actions_at_the_same_time_share_few_connections() -> None:
    contract = TestAzureEventHubs()
    async with contract.target() as target, contract.running(target) as running:
        await asyncio.gather(*(running.fire(action_id=f"action-{n}") for n in range(20)))

        assert {message.id for message in await target.received()} == {
            f"action-{n}" for n in range(20)
        }
        assert len(target.broker.connections) <= 4


async def test_it_goes_on_after_an_action_was_cancelled() -> None:
    contract = TestAzureEventHubs()
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
    contract = TestAzureEventHubs()
    async with contract.target() as target, contract.running(target) as running:
        target.broker.key = "another-key"
        with pytest.raises(TriggerError, match="failed to send an event to the hub") as caught:
            await running.fire()
        target.secrets.values["hubs/key"] = "another-key"
        await running.fire()

        assert len(await target.received()) == 1
    assert not caught.value.retryable


async def test_an_event_that_is_too_large_is_refused() -> None:
    contract = TestAzureEventHubs()
    async with contract.target() as target:
        async with contract.running(target, {**target.block(), "payload": LARGE}) as running:
            with pytest.raises(TriggerError) as caught:
                await running.fire()

        assert await target.received() == []
    assert not caught.value.retryable


async def test_nothing_is_said_in_plain_text_unless_to_an_emulator() -> None:
    contract, target = TestAzureEventHubs(), Hub(Broker())
    async with first_bytes(HOST) as heard:
        block = {**target.block(), "fqdn": HOST, "useDevelopmentEmulator": False}
        async with contract.running(target, block) as running:
            with pytest.raises(TriggerError):
                await running.fire()

        assert (await heard).startswith(TLS_HANDSHAKE)


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "fqdn is not specified",
                "hubName is not specified",
                "sharedAccessKeyName is not specified",
                "sharedAccessKey is not specified",
                "payload parameters are not specified",
            ],
        ),
        (Hub(Broker()).block(), []),
    ],
)
def test_lint_finds_what_is_missing(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("azureEventHubs").check(Config.model_validate(block)) == problems
