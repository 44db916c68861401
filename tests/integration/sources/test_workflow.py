"""The workflow source, against the double of a Kubernetes API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources._cluster import (
    WORKFLOWS,
    ClusterSourceContract,
    Workflows,
    cluster,
    permit,
    told,
    trouble_of,
)
from tests.integration.sources._cluster import kubeconfig as kubeconfig
from tests.integration.sources._events import running
from tiphys.errors import BusUnavailable
from tiphys.kube import NAMESPACES
from tiphys.testing.sources import QUIET, make_source, started_bus


class TestWorkflow(ClusterSourceContract):
    key = "workflow"

    @pytest.fixture(autouse=True)
    def _cluster(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Workflows]:
        async with cluster(Workflows, self.kubeconfig) as service:
            yield service


async def run_until(service: Workflows, count: int) -> list[str]:
    """Name and phase of what one run tells, which ends after *count* events and no more."""
    bus = await started_bus()
    async with running("workflow", service, bus):
        await service.until(lambda: len(told(bus)) >= count)
        await service.wait(QUIET)
    assert len(told(bus)) == count
    return [f"{data['name']} {data['phase']}" for data in told(bus)]


async def test_the_payload_tells_of_the_end_and_the_id_derives_from_it(kubeconfig: Path) -> None:
    def parameters(**values: str | None) -> dict[str, Any]:
        found = [{"name": n} if v is None else {"name": n, "value": v} for n, v in values.items()]
        return {"parameters": found}

    bus = await started_bus()
    async with (
        cluster(Workflows, kubeconfig, metadata={"team": "a"}) as service,
        running("workflow", service, bus),
    ):
        made = await service.make(
            "build-1",
            metadata={"labels": {"app": "shop"}},
            spec={
                "entrypoint": "main",
                "arguments": parameters(revision="abc", unset=None),
            },
        )
        ended = await service.end(
            "build-1",
            "Failed",
            startedAt="2126-01-31T12:00:00Z",
            message="child failed",
            storedWorkflowTemplateSpec={"arguments": parameters(revision="main", image="shop")},
            outputs=parameters(tag="v2"),
            nodes={"build-1": {"outputs": parameters(tag="v1", digest="d")}, "build-1-2": {}},
        )
        await service.until(lambda: bool(bus.published))
    (event,) = bus.published
    (data,) = told(bus)
    whole = data.pop("workflow")
    uid = made["metadata"]["uid"]

    assert data == {
        "name": "build-1",
        "namespace": "default",
        "uid": uid,
        "phase": "Failed",
        "startedAt": "2126-01-31T12:00:00Z",
        "finishedAt": "2126-01-31T12:00:05Z",
        "message": "child failed",
        "labels": {"app": "shop"},
        "parameters": {"revision": "abc", "image": "shop"},
        "outputs": {"tag": "v2", "digest": "d"},
        "metadata": {"team": "a"},
    }
    del ended["metadata"]["managedFields"]
    assert whole == ended
    assert event.id == f"es:ev:{uid}:Failed:2126-01-31T12:00:05Z"
    assert event.type == "workflow"


async def test_a_workflow_on_its_way_is_no_event_and_an_end_is_one(kubeconfig: Path) -> None:
    bus = await started_bus()
    async with (
        cluster(Workflows, kubeconfig) as service,
        running("workflow", service, bus),
    ):
        await service.make("a")
        for phase in ("Pending", "Running"):
            await service.patch("a", {"status": {"phase": phase}})
        await service.end("a", "Error")
        await service.patch("a", {"metadata": {"labels": {"archived": "true"}}})
        await service.delete("a")
        await service.make("b")
        await service.end("b")
        await service.until(lambda: len(told(bus)) == 2)

        assert [data["name"] for data in told(bus)] == ["a", "b"]


@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_each_end_is_told_once_across_restarts(kubeconfig: Path, forgotten: bool) -> None:
    async with cluster(Workflows, kubeconfig) as service:
        for name in ("before", "meanwhile", "running", "retried"):
            await service.make(name)
        await service.end("before")
        await service.end("retried", "Failed")
        assert await run_until(service, 2) == ["before Succeeded", "retried Failed"]

        await service.end("meanwhile", "Failed")
        await service.end("retried", "Failed", at="2126-02-01T00:00:00Z")
        await service.patch("before", {"metadata": {"labels": {"archived": "true"}}})
        if forgotten:
            service.server.compact()
        assert await run_until(service, 2) == ["meanwhile Failed", "retried Failed"]
        assert await run_until(service, 0) == []


async def test_an_end_is_told_although_the_workflow_is_gone(kubeconfig: Path) -> None:
    """As with a short ``ttlStrategy``."""
    async with cluster(Workflows, kubeconfig) as service:
        await service.make("a")
        await run_until(service, 0)
        await service.end("a")
        await service.delete("a")

        assert await run_until(service, 1) == ["a Succeeded"]


async def test_a_run_that_could_not_save_repeats_itself_with_the_same_ids(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(key: str, value: bytes) -> None:
        raise BusUnavailable("the bus is away")

    bus = await started_bus()
    async with cluster(Workflows, kubeconfig) as service:
        monkeypatch.setattr(service.store, "put", refuse)
        await service.emit(1)
        for _ in range(2):
            async with running("workflow", service, bus) as pull:
                await service.until(lambda pull=pull: pull.status.sent == 1)

    assert len(bus.published) == 1


async def test_a_retried_workflow_ends_again_and_a_resubmitted_one_is_another(
    kubeconfig: Path,
) -> None:
    bus = await started_bus()
    async with (
        cluster(Workflows, kubeconfig) as service,
        running("workflow", service, bus),
    ):
        await service.make("a")
        await service.end("a", "Failed")
        await service.patch("a", {"status": {"phase": "Running", "finishedAt": None}})
        await service.end("a", "Failed", at="2126-02-01T00:00:00Z")
        await service.delete("a")
        await service.make("a")
        await service.end("a", "Failed")
        await service.until(lambda: len(told(bus)) == 3)

    assert len({event.id for event in bus.published}) == 3


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["build-1", "build-2", "deploy"]),
        ({"phases": ["Failed", "Error"]}, ["build-2", "deploy"]),
        ({"prefix": "build-"}, ["build-1", "build-2"]),
        ({"labels": [{"key": "app", "value": "shop"}]}, ["build-1"]),
        ({"labels": [{"key": "app", "operation": "!"}]}, ["build-2", "deploy"]),
        ({"afterStart": True}, ["deploy"]),
        ({"namespace": ""}, ["build-1", "build-2", "deploy", "elsewhere"]),
    ],
)
async def test_options_choose_workflows(
    kubeconfig: Path, options: dict[str, Any], names: list[str]
) -> None:
    async with cluster(Workflows, kubeconfig, **options) as service:
        await service.make("build-1", metadata={"labels": {"app": "shop"}})
        await service.end("build-1", at="2026-01-31T12:00:00Z")
        await service.make("build-2")
        await service.end("build-2", "Failed", at="2026-01-31T12:00:00Z")
        await service.make("deploy")
        await service.end("deploy", "Error")
        await service.client.create(NAMESPACES, {"metadata": {"name": "far"}})
        body = {"metadata": {"name": "elsewhere"}, "spec": {}, "status": {"phase": "Failed"}}
        await service.client.create(
            WORKFLOWS, {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **body}, "far"
        )
        found = await run_until(service, len(names))

    assert sorted(line.split()[0] for line in found) == names


async def test_an_expression_filters_as_everywhere(kubeconfig: Path) -> None:
    expression = {"expression": "phase == 'Failed' && labels.app == 'shop'"}
    async with cluster(Workflows, kubeconfig, filter=expression) as service:
        for name, phase in {"a": "Failed", "b": "Succeeded"}.items():
            await service.make(name, metadata={"labels": {"app": "shop"}})
            await service.end(name, phase)

        assert await run_until(service, 1) == ["a Failed"]


async def test_the_steps_of_a_large_workflow_are_left_out(
    kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.sources.workflow.LARGE", 1000)
    bus = await started_bus()
    async with (
        cluster(Workflows, kubeconfig) as service,
        running("workflow", service, bus),
    ):
        await service.make("a")
        output = {"outputs": {"parameters": [{"name": "tag", "value": "v1"}]}}
        nodes = {f"a-{n}": {"phase": "Succeeded"} for n in range(100)}
        await service.end("a", nodes={"a": output, **nodes})
        await service.until(lambda: bool(bus.published))
    (data,) = told(bus)

    assert data["workflow"]["status"] == {
        "phase": "Succeeded",
        "finishedAt": "2126-01-31T12:00:05Z",
    }
    assert data["outputs"] == {"tag": "v1"}


async def test_a_server_that_was_restarted_is_followed_again(kubeconfig: Path) -> None:
    bus = await started_bus()
    async with (
        cluster(Workflows, kubeconfig) as service,
        running("workflow", service, bus) as pull,
    ):
        await service.emit(1)
        await service.until(lambda: len(told(bus)) == 1)
        await service.server.close()
        await service.until(lambda: "cannot be reached" in (pull.status.error or ""))
        await service.server.start()
        await service.emit(2)
        await service.until(lambda: len(told(bus)) == 2)
        await service.wait(QUIET)

        assert [service.number(data) for data in told(bus)] == [1, 2]


async def test_what_is_forbidden_shows_the_role_that_would_allow_it(kubeconfig: Path) -> None:
    async with cluster(Workflows, kubeconfig, user="bob") as service:
        await permit(service, "bob", "get")
        text = await trouble_of("workflow", service)

    assert 'apiGroups: ["argoproj.io"]\n  resources: ["workflows"]\n  verbs: ["list"]' in text


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, []),
        (
            {"phases": ["Succeeded", "Running"]},
            ["`phases[1]` must be one of Succeeded, Failed, Error, not `Running`"],
        ),
        ({"labels": [{"value": "a"}]}, ["`labels[0]`: `key` is missing"]),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("workflow", block).check() == problems
