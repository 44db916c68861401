"""The client comes back after forgotten history, refusals and cut connections of the double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.kube._contract import config_map, make
from tests.integration.kube._follower import change, following, secret
from tiphys.errors import Forbidden, Gone, KubernetesError
from tiphys.kube import CONFIG_MAPS, SECRETS, Client, Cluster, name_of
from tiphys.kube._credentials import FixedCredentials
from tiphys.testing.kubernetes import APIServer


@pytest.fixture
async def server() -> AsyncIterator[APIServer]:
    async with APIServer() as server:
        yield server


@pytest.fixture
async def client(server: APIServer) -> AsyncIterator[Client]:
    async with server.client() as client:
        yield client


async def test_forgotten_history_is_told_as_the_difference(
    server: APIServer, client: Client
) -> None:
    for name in "abc":
        await secret(client, name)
    async with following(client) as follower:
        assert [await follower.next() for _ in range(3)] == [("ADDED", name) for name in "abc"]

        server.deny("watch", "secrets")
        server.disconnect()
        await change(client, "a", x="1")
        await client.delete(SECRETS, "b")
        await client.delete(SECRETS, "c")
        again = await secret(client, "c")
        await secret(client, "d")
        server.compact()
        server.allow()

        told = [await follower.change() for _ in range(5)]

    assert [(c.type, name_of(c.object), c.missed) for c in told] == [
        ("DELETED", "b", True),
        ("DELETED", "c", True),
        ("MODIFIED", "a", False),
        ("ADDED", "c", False),
        ("ADDED", "d", False),
    ]
    assert told[1].object["metadata"]["uid"] != again["metadata"]["uid"]
    assert told[2].old is not None
    assert "data" not in told[2].old


async def test_bookmarks_keep_a_quiet_watch_young(server: APIServer, client: Client) -> None:
    server.bookmark_pause = 0.01
    async with following(client) as follower:
        before = follower.watch.version
        await make(client, "default", "unseen")
        async with asyncio.timeout(20):
            while follower.watch.version == before:
                await asyncio.sleep(0.01)

        server.compact()
        server.disconnect()
        await secret(client, "a")

        assert await follower.next() == ("ADDED", "a")
    assert len([path for _, path in server.requests if "limit=" in path]) == 1


async def test_a_refusal_that_comes_later_is_waited_out(server: APIServer, client: Client) -> None:
    await secret(client, "a")
    async with following(client) as follower:
        assert await follower.next() == ("ADDED", "a")

        server.deny("watch", "secrets")
        server.disconnect()
        await follower.lost()
        await secret(client, "b")
        server.allow()

        assert await follower.next() == ("ADDED", "b")


async def test_a_slow_reader_of_pages_is_told(server: APIServer, client: Client) -> None:
    for name in "abc":
        await make(client, "default", name)
    pages = client.pages(CONFIG_MAPS, "default", size=1)
    await anext(pages)
    await make(client, "default", "d")
    server.compact()

    with pytest.raises(Gone, match="The provided continue parameter is too old"):
        await anext(pages)


async def test_a_list_that_takes_too_long_is_read_at_once(server: APIServer) -> None:
    class Slow(Client):
        """Reads page after page while the server forgets."""

        async def pages(self, *arguments: Any, size: int = 1, **options: Any) -> Any:
            async for page in super().pages(*arguments, size=size, **options):
                yield page
                await make(self, "default", "later-")
                server.compact()

    async with Slow(server.cluster()) as client:
        for name in "abc":
            await secret(client, name)

        found = await client.snapshot(SECRETS, "default", "", "")

    assert [name_of(item) for item in found.items] == ["a", "b", "c"]
    assert len([path for _, path in server.requests if "continue=" in path]) == 1


async def test_a_revoked_token_is_refused(server: APIServer) -> None:
    token = server.token("bob")
    cluster = Cluster(server.url, FixedCredentials.token(token))
    server.revoke(token)

    async with Client(cluster) as bob:
        with pytest.raises(KubernetesError) as refused:
            await bob.get(CONFIG_MAPS, "a")

    assert refused.value.status == 401


async def test_an_admission_is_no_missing_role(server: APIServer, client: Client) -> None:
    server.deny("create", "configmaps", "exceeded quota: compute")

    with pytest.raises(Forbidden, match="exceeded quota: compute") as refused:
        await client.create(CONFIG_MAPS, config_map("a"))

    assert "rules:" not in refused.value.message
