"""The resource source, against the double of a Kubernetes API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._cluster import (
    ClusterSourceContract,
    ConfigMaps,
    cluster,
    permit,
    told,
    trouble_of,
)
from tests.integration.sources._cluster import kubeconfig as kubeconfig
from tests.integration.sources._events import running
from tiphys.errors import BusUnavailable
from tiphys.kube import CONFIG_MAPS, NAMESPACES, Patch
from tiphys.testing.sources import QUIET, make_source, started_bus


class TestResource(ClusterSourceContract):
    key = "resource"

    @pytest.fixture(autouse=True)
    def _cluster(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @asynccontextmanager
    async def service(self) -> AsyncIterator[ConfigMaps]:
        async with cluster(ConfigMaps, self.kubeconfig, filter={"prefix": "n-"}) as service:
            yield service


async def run_until(service: ConfigMaps, count: int) -> list[dict[str, Any]]:
    """What one run tells, which ends when there were *count* events and no more."""
    bus = await started_bus()
    async with running("resource", service, bus):
        await service.until(lambda: len(told(bus)) >= count)
        await service.wait(QUIET)
    assert len(told(bus)) == count
    return told(bus)


def brief(data: dict[str, Any]) -> str:
    """``UPDATE a 1>2``: what happened to what, and the value of ``n`` before and after."""

    def n(body: dict[str, Any] | None) -> str:
        return "" if body is None else (body.get("data") or {}).get("n", "")

    body = data["body"]
    if "Obj" in body:
        return f"{data['type']} missed {body['Key']} {n(body['Obj'])}".strip()
    before = f"{n(data['oldBody'])}>" if data["oldBody"] else ""
    return f"{data['type']} {body['metadata']['name']} {before}{n(body)}".strip()


async def test_the_payload_and_the_id_of_each_type(kubeconfig: Path) -> None:
    bus = await started_bus()
    async with (
        cluster(ConfigMaps, kubeconfig, metadata={"team": "a"}) as service,
        running("resource", service, bus),
    ):
        made = await service.make("a", {"n": "1"})
        changed = await service.patch("a", {"data": {"n": "2"}})
        await service.delete("a")
        await service.until(lambda: len(told(bus)) == 3)
    add, update, delete = told(bus)
    ids = [event.id for event in bus.published][-3:]
    uid = made["metadata"]["uid"]

    rest = {"group": "", "version": "v1", "resource": "configmaps", "metadata": {"team": "a"}}
    assert add == {"type": "ADD", "body": made, "oldBody": None, **rest}
    assert update == {"type": "UPDATE", "body": changed, "oldBody": made, **rest}
    assert "managedFields" in update["body"]["metadata"]
    assert (delete["type"], delete["oldBody"]) == ("DELETE", None)
    assert delete["body"]["data"] == {"n": "2"}
    assert ids == [
        f"es:ev:{uid}:{made['metadata']['resourceVersion']}",
        f"es:ev:{uid}:{changed['metadata']['resourceVersion']}",
        f"es:ev:{uid}:{changed['metadata']['resourceVersion']}:DELETE",
    ]


async def test_what_is_there_at_the_first_start_is_added(kubeconfig: Path) -> None:
    async with cluster(ConfigMaps, kubeconfig) as service:
        await service.make("a", {"n": "1"})

        assert [brief(data) for data in await run_until(service, 1)] == ["ADD a 1"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_a_restart_tells_what_happened_meanwhile_and_nothing_twice(
    kubeconfig: Path, forgotten: bool
) -> None:
    """Whether or not the server still has the history."""
    async with cluster(ConfigMaps, kubeconfig) as service:
        for name in ("changed", "deleted", "same"):
            await service.make(name, {"n": "1"})
        await run_until(service, 3)
        await service.patch("changed", {"data": {"n": "2"}})
        await service.delete("deleted")
        await service.make("new", {"n": "1"})
        if forgotten:
            service.server.compact()
        meanwhile = [brief(data) for data in await run_until(service, 3)]

        gone = "DELETE missed default/deleted 1" if forgotten else "DELETE deleted 1"
        assert sorted(meanwhile) == sorted(["UPDATE changed 1>2", gone, "ADD new 1"])
        assert await run_until(service, 0) == []


async def test_of_many_objects_only_the_outlines_are_remembered(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.sources.resource.WHOLE", 2)
    fields = [{"key": "data.n", "value": "1"}]
    async with cluster(ConfigMaps, kubeconfig, filter={"fields": fields}) as service:
        for name, n in {"changed": "1", "deleted": "1", "other": "2"}.items():
            await service.make(name, {"n": n})
        await run_until(service, 2)
        await service.patch("changed", {"data": {"n": "11"}})
        await service.delete("deleted")
        await service.delete("other")
        service.server.compact()
        deleted, changed = await run_until(service, 2)

    assert deleted["body"]["Key"] == "default/deleted"
    assert deleted["body"]["Obj"].keys() == {"apiVersion", "kind", "metadata"}
    assert brief(changed) == "UPDATE changed 11"


async def test_too_many_objects_to_remember_are_told_of_again_with_the_same_ids(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.sources._shared.known_objects.LARGEST", 100)
    bus = await started_bus()
    with capture_logs() as logs:
        async with cluster(ConfigMaps, kubeconfig) as service:
            await service.make("a", {"n": "1"})
            async with running("resource", service, bus):
                await service.until(lambda: len(told(bus)) == 1)
            async with running("resource", service, bus):
                await service.make("b")
                await service.until(lambda: len(told(bus)) == 2)
            again = await run_until(service, 2)

    assert [brief(data) for data in told(bus)] == ["ADD a 1", "ADD b"]
    assert [brief(data) for data in again] == ["ADD a 1", "ADD b"]
    assert any("too many objects" in line["event"] for line in logs)


async def test_a_run_that_could_not_save_repeats_itself_with_the_same_ids(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(key: str, value: bytes) -> None:
        raise BusUnavailable("the bus is away")

    bus = await started_bus()
    async with cluster(ConfigMaps, kubeconfig) as service:
        monkeypatch.setattr(service.store, "put", refuse)
        await service.make("a", {"n": "1"})
        for _ in range(2):
            async with running("resource", service, bus) as pull:  # one more is in every namespace
                await service.until(lambda pull=pull: pull.status.sent == 2)

    assert [brief(data) for data in told(bus)] == ["ADD a 1"]


async def test_the_record_of_another_resource_counts_for_nothing(kubeconfig: Path) -> None:
    async with cluster(ConfigMaps, kubeconfig, namespace="") as service:
        await service.make("a", {"n": "1"})
        await run_until(service, 1)
        service.options["namespace"] = "default"

        assert [brief(data) for data in await run_until(service, 1)] == ["ADD a 1"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_a_watch_that_breaks_goes_on_without_gaps(kubeconfig: Path, forgotten: bool) -> None:
    bus = await started_bus()
    async with (
        cluster(ConfigMaps, kubeconfig) as service,
        running("resource", service, bus) as pull,
    ):
        await service.make("a", {"n": "1"})
        await service.until(lambda: len(told(bus)) == 1)
        service.server.disconnect()
        await service.patch("a", {"data": {"n": "2"}})
        await service.patch("a", {"data": {"n": "3"}})
        if forgotten:
            service.server.compact()
        expected = ["UPDATE a 1>3"] if forgotten else ["UPDATE a 1>2", "UPDATE a 2>3"]
        await service.until(lambda: len(told(bus)) == 1 + len(expected))
        await service.wait(QUIET)

        assert [brief(data) for data in told(bus)][1:] == expected
        assert pull.status.error is None


async def test_a_server_that_was_restarted_is_followed_again(kubeconfig: Path) -> None:
    bus = await started_bus()
    async with (
        cluster(ConfigMaps, kubeconfig) as service,
        running("resource", service, bus) as pull,
    ):
        await service.make("a", {"n": "1"})
        await service.until(lambda: len(told(bus)) == 1)
        await service.server.close()
        await service.until(lambda: "cannot be reached" in (pull.status.error or ""))
        assert not pull.status.ready
        await service.server.start()
        await service.patch("a", {"data": {"n": "2"}})
        await service.until(lambda: len(told(bus)) == 2)
        await service.wait(QUIET)

        assert [brief(data) for data in told(bus)] == ["ADD a 1", "UPDATE a 1>2"]


@pytest.mark.parametrize(("permitted", "missing"), [("get", "list"), ("list", "watch")])
async def test_what_is_forbidden_shows_the_role_that_would_allow_it(
    kubeconfig: Path, permitted: str, missing: str
) -> None:
    async with cluster(ConfigMaps, kubeconfig, user="bob") as service:
        await permit(service, "bob", permitted)
        text = await trouble_of("resource", service, "kind: Role\n")

    assert f'resources: ["configmaps"]\n  verbs: ["{missing}"]' in text


async def test_no_cluster_at_all_is_reported(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig.with_name("nothing")))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    async with cluster(ConfigMaps, kubeconfig) as service:
        text = await trouble_of("resource", service)

    assert text.startswith("no Kubernetes cluster is configured; tried ")


async def test_a_resource_that_is_not_there_is_named_with_the_nearest(kubeconfig: Path) -> None:
    async with cluster(ConfigMaps, kubeconfig, resource="configmap") as service:
        text = await trouble_of("resource", service)

    assert text == "the cluster has no resource 'configmap' in v1; did you mean 'configmaps'?"


async def test_types_that_are_not_asked_for_are_no_events(kubeconfig: Path) -> None:
    bus = await started_bus()
    async with (
        cluster(ConfigMaps, kubeconfig, eventTypes=["UPDATE"]) as service,
        running("resource", service, bus),
    ):
        await service.make("a", {"n": "1"})
        await service.patch("a", {"data": {"n": "2"}})
        await service.delete("a")
        await service.make("b", {"n": "1"})
        await service.patch("b", {"data": {"n": "2"}})
        await service.until(lambda: len(told(bus)) == 2)

    assert [brief(data) for data in told(bus)] == ["UPDATE a 1>2", "UPDATE b 1>2"]


async def test_no_types_at_all_give_no_events(kubeconfig: Path) -> None:
    async with cluster(ConfigMaps, kubeconfig, eventTypes=[]) as service:
        await service.make("a")

        assert await run_until(service, 0) == []


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([{"key": "data.n", "value": "1"}], ["one", "ten"]),
        ([{"key": "data.n", "operation": "==", "value": "^1$"}], ["one"]),
        ([{"key": "data.n", "operation": "=", "value": "^1$"}], ["one"]),
        ([{"key": "data.n", "operation": "!=", "value": "^1$"}], ["ten"]),
        ([{"key": "data.missing", "operation": "!=", "value": "x"}], []),
        ([{"key": r"metadata.annotations.example\.com/x", "value": "y"}], ["ten"]),
        ([{"key": "data", "value": "n"}], []),
        ([{"key": "metadata.labels", "value": "^$"}], ["one"]),
        (
            [{"key": "data.n", "value": "1"}, {"key": "metadata.name", "value": "t"}],
            ["ten"],
        ),
    ],
)
async def test_fields_are_matched_with_equality_by_default(
    kubeconfig: Path, selectors: list[dict[str, str]], names: list[str]
) -> None:
    """Without `operation` Argo Events drops every event."""
    async with cluster(ConfigMaps, kubeconfig, filter={"fields": selectors}) as service:
        await service.make("one", {"n": "1"}, labels={"a": "b"})
        await service.make("ten", {"n": "10"}, annotations={"example.com/x": "y"})
        await service.make("none")

        events = await run_until(service, len(names))

    assert [data["body"]["metadata"]["name"] for data in events] == names


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"value": "1"}, ["one"]),
        ({"operation": "==", "value": "1"}, ["one"]),
        ({"operation": "!=", "value": "1"}, ["none", "two"]),
        ({"operation": "in", "value": "1,2"}, ["one", "two"]),
        ({"operation": "notin", "value": "1,3"}, ["none", "two"]),
        ({"operation": "exists"}, ["one", "two"]),
        ({"operation": "!"}, ["none"]),
        ({"operation": "gt", "value": "1"}, ["two"]),
        ({"operation": "lt", "value": "2"}, ["one"]),
    ],
)
async def test_labels_are_selected_by_the_server(
    kubeconfig: Path, selector: dict[str, str], names: list[str]
) -> None:
    async with cluster(
        ConfigMaps, kubeconfig, filter={"labels": [{"key": "n", **selector}]}
    ) as service:
        await service.make("one", labels={"n": "1"})
        await service.make("two", labels={"n": "2"})
        await service.make("none")

        events = await run_until(service, len(names))

    assert [data["body"]["metadata"]["name"] for data in events] == names


async def test_an_object_that_stops_matching_its_labels_is_deleted_and_may_come_again(
    kubeconfig: Path,
) -> None:
    labels = [{"key": "app", "value": "a"}]
    bus = await started_bus()
    async with (
        cluster(ConfigMaps, kubeconfig, filter={"labels": labels}) as service,
        running("resource", service, bus),
    ):
        await service.make("x", labels={"app": "a"})
        for _ in range(2):
            await service.patch("x", {"metadata": {"labels": {"app": "b"}}})
            await service.patch("x", {"metadata": {"labels": {"app": "a"}}})
        await service.until(lambda: len(told(bus)) == 5)

    assert [data["type"] for data in told(bus)] == ["ADD", *["DELETE", "ADD"] * 2]


async def test_after_start_leaves_out_what_was_there_and_not_what_happened_meanwhile(
    kubeconfig: Path,
) -> None:
    """Argo Events forgets what happens while it is away."""
    async with cluster(ConfigMaps, kubeconfig, filter={"afterStart": True}) as service:
        await service.make("before")
        await asyncio.sleep(1.1)  # times of objects are whole seconds
        await run_until(service, 0)
        await service.patch("before", {"data": {"n": "1"}})
        await service.make("after")
        events = await run_until(service, 2)

    assert [brief(data) for data in events] == ["UPDATE before >1", "ADD after"]


async def change_without_a_moment(service: ConfigMaps, n: str) -> None:
    """Updates that the server does not date as such: of ``bare`` it tracks none."""
    bare = await service.patch("bare", {"data": {"n": n}})
    assert "managedFields" not in bare["metadata"]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}}
    await service.client.patch(
        CONFIG_MAPS, "applied", {**body, "data": {"n": n}}, "default",
        kind=Patch.APPLY, force=True,
    )  # fmt: skip


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_after_start_counts_updates_whose_moment_nobody_knows(
    kubeconfig: Path, forgotten: bool
) -> None:
    """Argo Events takes the moment of the creation for them, and drops them."""
    bus = await started_bus()
    async with cluster(ConfigMaps, kubeconfig, filter={"afterStart": True}) as service:
        await service.make("bare")
        await service.make("applied", {"n": "1"})
        await asyncio.sleep(1.1)  # times of objects are whole seconds
        await run_until(service, 0)
        await change_without_a_moment(service, "2")
        if forgotten:
            service.server.compact()
        meanwhile = await run_until(service, 2)
        async with running("resource", service, bus):
            await change_without_a_moment(service, "3")
            await service.until(lambda: len(told(bus)) == 2)

    assert {brief(data) for data in meanwhile} == {"UPDATE bare >2", "UPDATE applied 1>2"}
    assert [brief(data) for data in told(bus)] == ["UPDATE bare 2>3", "UPDATE applied 2>3"]


@pytest.mark.parametrize(
    ("moment", "count"), [("2000-01-01T00:00:00Z", 0), ("2126-01-01T00:00:00+02:00", 1)]
)
async def test_created_by_leaves_out_what_was_created_after_it(
    kubeconfig: Path, moment: str, count: int
) -> None:
    async with cluster(ConfigMaps, kubeconfig, filter={"createdBy": moment}) as service:
        await service.make("a")

        assert len(await run_until(service, count)) == count


async def test_resources_without_namespace_are_watched_as_well(kubeconfig: Path) -> None:
    async with cluster(
        ConfigMaps, kubeconfig, resource="namespaces", filter={"prefix": "kube-"}
    ) as service:
        service.options["namespace"] = "default"  # which means nothing to them
        service.resource = NAMESPACES
        events = await run_until(service, 3)

    names = [data["body"]["metadata"]["name"] for data in events]
    assert names == ["kube-node-lease", "kube-public", "kube-system"]


GIVEN = {"version": "v1", "resource": "pods", "eventTypes": ["ADD"]}


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`version` is missing", "`resource` is missing", "`eventTypes` is missing"]),
        ({**GIVEN, "eventTypes": []}, []),
        (
            {**GIVEN, "eventTypes": ["ADD", "add"]},
            ["`eventTypes[1]` must be one of ADD, UPDATE, DELETE, not `add`"],
        ),
        (
            {**GIVEN, "filter": {"labels": [{"value": "a"}], "fields": [{"value": "a"}]}},
            ["`filter.labels[0]`: `key` is missing", "`filter.fields[0]`: `key` is missing"],
        ),
        (
            {**GIVEN, "filter": {"labels": [{"key": "a", "operation": "gt", "value": "b"}]}},
            ["`filter.labels[0]`: `value` must be an integer, not `b`"],
        ),
        (
            {**GIVEN, "filter": {"labels": [{"key": "a", "operation": "in", "value": "b, c"}]}},
            ["`filter.labels[0]`: ` c` cannot be the value of a label"],
        ),
        (
            {**GIVEN, "filter": {"labels": [{"key": "a", "operation": "!", "value": "b"}]}},
            ["`filter.labels[0]`: `value` must be empty with `!`"],
        ),
        (
            {**GIVEN, "filter": {"fields": [{"key": "a", "operation": "in", "value": "b"}]}},
            ["`filter.fields[0]`: `operation` must be `=`, `==` or `!=`, not `in`"],
        ),
        (
            {**GIVEN, "filter": {"fields": [{"key": "a", "value": "("}]}},
            ["`filter.fields[0]`: error parsing regexp: missing closing ): `(` (line 1, column 1)"],
        ),
        (
            {**GIVEN, "filter": {"createdBy": "yesterday"}},
            ["`filter.createdBy` is no time such as `2026-01-31T12:00:00Z`"],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("resource", block).check() == problems
