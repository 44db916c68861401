"""OpenWhisk triggers against its REST API as it is documented."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from tests._ports import free_port
from tests.integration.triggers._providers.open_whisk import KEY, Invocation, OpenWhiskAPI
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import Outcome, triggers
from tiphys.triggers.open_whisk import Config, _url

N = {"src": {"dependencyName": "dep", "dataKey": "n", "useRawData": True}}


class Host(Target):
    """An API host."""

    def __init__(self) -> None:
        super().__init__()
        self.api = OpenWhiskAPI()
        self.port = free_port()
        self.secrets.values |= {"wsk/key": KEY + "\n", "wsk/wrong": "somebody:else"}

    def block(self) -> dict[str, Any]:
        return {
            "host": f"http://127.0.0.1:{self.port}",
            "authToken": {"name": "wsk", "key": "key"},
            "actionName": "double",
            "payload": [{**N, "dest": "n"}],
        }

    async def received(self) -> Sequence[Any]:
        return self.api.invocations

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "host": f"http://127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "authToken": {"name": "wsk", "key": "wrong"}}

    async def stall(self) -> None:
        self.api.flowing.clear()


class TestOpenWhisk(TriggerContract):
    key = "openWhisk"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Host]:
        host = Host()
        runner = web.AppRunner(host.api.application(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", host.port).start()
        try:
            yield host
        finally:
            host.api.flowing.set()
            await runner.cleanup()


async def invoked(**block: Any) -> tuple[Outcome, list[Invocation]]:
    """The outcome of one firing, and what the host got."""
    contract = TestOpenWhisk()
    async with (
        contract.target() as host,
        contract.running(host, {**host.block(), **block}) as running,
    ):
        return await running.fire(), host.api.invocations


async def test_the_action_gets_the_payload_and_its_result_is_the_outcome() -> None:
    outcome, invocations = await invoked()

    assert invocations == [Invocation("_", "double", {"n": 7})]
    assert (outcome.status, outcome.detail) == (200, '{"doubled": 14}')


async def test_parameters_choose_the_action_and_namespaces_and_packages_are_kept() -> None:
    value = {"src": {"dependencyName": "dep", "value": "tools/double"}, "dest": "actionName"}
    _, invocations = await invoked(namespace="guest", parameters=[value])

    assert invocations == [Invocation("guest", "tools/double", {"n": 7})]


async def test_an_empty_payload_is_an_empty_object() -> None:
    with pytest.raises(TriggerError, match="failed to invoke action broken, status 502"):
        await invoked(actionName="broken", payload=[])


@pytest.mark.parametrize(
    ("action", "message", "retryable"),
    [
        ("broken", "failed to invoke action broken, status 502: .*division by zero", True),
        ("slow", "failed to invoke action slow, it did not end in time", True),
        ("gone", "failed to invoke action gone, status 404", False),
    ],
)
async def test_an_action_that_did_not_succeed_fails(
    action: str, message: str, retryable: bool
) -> None:
    with pytest.raises(TriggerError, match=message) as caught:
        await invoked(actionName=action)

    assert caught.value.retryable is retryable


async def test_a_key_that_is_missing_sends_nothing() -> None:
    with pytest.raises(TriggerError, match="failed to retrieve the auth token"):
        await invoked(authToken={"name": "gone", "key": "x"})


def test_the_host_is_reached_over_https_unless_it_says_otherwise() -> None:
    config = Config(host="wsk.example.com/", action_name="a b", version="v2", namespace="")

    assert str(_url(config)) == (
        "https://wsk.example.com/api/v2/namespaces/_/actions/a%20b?blocking=true&result=true"
    )


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {"authToken": {"name": "", "key": "k"}},
            [
                "action name is not specified",
                "host URL is not specified",
                "auth token key and name must be specified",
                "payload parameters are not specified",
            ],
        ),
        ({"actionName": "a", "host": "h", "payload": []}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("openWhisk").check(Config.model_validate(block)) == problems
