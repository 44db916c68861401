"""The k8s trigger against an API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.triggers._cluster import (
    Gateway,
    cluster,
    environment,
    fire,
    prepared,
    unreachable_kubeconfig,
)
from tiphys.aio import SystemClock
from tiphys.errors import ClusterNotConfigured, TriggerError
from tiphys.kube import CONFIG_MAPS, Client, Resource
from tiphys.manifests.sensor import Trigger as TriggerManifest
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sensors.actions import Action, ActionFailed, ActionRunner
from tiphys.sensors.event import Event
from tiphys.sensors.plan import plan_action
from tiphys.testing.clock import VirtualClock
from tiphys.testing.kubernetes import APIServer
from tiphys.testing.sources import FixedSecrets
from tiphys.testing.triggers import EVENT, Target, TriggerContract
from tiphys.triggers import Outcome, Trigger, TriggerContext, triggers
from tiphys.triggers.k8s import Config, K8s, merged

Object = dict[str, Any]
JOBS = Resource("batch", "v1", "jobs", "Job")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
N = {"src": {"dependencyName": "dep", "dataKey": "n"}, "dest": "data.n"}
MERGE = "application/merge-patch+json"


def config_map(name: str = "cm", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def job(**metadata: Any) -> Object:
    container = {"name": "c", "image": "i", "env": [{"name": "SHA", "value": ""}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }


class APITarget(Target):
    def __init__(self, server: APIServer, client: Client, gateway: Gateway, folder: Path) -> None:
        super().__init__()
        self._server = server
        self._client = client
        self._gateway = gateway
        self._folder = folder
        self.stack = contextlib.ExitStack()

    def block(self) -> Object:
        resource = {**config_map(), "metadata": {"generateName": "made-"}}
        return {"source": {"resource": resource}, "parameters": [N]}

    async def received(self) -> Sequence[Any]:
        return (
            await self._client.list(CONFIG_MAPS, "ns", labels="events.argoproj.io/sensor")
        ).items

    def unreachable(self) -> Object:
        self.stack.enter_context(environment(unreachable_kubeconfig(self._folder)))
        return self.block()

    def refused(self) -> Object:
        return {"source": {"resource": config_map("No Name")}}

    async def stall(self) -> None:
        self._gateway.hold()


class TestK8s(TriggerContract):
    key = "k8s"

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[APITarget]:
        async with cluster(self.path, "ns") as (server, client):
            gateway = Gateway(server.url.port or 0)
            async with gateway.running() as port:
                path = server.kubeconfig(self.path / "kubeconfig")
                path.write_text(path.read_text().replace(str(server.url.port), str(port)))
                target = APITarget(server, client, gateway, self.path)
                with target.stack:
                    yield target


@pytest.fixture
async def server_and_client(tmp_path: Path) -> AsyncIterator[tuple[APIServer, Client]]:
    async with cluster(tmp_path, "ns", "ci") as both:
        yield both


@pytest.fixture
def server(server_and_client: tuple[APIServer, Client]) -> APIServer:
    return server_and_client[0]


@pytest.fixture
def client(server_and_client: tuple[APIServer, Client]) -> Client:
    return server_and_client[1]


@pytest.fixture
async def ctx(server: APIServer) -> AsyncIterator[TriggerContext]:
    secrets = FixedSecrets()
    async with AsyncExitStack() as stack:
        yield TriggerContext(
            namespace="ns",
            sensor="sn",
            trigger="tr",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            stack=stack,
            clock=VirtualClock(),
        )


async def act(ctx: TriggerContext, manifest: Object, operation: str, **block: Any) -> Outcome:
    block = {"source": {"resource": manifest}, "operation": operation, **block}
    return await fire(ctx, "k8s", block)


async def test_what_is_created_says_who_created_it(ctx: TriggerContext, client: Client) -> None:
    manifest = config_map(a="1")
    manifest["metadata"]["labels"] = {"own": "x", "events.argoproj.io/sensor": "forged"}

    outcome = await act(ctx, manifest, "create")
    made = await client.get(CONFIG_MAPS, "cm", "ns")

    assert outcome.detail == "created configmaps cm in namespace ns"
    assert made["metadata"]["labels"] == {
        "own": "x",
        "events.argoproj.io/sensor": "sn",
        "events.argoproj.io/trigger": "tr",
        "events.argoproj.io/action-timestamp": str(int(ctx.clock.now().timestamp() * 1000)),
    }
    assert made["data"] == {"a": "1"}


async def test_an_object_goes_into_its_own_namespace(ctx: TriggerContext, client: Client) -> None:
    await act(ctx, job(name="build", namespace="ci"), "create")

    assert (await client.get(JOBS, "build", "ci"))["kind"] == "Job"


async def test_a_cluster_scoped_object_has_no_namespace(
    ctx: TriggerContext, client: Client
) -> None:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ClusterWorkflowTemplate",
        "metadata": {"name": "build", "namespace": "ns"},
        "spec": {},
    }

    outcome = await act(ctx, manifest, "create")

    assert outcome.detail == "created clusterworkflowtemplates.argoproj.io build"


async def test_a_repetition_of_an_action_finds_what_it_created(
    ctx: TriggerContext, client: Client
) -> None:
    first = await act(ctx, job(generateName="build-"), "create")
    second = await act(ctx, job(generateName="build-"), "create")
    block = {"source": {"resource": job(generateName="build-")}}
    other = await fire(ctx, "k8s", block, action_id="action-2")
    names = [item["metadata"]["name"] for item in (await client.list(JOBS, "ns")).items]

    assert first.resource is not None and second.resource is not None
    assert first.resource["metadata"]["uid"] == second.resource["metadata"]["uid"]
    assert second.detail.startswith("found, created before: jobs.batch build-")
    assert len(names) == 2
    assert other.resource is not None and other.resource["metadata"]["name"] in names
    assert all(name.startswith("build-") and len(name) == len("build-") + 8 for name in names)


async def test_an_attempt_after_a_refusal_by_the_policy_creates_another_object(
    ctx: TriggerContext, client: Client
) -> None:
    block = {"source": {"resource": job(generateName="build-")}}

    for refused in (0, 0, 1, 1):
        await fire(ctx, "k8s", block, refused=refused)

    assert len((await client.list(JOBS, "ns")).items) == 2


async def test_a_name_that_others_have_is_not_taken_for_the_actions_own(
    ctx: TriggerContext, client: Client
) -> None:
    first = await act(ctx, config_map("cm", a="1"), "create")
    again = await act(ctx, config_map("cm", a="1"), "create")
    with pytest.raises(TriggerError, match='configmaps "cm" already exists') as caught:
        await fire(ctx, "k8s", {"source": {"resource": config_map("cm")}}, action_id="other")

    assert first.resource is not None and again.resource is not None
    assert again.resource["metadata"]["uid"] == first.resource["metadata"]["uid"]
    assert not caught.value.retryable


async def test_a_long_prefix_leaves_room_for_the_suffix(ctx: TriggerContext) -> None:
    outcome = await act(ctx, job(generateName="x" * 70 + "-"), "create")

    assert outcome.resource is not None
    assert len(outcome.resource["metadata"]["name"]) == 63


async def test_update_lays_the_manifest_over_what_is_there(
    ctx: TriggerContext, client: Client
) -> None:
    live = config_map(a="1", b="2")
    live["metadata"]["labels"] = {"kept": "yes"}
    await client.create(CONFIG_MAPS, live, "ns")

    outcome = await act(ctx, config_map(b="3", c="4"), "update")
    stored = await client.get(CONFIG_MAPS, "cm", "ns")

    assert outcome.detail == "updated configmaps cm in namespace ns"
    assert stored["data"] == {"a": "1", "b": "3", "c": "4"}
    assert stored["metadata"]["labels"] == {"kept": "yes"}


async def test_update_creates_what_is_missing_without_labels(
    ctx: TriggerContext, client: Client
) -> None:
    await act(ctx, config_map(a="1"), "update")

    assert "labels" not in (await client.get(CONFIG_MAPS, "cm", "ns"))["metadata"]


async def test_an_update_that_collides_with_another_is_made_again(
    ctx: TriggerContext, client: Client
) -> None:
    await client.create(CONFIG_MAPS, config_map(), "ns")
    blocks = [config_map(**{f"key{number}": "x"}) for number in range(4)]

    await asyncio.gather(*(act(ctx, block, "update") for block in blocks))

    stored = await client.get(CONFIG_MAPS, "cm", "ns")
    assert stored["data"] == {f"key{number}": "x" for number in range(4)}


@pytest.mark.parametrize(
    ("live", "manifest", "result"),
    [
        ({"replicas": 3}, {"replicas": 0}, {"replicas": 0}),
        ({"paused": True}, {"paused": False}, {"paused": False}),
        ({"s": "x"}, {"s": None}, {"s": None}),
        ({"list": [1, 2, 3]}, {"list": []}, {"list": []}),
        ({"list": [1, 2, 3]}, {"list": [9]}, {"list": [9]}),
        ({"sub": {"a": 1, "b": 2}}, {"sub": {}}, {"sub": {"a": 1, "b": 2}}),
        ({"sub": {"a": 1}}, {"sub": {"b": {"c": 2}}}, {"sub": {"a": 1, "b": {"c": 2}}}),
    ],
)
def test_merging_replaces_values_and_keeps_what_is_absent(
    live: Object, manifest: Object, result: Object
) -> None:
    assert merged(live, manifest) == result


async def test_parameters_change_the_live_object(ctx: TriggerContext, client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(a="1"), "ns")
    manifest = config_map()
    manifest["metadata"]["namespace"] = "ns"
    del manifest["data"]
    trigger = K8s()
    await trigger.start(ctx)
    block = {"source": {"resource": manifest}, "operation": "update", "liveObject": True}

    fetched = await trigger.fetch(Config.model_validate(block))

    assert fetched is not None and b'"a":"1"' in fetched and b"resourceVersion" in fetched


async def test_a_live_object_that_changed_meanwhile_is_not_overwritten(
    ctx: TriggerContext, client: Client
) -> None:
    await client.create(CONFIG_MAPS, config_map(a="1"), "ns")
    manifest = {**config_map(), "metadata": {"name": "cm", "namespace": "ns"}}
    trigger = K8s()
    await trigger.start(ctx)
    config = Config.model_validate(
        {"source": {"resource": manifest}, "operation": "update", "liveObject": True}
    )
    firing = await prepared(trigger, config)
    await client.patch(CONFIG_MAPS, "cm", {"data": {"a": "2"}}, "ns")

    with pytest.raises(TriggerError, match="has been modified") as caught:
        await trigger.fire(firing)

    assert caught.value.retryable


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "resource name must be specified for fetching live object"),
        ({"name": "cm"}, "resource namespace must be specified for fetching live object"),
        ({"name": "cm", "namespace": "ns"}, 'configmaps "cm" not found'),
    ],
)
async def test_a_live_object_must_be_named_and_be_there(
    ctx: TriggerContext, metadata: Object, message: str
) -> None:
    manifest = {**config_map(), "metadata": metadata}

    with pytest.raises(TriggerError, match=message):
        await act(ctx, manifest, "update", liveObject=True)


async def test_a_merge_patch_is_the_whole_manifest(ctx: TriggerContext, client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(a="1", b="2"), "ns")

    outcome = await act(ctx, {**config_map(), "data": {"a": None, "c": "3"}}, "patch")

    assert outcome.detail == "patched configmaps cm in namespace ns"
    assert (await client.get(CONFIG_MAPS, "cm", "ns"))["data"] == {"b": "2", "c": "3"}


async def test_a_patch_creates_what_is_missing(ctx: TriggerContext, client: Client) -> None:
    await act(ctx, config_map(a="1"), "patch")

    assert (await client.get(CONFIG_MAPS, "cm", "ns"))["data"] == {"a": "1"}


async def test_a_strategic_patch_merges_lists_by_name(ctx: TriggerContext, client: Client) -> None:
    labels = {"app": "web"}
    containers = [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }
    await client.create(DEPLOYMENTS, deployment, "ns")
    change = {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}

    await act(
        ctx,
        {**deployment, "spec": {"template": change}},
        "patch",
        patchStrategy="application/strategic-merge-patch+json",
    )
    stored = await client.get(DEPLOYMENTS, "web", "ns")

    images = [c["image"] for c in stored["spec"]["template"]["spec"]["containers"]]
    assert images == ["web:2", "log:1"]


async def test_a_json_patch_is_a_list_in_the_manifest(ctx: TriggerContext, client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(a="1"), "ns")
    manifest = config_map()
    del manifest["data"]
    manifest["patch"] = [{"op": "move", "from": "/data/a", "path": "/data/b"}]

    await act(ctx, manifest, "patch", patchStrategy="application/json-patch+json")

    assert (await client.get(CONFIG_MAPS, "cm", "ns"))["data"] == {"b": "1"}


async def test_a_json_patch_without_a_list_is_refused(ctx: TriggerContext) -> None:
    with pytest.raises(TriggerError, match="needs a manifest with a list called patch"):
        await act(ctx, config_map(), "patch", patchStrategy="application/json-patch+json")


@pytest.mark.parametrize(
    "block",
    [
        {"operation": "apply"},
        {"operation": "patch", "patchStrategy": "application/apply-patch+yaml"},
    ],
)
async def test_apply_owns_its_fields_and_creates_what_is_missing(
    ctx: TriggerContext, client: Client, block: Object
) -> None:
    await act(ctx, config_map(a="1", b="2"), **block)
    await client.patch(CONFIG_MAPS, "cm", {"data": {"c": "3"}}, "ns", field_manager="other")
    outcome = await act(ctx, config_map(a="9"), **block)
    stored = await client.get(CONFIG_MAPS, "cm", "ns")

    assert outcome.detail == "applied configmaps cm in namespace ns"
    assert stored["data"] == {"a": "9", "c": "3"}
    assert "argo-events" in {entry["manager"] for entry in stored["metadata"]["managedFields"]}


async def test_delete_deletes_and_what_is_gone_is_no_error(
    ctx: TriggerContext, client: Client
) -> None:
    await client.create(CONFIG_MAPS, config_map(), "ns")

    first = await act(ctx, config_map(), "delete")
    second = await act(ctx, config_map(), "delete")

    assert first.detail == "deleted configmaps cm in namespace ns"
    assert second.detail == "there was no configmaps cm in namespace ns"
    assert first.resource is None


@pytest.mark.parametrize("operation", ["update", "patch", "delete", "apply"])
async def test_operations_on_one_object_need_its_name(ctx: TriggerContext, operation: str) -> None:
    with pytest.raises(TriggerError, match=f"{operation} needs metadata.name"):
        await act(ctx, {**config_map(), "metadata": {"generateName": "x-"}}, operation)


async def test_the_object_is_observed_as_it_is_now(ctx: TriggerContext, client: Client) -> None:
    trigger = K8s()
    await trigger.start(ctx)
    config = Config.model_validate({"source": {"resource": config_map()}})
    outcome = await trigger.fire(await prepared(trigger, config))
    await client.patch(CONFIG_MAPS, "cm", {"metadata": {"labels": {"done": "yes"}}}, "ns")

    observed = await trigger.observe(outcome)

    assert observed is not None and observed["metadata"]["labels"]["done"] == "yes"
    assert await trigger.observe(Outcome()) is None


async def run_with_policy(ctx: TriggerContext, policy: Object) -> None:
    """One action as the engine performs it, with two attempts."""
    plan = plan_action(
        TriggerManifest.model_validate(
            {
                "template": {"name": "tr", "k8s": {"source": {"resource": job(generateName="b-")}}},
                "policy": {"k8s": {"labels": {"state": "done"}, **policy}},
                "retryStrategy": {"steps": 2, "duration": "1ms"},
            }
        )
    )
    metrics = Metrics()
    runner = ActionRunner(
        plan, namespace="ns", sensor="sn", metrics=metrics, history=History(metrics),
        clock=SystemClock(),
    )  # fmt: skip
    await runner.start(ctx)
    await runner.run(Action("action-1", {"dep": Event(EVENT)}))


async def test_an_action_succeeds_when_its_object_gets_the_labels(
    ctx: TriggerContext, client: Client
) -> None:
    acting = asyncio.create_task(run_with_policy(ctx, {"backoff": {"duration": "20ms"}}))
    async with asyncio.timeout(10):
        while not (items := (await client.list(JOBS, "ns")).items):
            await asyncio.sleep(0.01)
        (name,) = [item["metadata"]["name"] for item in items]
        await client.patch(JOBS, name, {"metadata": {"labels": {"state": "done"}}}, "ns")
        await acting

    assert len((await client.list(JOBS, "ns")).items) == 1


async def test_each_attempt_has_an_object_of_its_own_when_the_labels_do_not_come(
    ctx: TriggerContext, client: Client
) -> None:
    policy = {"backoff": {"duration": "1ms", "steps": 2}, "errorOnBackoffTimeout": True}

    with pytest.raises(ActionFailed, match="failed to determine status of the triggered resource"):
        await run_with_policy(ctx, policy)

    assert len((await client.list(JOBS, "ns")).items) == 2


async def test_what_is_not_allowed_is_named_with_the_rule_that_allows_it(
    tmp_path: Path, server: APIServer, ctx: TriggerContext
) -> None:
    user = "system:serviceaccount:argo-events:argo-events-sa"
    with (
        environment(server.kubeconfig(tmp_path / "user", user)),
        pytest.raises(TriggerError) as caught,
    ):
        await act(ctx, job(generateName="build-", namespace="ci"), "create")
    message = str(caught.value)

    assert message.startswith("cannot create jobs.batch in namespace ci: ")
    assert 'apiGroups: ["batch"]\n  resources: ["jobs"]\n  verbs: ["create"]' in message
    assert caught.value.retryable


async def test_a_kind_that_the_cluster_does_not_have_is_named(ctx: TriggerContext) -> None:
    manifest = {"apiVersion": "batch/v1", "kind": "Jop", "metadata": {"name": "x"}}

    with pytest.raises(TriggerError, match=r"no kind 'Jop' in batch/v1; did you mean 'Job'"):
        await act(ctx, manifest, "create")


async def test_without_a_cluster_the_trigger_does_not_start_and_says_what_was_tried(
    tmp_path: Path, ctx: TriggerContext
) -> None:
    with (
        environment(tmp_path / "missing"),
        pytest.raises(ClusterNotConfigured, match="this trigger acts on a Kubernetes cluster: no"),
    ):
        await triggers.get("k8s")().start(ctx)


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({}, "k8s trigger does not contain an absolute action"),
        ({"source": {}}, "unknown artifact location"),
        ({"source": {"resource": {"apiVersion": "v1"}}}, "source.resource has no kind"),
        (
            {"source": {"resource": config_map()}, "operation": "upsert"},
            "unknown operation type upsert",
        ),
        (
            {"source": {"resource": config_map()}, "patchStrategy": "merge"},
            "unknown patchStrategy merge",
        ),
    ],
)
def test_what_cannot_work_is_found_beforehand(block: Object, problem: str) -> None:
    (found,) = K8s.check(Config.model_validate(block))

    assert found.startswith(problem)


async def test_an_operation_that_a_parameter_made_unknown_does_nothing(
    ctx: TriggerContext, client: Client
) -> None:
    await client.create(CONFIG_MAPS, config_map(), "ns")

    with pytest.raises(TriggerError, match="unknown operation type erase"):
        await act(ctx, config_map(), "erase")

    assert await client.get(CONFIG_MAPS, "cm", "ns")


async def test_rendering_needs_no_cluster_and_no_network(ctx: TriggerContext) -> None:
    trigger = K8s()
    await Trigger.start(trigger, ctx)  # as `tiphys test` does
    written = Config.model_validate({"source": {"resource": config_map()}, "liveObject": True})
    remote = Config.model_validate({"source": {"url": {"path": "http://127.0.0.1:1/"}}})

    assert await trigger.fetch(written) == orjson.dumps(config_map())
    with pytest.raises(TriggerError, match=r"source\.url: nothing is read over the network here"):
        await trigger.fetch(remote)
