"""The sns source: for whom it acts at AWS, and how long a client of AWS lives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests._ports import free_port
from tests.integration.sources._hooks import silence, until
from tests.integration.sources._providers import sts
from tests.integration.sources._providers.ministack import ACCESS, SECRET
from tests.integration.sources._sns import KEYS, TOPIC, sns
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Endpoint


async def test_a_role_is_assumed_with_the_credentials_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role = "arn:aws:iam::000000000000:role/events"
    async with sts.RoleServer() as server:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        options = {"roleARN": role, "accessKey": KEYS["accessKey"], "endpoint": server.url}
        async with sns.running(options=options, url="https://events.example.com"):
            await until(lambda: len(server.calls) == 2)

    (assumed, ours, _), (subscribed, theirs, token) = server.calls
    assert (assumed["Action"], assumed["RoleArn"], ours) == ("AssumeRole", role, ACCESS)
    assert (theirs, token) == (sts.ACCESS, sts.TOKEN)
    assert subscribed["TopicArn"] == TOPIC
    assert subscribed["Protocol"] == "https"
    assert subscribed["Endpoint"] == f"https://events.example.com{ENDPOINT}"


@asynccontextmanager
async def with_a_role(
    server: sts.RoleServer, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Endpoint]:
    """Run the source with a role that the server knows."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    options = {"roleARN": "arn:aws:iam::000000000000:role/events", "endpoint": server.url}
    url = "https://events.example.com"
    async with sns.running(options=options, url=url, clock=clock) as endpoint:
        yield endpoint


async def test_the_client_is_made_once_while_its_credentials_are_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = VirtualClock()
    async with sts.RoleServer() as server, with_a_role(server, clock, monkeypatch):
        await until(lambda: len(server.calls) >= 5, clock, 5)

    actions = [form["Action"] for form, _, _ in server.calls]
    assert (actions[0], set(actions[1:])) == ("AssumeRole", {"Subscribe"})


async def test_a_role_is_assumed_again_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    soon = (clock.now() + timedelta(minutes=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with sts.RoleServer(soon) as server, with_a_role(server, clock, monkeypatch):
        await until(lambda: len(server.calls) >= 2, clock, 5)
        server.expiration = "2040-01-01T00:00:00Z"
        await until(lambda: len(server.calls) >= 10, clock, 5)

    actions = [form["Action"] for form, _, _ in server.calls]
    assert actions.count("AssumeRole") == 2
    assert actions[-1] == "Subscribe"


async def test_another_access_key_counts_from_the_next_call_on() -> None:
    clock = VirtualClock()
    async with sts.RoleServer() as server:
        options = {"endpoint": server.url, **KEYS}
        url = "https://events.example.com"
        async with sns.running(options=options, url=url, clock=clock) as endpoint:
            await until(lambda: len(server.calls) >= 1)
            endpoint.secrets["aws/access"] = "AKIAI44QH8DHBEXAMPLE"
            await until(lambda: len(server.calls) >= 2, clock, 5)

    assert [key for _, key, _ in server.calls] == [ACCESS, "AKIAI44QH8DHBEXAMPLE"]


async def test_aws_that_never_answers_does_not_keep_it_from_stopping() -> None:
    port = free_port()
    options = {"endpoint": f"http://127.0.0.1:{port}", **KEYS}
    async with (
        silence(port) as connected,
        sns.running(options=options, url="https://events.example.com") as endpoint,
    ):
        await connected.wait()
        assert (await endpoint.send(sns.request(1))).status == 200
