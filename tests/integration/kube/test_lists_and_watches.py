"""Selecting, paging and watching."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientTimeout

from tests.integration.kube._contract import KubernetesContract, config_map, make
from tiphys.errors import Gone, KubernetesError
from tiphys.kube import CONFIG_MAPS, NAMESPACES, PODS, Client, name_of
from tiphys.kube._failures import Target

OURS = "mine"


async def make_all(client: Client, namespace: str, names: str) -> list[dict[str, Any]]:
    made = []
    for name in names:
        body = config_map(name, x=name)
        body["metadata"]["labels"] = {OURS: name, "odd": str(ord(name) % 2)}
        made.append(await client.create(CONFIG_MAPS, body, namespace))
    return made


async def relabel(client: Client, namespace: str, name: str, **labels: str) -> None:
    await client.patch(CONFIG_MAPS, name, {"metadata": {"labels": labels}}, namespace)


class TestSelection(KubernetesContract):
    @pytest.mark.parametrize(
        ("selector", "names"),
        [
            ("mine=a", "a"),
            ("mine==a", "a"),
            ("mine,mine!=a", "bcd"),
            ("mine in (a,b)", "ab"),
            ("mine,mine notin (a, b)", "cd"),
            ("mine,!odd", ""),
            ("mine,odd", "abcd"),
            ("odd=1,mine!=a", "c"),
            ("mine,odd>0", "ac"),
            ("mine,odd<1", "bd"),
        ],
    )
    async def test_labels_select(
        self, client: Client, namespace: str, selector: str, names: str
    ) -> None:
        await make_all(client, namespace, "abcd")

        found = await client.list(CONFIG_MAPS, namespace, labels=selector)

        assert [name_of(item) for item in found.items] == list(names)

    async def test_a_missing_label_is_not_equal(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        found = await client.list(CONFIG_MAPS, namespace, labels="mine!=a")

        assert "a" in [name_of(item) for item in found.items]

    @pytest.mark.parametrize("selector", ["mine in (a", "a b", "mine=a,", "=a", "mine=a b"])
    async def test_a_wrong_selector_is_refused(
        self, client: Client, namespace: str, selector: str
    ) -> None:
        with pytest.raises(KubernetesError, match="found '") as refused:
            await client.list(CONFIG_MAPS, namespace, labels=selector)

        assert refused.value.status == 400

    async def test_names_select(self, client: Client, namespace: str) -> None:
        await make_all(client, namespace, "ab")

        found = await client.list(CONFIG_MAPS, namespace, fields="metadata.name=b")
        others = await client.list(CONFIG_MAPS, namespace, labels=OURS, fields="metadata.name!=b")

        assert [name_of(item) for item in found.items] == ["b"]
        assert [name_of(item) for item in others.items] == ["a"]

    async def test_other_fields_do_not_select(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError) as refused:
            await client.list(CONFIG_MAPS, namespace, fields="data.x=1")
        assert (
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"'
        ) in refused.value.message

        with pytest.raises(KubernetesError, match=r"field label not supported: status\.colour"):
            await client.list(PODS, namespace, fields="status.colour=red")

    async def test_namespaces_are_lists_of_their_own(self, client: Client, namespace: str) -> None:
        other = await client.create(
            NAMESPACES,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "contract-"}},
        )
        await make_all(client, namespace, "a")
        await make_all(client, name_of(other), "b")

        one = await client.list(CONFIG_MAPS, namespace, labels=OURS)
        both = await client.list(CONFIG_MAPS, labels=OURS)

        assert [name_of(item) for item in one.items] == ["a"]
        places = {item["metadata"]["namespace"] for item in both.items}
        assert {namespace, name_of(other)} <= places
        await client.delete(NAMESPACES, name_of(other))


class TestPages(KubernetesContract):
    async def test_pages_show_one_moment(self, client: Client, namespace: str) -> None:
        await make_all(client, namespace, "abcde")
        pages = client.pages(CONFIG_MAPS, namespace, labels=OURS, size=2)

        first = await anext(pages)
        await client.delete(CONFIG_MAPS, "c", namespace)
        await make_all(client, namespace, "f")
        rest = [page async for page in pages]

        names = [[name_of(item) for item in page.items] for page in [first, *rest]]
        assert names == [["a", "b"], ["c", "d"], ["e"]]
        assert {page.resource_version for page in rest} == {first.resource_version}

    async def test_items_say_what_they_are(self, client: Client, namespace: str) -> None:
        await make_all(client, namespace, "a")

        (item,) = (await client.list(CONFIG_MAPS, namespace, labels=OURS)).items

        assert (item["apiVersion"], item["kind"]) == ("v1", "ConfigMap")

    async def test_a_page_tells_what_remains(self, client: Client, namespace: str) -> None:
        await make_all(client, namespace, "abcd")

        answer = await self.raw(client, namespace, limit="2")

        total = len((await client.list(CONFIG_MAPS, namespace)).items)
        assert answer["metadata"]["remainingItemCount"] == total - 2

    async def test_a_wrong_token_is_refused(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError, match="continue key is not valid") as refused:
            await self.raw(client, namespace, **{"limit": "1", "continue": "nonsense"})

        assert refused.value.status == 400

    async def test_the_past_can_be_listed(self, client: Client, namespace: str) -> None:
        first, *_ = await make_all(client, namespace, "abc")

        answer = await self.raw(
            client, namespace, labelSelector=OURS, resourceVersionMatch="Exact",
            resourceVersion=first["metadata"]["resourceVersion"],
        )  # fmt: skip

        assert [name_of(item) for item in answer["items"]] == ["a"]

    async def test_the_future_cannot_be_listed(self, client: Client, namespace: str) -> None:
        with pytest.raises(Gone, match="Too large resource version") as refused:
            await self.raw(client, namespace, resourceVersion="999999999999")

        assert refused.value.status == 504
        assert refused.value.retry_after == 1

    async def raw(self, client: Client, namespace: str, **query: str) -> dict[str, Any]:
        answer: dict[str, Any] = orjson.loads(
            await client._transport.read(
                "GET", CONFIG_MAPS.path(namespace), Target("list", CONFIG_MAPS, namespace),
                query=query,
            )
        )  # fmt: skip
        return answer


class Listener:
    """A raw watch: the events one after the other."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, dict[str, Any]]:
        event = orjson.loads(await anext(self._lines))
        return event["type"], event["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(kind, name_of(obj)) for kind, obj in events]


class TestWatches(KubernetesContract):
    @contextlib.asynccontextmanager
    async def listen(self, client: Client, namespace: str, **query: str) -> AsyncIterator[Listener]:
        query = {"watch": "true", "labelSelector": OURS, **query}
        target = Target("watch", CONFIG_MAPS, namespace)
        accept = {"Accept": "application/json"}
        timeout = ClientTimeout(total=20)
        async with client._transport.open(
            "GET", CONFIG_MAPS.path(namespace), target, query, accept, timeout=timeout
        ) as answer:
            yield Listener(answer.content.__aiter__())

    async def test_without_a_version_it_starts_with_what_there_is(
        self, client: Client, namespace: str
    ) -> None:
        await make_all(client, namespace, "ab")

        async with self.listen(client, namespace) as listener:
            assert await listener.names(2) == [("ADDED", "a"), ("ADDED", "b")]
            await make_all(client, namespace, "c")
            assert await listener.names(1) == [("ADDED", "c")]

    async def test_with_a_version_it_starts_after_it(self, client: Client, namespace: str) -> None:
        first, *_ = await make_all(client, namespace, "abc")
        version = first["metadata"]["resourceVersion"]

        async with self.listen(client, namespace, resourceVersion=version) as listener:
            assert await listener.names(2) == [("ADDED", "b"), ("ADDED", "c")]

    async def test_every_change_is_told(self, client: Client, namespace: str) -> None:
        (made,) = await make_all(client, namespace, "a")
        version = made["metadata"]["resourceVersion"]

        async with self.listen(client, namespace, resourceVersion=version) as listener:
            changed = await client.patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace)
            assert await listener.next() == ("MODIFIED", changed)

            await client.delete(CONFIG_MAPS, "a", namespace)
            kind, gone = await listener.next()

        assert kind == "DELETED"
        assert gone["data"] == {"x": "2"}
        last, before = (int(o["metadata"]["resourceVersion"]) for o in (gone, changed))
        assert last > before

    async def test_what_stops_matching_is_deleted_and_comes_back(
        self, client: Client, namespace: str
    ) -> None:
        (made,) = await make_all(client, namespace, "a")
        version = made["metadata"]["resourceVersion"]

        async with self.listen(
            client, namespace, resourceVersion=version, labelSelector="odd=1,mine"
        ) as listener:
            await relabel(client, namespace, "a", odd="0")
            kind, gone = await listener.next()
            assert (kind, gone["metadata"]["labels"]["odd"]) == ("DELETED", "1")

            await relabel(client, namespace, "a", odd="1")
            assert await listener.names(1) == [("ADDED", "a")]

    async def test_it_ends_when_it_was_told_to(self, client: Client, namespace: str) -> None:
        async with self.listen(client, namespace, timeoutSeconds="1") as listener:
            with pytest.raises(StopAsyncIteration):
                await listener.next()

    async def test_initial_events_end_with_a_bookmark(self, client: Client, namespace: str) -> None:
        await make_all(client, namespace, "ab")

        async with self.listen(
            client, namespace, sendInitialEvents="true", resourceVersionMatch="NotOlderThan",
            allowWatchBookmarks="true",
        ) as listener:  # fmt: skip
            assert await listener.names(2) == [("ADDED", "a"), ("ADDED", "b")]
            kind, bookmark = await listener.next()

        assert kind == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}

    async def test_initial_events_need_a_version_match(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(KubernetesError, match="sendInitialEvents requires setting"):
            async with self.listen(client, namespace, sendInitialEvents="true"):
                raise AssertionError("the watch was accepted")

    async def test_a_wrong_selector_is_refused(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError) as refused:
            async with self.listen(client, namespace, labelSelector="a b"):
                raise AssertionError("the watch was accepted")

        assert refused.value.status == 400


class TestClientWatches(KubernetesContract):
    async def test_objects_then_changes_are_told_with_what_was_before(
        self, client: Client, namespace: str
    ) -> None:
        await make_all(client, namespace, "ab")
        watch = client.watch(CONFIG_MAPS, namespace, labels=OURS)
        changes = watch.__aiter__()

        async with asyncio.timeout(20), contextlib.aclosing(changes):
            first = [await anext(changes), await anext(changes)]
            assert [(c.type, name_of(c.object)) for c in first] == [("ADDED", "a"), ("ADDED", "b")]
            following = asyncio.create_task(anext(changes))
            await watch.synced.wait()
            await client.patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace)
            changed = await following
            assert changed.type == "MODIFIED"
            assert changed.object["data"] == {"x": "2"}
            assert changed.old is not None
            assert changed.old["data"] == {"x": "a"}

            await client.delete(CONFIG_MAPS, "b", namespace)
            gone = await anext(changes)

        assert (gone.type, name_of(gone.object), gone.missed) == ("DELETED", "b", False)
        assert list(watch.objects) == [(namespace, "a")]
