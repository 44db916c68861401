"""The client comes back after connections that broke, whatever the server is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.integration.kube._contract import KubernetesContract, service_account
from tests.integration.kube._follower import change, following, secret
from tests.integration.kube._wire import Wire
from tiphys.errors import ClusterUnavailable, Forbidden
from tiphys.kube import CONFIG_MAPS, SECRETS, Client, Cluster
from tiphys.testing.kubernetes import APIServer


class TestInterruptions(KubernetesContract):
    @pytest.fixture
    async def wire(self, cluster: Cluster) -> AsyncIterator[Wire]:
        async with Wire(cluster) as wire:
            yield wire

    @pytest.fixture
    async def far(self, wire: Wire) -> AsyncIterator[Client]:
        """A client on the other side of the wire."""
        async with Client(wire.cluster) as client:
            yield client

    async def test_a_cut_watch_goes_on_where_it_was(
        self, server: APIServer | None, client: Client, namespace: str, wire: Wire, far: Client
    ) -> None:
        await secret(client, "a", namespace)
        async with following(far, namespace) as follower:
            assert await follower.next() == ("ADDED", "a")

            wire.cut()
            await secret(client, "b", namespace)
            await change(client, "a", namespace, x="1")
            await change(client, "a", namespace, x="2")

            told = [await follower.next() for _ in range(3)]
            assert told == [("ADDED", "b"), ("MODIFIED", "a"), ("MODIFIED", "a")]
            assert follower.waiting == 0
        if server is not None:
            assert len([path for _, path in server.requests if "limit=" in path]) == 1

    async def test_a_restarted_server_is_found_again(
        self, client: Client, namespace: str, wire: Wire, far: Client
    ) -> None:
        await secret(client, "a", namespace)
        async with following(far, namespace) as follower:
            assert await follower.next() == ("ADDED", "a")

            await wire.close()
            await follower.lost()
            await secret(client, "b", namespace)
            await wire.start()

            assert await follower.next() == ("ADDED", "b")

    async def test_a_watch_of_a_silent_server_is_given_up_and_made_again(
        self,
        server: APIServer | None,
        client: Client,
        namespace: str,
        wire: Wire,
        far: Client,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("tiphys.kube._watch.SILENT", 0.1)
        async with following(far, namespace) as follower:
            await asyncio.sleep(0.5)
            assert follower.watch.connected  # nothing came, but the server answers
            if server is not None:
                watches = [path for _, path in server.requests if "watch=true" in path]
                assert len(watches) == 1

            monkeypatch.setattr("tiphys.kube._watch.ANSWER", 0.1)
            wire.pause()
            await follower.lost()
            wire.resume()
            monkeypatch.undo()
            await secret(client, "a", namespace)

            assert await follower.next() == ("ADDED", "a")

    async def test_no_answer_is_an_error_of_its_own(self, wire: Wire, far: Client) -> None:
        await wire.close()

        with pytest.raises(
            ClusterUnavailable, match="cannot get configmaps a in namespace default"
        ):
            await far.get(CONFIG_MAPS, "a")

    async def test_what_may_not_be_watched_is_said_at_once(
        self, client: Client, namespace: str
    ) -> None:
        async with service_account(client, namespace, "bob") as bob:
            with pytest.raises(Forbidden, match='bob" cannot list resource "secrets"'):
                async for _ in bob.watch(SECRETS, namespace):
                    raise AssertionError("something was told")
