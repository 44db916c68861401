"""The argoWorkflow trigger against an API server with the definitions of Argo Workflows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.triggers._cluster import (
    Gateway,
    cluster,
    environment,
    fire,
    prepared,
    unreachable_kubeconfig,
)
from tiphys.errors import PolicyError, TriggerError
from tiphys.kube import PODS, Client, Resource
from tiphys.testing.clock import VirtualClock
from tiphys.testing.kubernetes import APIServer
from tiphys.testing.sources import FixedSecrets
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import Outcome, TriggerContext
from tiphys.triggers._workflows.making import RESOURCES, WORKFLOWS
from tiphys.triggers.argo_workflow import ArgoWorkflow, Config

Object = dict[str, Any]
API = "argoproj.io/v1alpha1"
MARKS = {"events.argoproj.io/sensor": "sn", "events.argoproj.io/trigger": "tr"}


def manifest(kind: str = "Workflow", spec: Any = None, **metadata: Any) -> Object:
    spec = {"entrypoint": "main"} if spec is None else spec
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}


class ArgoTarget(Target):
    def __init__(self, server: APIServer, client: Client, gateway: Gateway, folder: Path) -> None:
        super().__init__()
        self._server = server
        self._client = client
        self._gateway = gateway
        self._folder = folder
        self.stack = contextlib.ExitStack()

    def block(self) -> Object:
        spec = {"arguments": {"parameters": [{"name": "n"}]}}
        n = {"src": {"dependencyName": "dep", "dataKey": "n"}}
        return {
            "operation": "submit",
            "source": {"resource": manifest(spec=spec, generateName="run-")},
            "parameters": [{**n, "dest": "spec.arguments.parameters.0.value"}],
        }

    async def received(self) -> Sequence[Any]:
        return (await self._client.list(WORKFLOWS, "ns")).items

    def unreachable(self) -> Object:
        self.stack.enter_context(environment(unreachable_kubeconfig(self._folder)))
        return self.block()

    def refused(self) -> Object:
        return {"operation": "submit", "source": {"resource": manifest(name="No Name")}}

    async def stall(self) -> None:
        self._gateway.hold()


class TestArgoWorkflow(TriggerContract):
    key = "argoWorkflow"

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[ArgoTarget]:
        async with cluster(self.path, "ns") as (server, client):
            gateway = Gateway(server.url.port or 0)
            async with gateway.running() as port:
                path = server.kubeconfig(self.path / "kubeconfig")
                path.write_text(path.read_text().replace(str(server.url.port), str(port)))
                target = ArgoTarget(server, client, gateway, self.path)
                with target.stack:
                    yield target


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with cluster(tmp_path, "ns", "ci") as (_, client):
        yield client


@pytest.fixture
async def ctx(client: Client) -> AsyncIterator[TriggerContext]:
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


async def act(
    ctx: TriggerContext, operation: str, resource: Object, *args: str, **firing: Any
) -> Outcome:
    block = {"operation": operation, "source": {"resource": resource}, "args": list(args)}
    return await fire(ctx, "argoWorkflow", block, **firing)


def made(outcome: Outcome) -> Object:
    """The object that an outcome is about."""
    assert outcome.resource is not None
    return outcome.resource


def parameters(workflow: Object) -> dict[str, Any]:
    return {p["name"]: p.get("value") for p in workflow["spec"]["arguments"]["parameters"]}


async def stored(client: Client, name: str, **more: Any) -> Object:
    """A workflow in the cluster."""
    workflow = {**manifest(name=name), **more}
    return await client.create(WORKFLOWS, workflow, "ns")


async def test_submit_creates_the_workflow_once_with_labels(
    ctx: TriggerContext, client: Client
) -> None:
    first = await act(ctx, "submit", manifest(generateName="run-", labels={"own": "x"}))
    second = await act(ctx, "submit", manifest(generateName="run-", labels={"own": "x"}))
    other = await act(ctx, "submit", manifest(generateName="run-"), action_id="other")
    labels = made(first)["metadata"]["labels"]
    del labels["events.argoproj.io/action-timestamp"]

    assert labels == {"own": "x", **MARKS}
    assert made(first)["metadata"]["name"].startswith("run-")
    assert made(second)["metadata"]["uid"] == made(first)["metadata"]["uid"]
    assert second.detail.startswith("found, submitted before: workflows.argoproj.io run-")
    assert made(other)["metadata"]["name"] != made(first)["metadata"]["name"]
    assert len((await client.list(WORKFLOWS, "ns")).items) == 2


async def test_submit_honours_the_arguments_of_the_command(ctx: TriggerContext) -> None:
    spec = {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "a", "value": "0"}, {"name": "b", "value": "0"}]},
    }
    outcome = await act(
        ctx, "submit", manifest(spec=spec, generateName="run-", labels={"own": "x", "team": "y"}),
        "-p", "a=1", "--parameter=c=x=y,z", "-l", "team=z,new=1", "--entrypoint", "other",
        "--serviceaccount=runner", "--priority", "7", "--generate-name", "fast-",
        "--instanceid=blue", "--scheduled-time", "2026-01-02T03:04:05Z", "-o", "json", "--strict",
    )  # fmt: skip
    metadata, spec = made(outcome)["metadata"], made(outcome)["spec"]

    assert parameters(made(outcome)) == {"a": "1", "c": "x=y,z", "b": "0"}
    assert (spec["entrypoint"], spec["serviceAccountName"], spec["priority"]) == (
        "other", "runner", 7,
    )  # fmt: skip
    assert metadata["name"].startswith("fast-")
    assert metadata["labels"].items() >= {
        "own": "x", "team": "z", "new": "1", "workflows.argoproj.io/controller-instanceid": "blue",
    }.items()  # fmt: skip
    assert metadata["annotations"]["workflows.argoproj.io/scheduled-time"] == "2026-01-02T03:04:05Z"


async def test_a_name_may_come_from_the_arguments(ctx: TriggerContext) -> None:
    assert made(await act(ctx, "submit", manifest(), "--name", "mine"))["metadata"]["name"] == (
        "mine"
    )
    with pytest.raises(TriggerError, match="neither name nor generateName is given"):
        await act(ctx, "submit", manifest())


async def test_submit_takes_workflows_only(ctx: TriggerContext) -> None:
    with pytest.raises(TriggerError, match="invalid kind CronWorkflow"):
        await act(ctx, "submit", manifest("CronWorkflow", name="x"))


async def test_a_workflow_goes_into_its_own_namespace(ctx: TriggerContext) -> None:
    outcome = await act(ctx, "submit", manifest(name="run", namespace="ci"))

    assert made(outcome)["metadata"]["namespace"] == "ci"


async def template(client: Client, kind: str, spec: Any = None) -> None:
    resource: Resource = RESOURCES[kind]
    await client.create(resource, manifest(kind, spec, name="build"), "ns")


@pytest.mark.parametrize("kind", ["WorkflowTemplate", "workflowtemplate"])
async def test_submit_from_a_template_refers_to_it(
    ctx: TriggerContext, client: Client, kind: str
) -> None:
    await template(client, "WorkflowTemplate")

    outcome = await act(ctx, "submit-from", manifest(kind, name="build"), "-p", "a=1")
    again = await act(ctx, "submit-from", manifest(kind, name="build"), "-p", "a=1")
    metadata = made(outcome)["metadata"]

    assert made(outcome)["kind"] == "Workflow"
    assert made(outcome)["spec"] == {
        "workflowTemplateRef": {"name": "build"},
        "arguments": {"parameters": [{"name": "a", "value": "1"}]},
    }
    assert metadata["name"].startswith("build-")
    assert metadata["labels"].items() >= {
        "workflows.argoproj.io/workflow-template": "build", **MARKS,
    }.items()  # fmt: skip
    assert made(again)["metadata"]["uid"] == metadata["uid"]


async def test_submit_from_a_cluster_template_says_so(ctx: TriggerContext, client: Client) -> None:
    await template(client, "ClusterWorkflowTemplate")

    outcome = await act(ctx, "submit-from", manifest("ClusterWorkflowTemplate", name="build"))

    assert made(outcome)["spec"]["workflowTemplateRef"] == {"name": "build", "clusterScope": True}
    labels = made(outcome)["metadata"]["labels"]
    assert labels["workflows.argoproj.io/cluster-workflow-template"] == "build"


async def test_submit_from_a_cron_workflow_runs_what_it_would_run(
    ctx: TriggerContext, client: Client
) -> None:
    spec = {
        "schedule": "0 0 * * *",
        "workflowSpec": {"entrypoint": "nightly"},
        "workflowMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
    }
    await template(client, "CronWorkflow", spec)
    cron = await client.get(RESOURCES["CronWorkflow"], "build", "ns")

    outcome = await act(ctx, "submit-from", manifest("CronWorkflow", name="build"))
    metadata = made(outcome)["metadata"]

    assert made(outcome)["spec"] == {"entrypoint": "nightly"}
    assert metadata["labels"].items() >= {
        "team": "a", "workflows.argoproj.io/cron-workflow": "build",
    }.items()  # fmt: skip
    assert metadata["annotations"]["note"] == "b"
    assert metadata["annotations"]["workflows.argoproj.io/scheduled-time"].startswith("2026-01-01T")
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": API, "kind": "CronWorkflow", "name": "build", "controller": True,
            "blockOwnerDeletion": True, "uid": cron["metadata"]["uid"],
        }
    ]  # fmt: skip


async def test_the_source_of_submit_from_may_be_an_argument(
    ctx: TriggerContext, client: Client
) -> None:
    await template(client, "WorkflowTemplate")

    outcome = await act(ctx, "submit-from", manifest("Other"), "--from", "wftmpl/build")

    assert made(outcome)["spec"]["workflowTemplateRef"] == {"name": "build"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (manifest("Deployment", name="x"), "invalid kind Deployment"),
        (manifest("WorkflowTemplate", name="x"), 'workflowtemplates.argoproj.io "x" not found'),
        (manifest("WorkflowTemplate"), "submit-from operation, no name is given"),
    ],
)
async def test_submit_from_what_is_not_there_is_an_error(
    ctx: TriggerContext, source: Object, message: str
) -> None:
    with pytest.raises(TriggerError, match=message):
        await act(ctx, "submit-from", source)


async def test_resubmit_makes_a_new_workflow_of_an_old_one(
    ctx: TriggerContext, client: Client
) -> None:
    await client.create(
        WORKFLOWS,
        {
            **manifest(
                name="old", labels={
                    "own": "x", "workflows.argoproj.io/completed": "true",
                    "workflows.argoproj.io/phase": "Failed",
                    "workflows.argoproj.io/creator": "ada",
                },
                annotations={"note": "y"},
            ),
            "spec": {"entrypoint": "main", "shutdown": "Stop", "activeDeadlineSeconds": 0},
            "status": {"phase": "Failed"},
        },
        "ns",
    )  # fmt: skip

    outcome = await act(ctx, "resubmit", manifest(name="old"), "--priority=3", "-p", "a=1")
    again = await act(ctx, "resubmit", manifest(name="old"), "--priority=3", "-p", "a=1")
    metadata = made(outcome)["metadata"]
    del metadata["labels"]["events.argoproj.io/action-timestamp"]

    assert metadata["name"].startswith("old-")
    assert metadata["labels"] == {
        "own": "x", "workflows.argoproj.io/resubmitted-from-workflow": "old", **MARKS,
    }  # fmt: skip
    assert metadata["annotations"]["note"] == "y"
    assert made(outcome)["spec"] == {
        "entrypoint": "main", "priority": 3,
        "arguments": {"parameters": [{"name": "a", "value": "1"}]},
    }  # fmt: skip
    assert "status" not in made(outcome)
    assert made(again)["metadata"]["uid"] == metadata["uid"]


async def test_suspend_and_resume_change_the_spec(ctx: TriggerContext, client: Client) -> None:
    await stored(client, "run", status={"phase": "Running"})

    suspended = await act(ctx, "suspend", manifest(name="run"))
    resumed = await act(ctx, "resume", manifest(name="run"))

    assert suspended.detail == "suspended workflows.argoproj.io run in namespace ns"
    assert made(suspended)["spec"]["suspend"] is True
    assert "suspend" not in made(resumed)["spec"]


@pytest.mark.parametrize(("operation", "value"), [("stop", "Stop"), ("terminate", "Terminate")])
async def test_stop_and_terminate_are_done_once(
    ctx: TriggerContext, client: Client, operation: str, value: str
) -> None:
    await stored(client, "run", status={"phase": "Running"})

    first = await act(ctx, operation, manifest(name="run"))
    await client.patch(WORKFLOWS, "run", {"status": {"phase": "Failed"}}, "ns")
    again = await act(ctx, operation, manifest(name="run"))

    assert made(first)["spec"]["shutdown"] == value
    assert made(again)["spec"]["shutdown"] == value


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("suspend", "cannot suspend completed workflows"),
        ("stop", "cannot shutdown a completed workflow"),
        ("terminate", "cannot shutdown a completed workflow"),
        ("retry", "To retry a succeeded workflow"),
    ],
)
async def test_a_workflow_that_is_over_is_not_changed(
    ctx: TriggerContext, client: Client, operation: str, message: str
) -> None:
    await stored(client, "run", status={"phase": "Succeeded"})

    with pytest.raises(TriggerError, match=message) as caught:
        await act(ctx, operation, manifest(name="run"))

    assert not caught.value.retryable


@pytest.mark.parametrize(
    "operation", ["suspend", "resume", "stop", "terminate", "retry", "resubmit"]
)
async def test_operations_on_a_workflow_need_its_name_and_that_it_is_there(
    ctx: TriggerContext, operation: str
) -> None:
    with pytest.raises(TriggerError, match=f"the workflow {operation} operation, no name is given"):
        await act(ctx, operation, manifest(generateName="x-"))
    with pytest.raises(TriggerError, match='"gone" not found'):
        await act(ctx, operation, manifest(name="gone"))


def suspend_node(key: str, **more: Any) -> Object:
    return {"id": key, "name": f"run.{key}", "displayName": key, "type": "Suspend",
            "phase": "Running", **more}  # fmt: skip


NODES: Object = {
    "one": suspend_node(
        "one",
        outputs={"parameters": [{"name": "o", "valueFrom": {"supplied": {}, "default": "d"}}]},
    ),
    "two": suspend_node("two", inputs={"parameters": [{"name": "env", "value": "prod"}]}),
    "pod": {"id": "pod", "name": "run.pod", "type": "Pod", "phase": "Running"},
}


async def test_resume_ends_the_suspend_nodes(ctx: TriggerContext, client: Client) -> None:
    await stored(client, "run", status={"phase": "Running", "nodes": NODES})

    nodes = made(await act(ctx, "resume", manifest(name="run")))["status"]["nodes"]

    assert [nodes[key]["phase"] for key in ("one", "two", "pod")] == [
        "Succeeded", "Succeeded", "Running",
    ]  # fmt: skip
    assert nodes["one"]["outputs"] == {"parameters": [{"name": "o", "value": "d"}]}
    assert nodes["one"]["finishedAt"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("selector", "ended"),
    [
        ("displayName=two", ["two"]),
        ("inputs.parameters.env.value=prod,phase==Running", ["two"]),
        ("displayName!=two", ["one"]),
    ],
)
async def test_a_selector_says_which_nodes_end(
    ctx: TriggerContext, client: Client, selector: str, ended: list[str]
) -> None:
    await stored(client, "run", status={"phase": "Running", "nodes": NODES})

    outcome = await act(
        ctx, "stop", manifest(name="run"), "--node-field-selector", selector, "--message=no go"
    )
    nodes = made(outcome)["status"]["nodes"]

    assert [key for key in nodes if nodes[key]["phase"] == "Failed"] == ended
    assert {nodes[key]["message"] for key in ended} == {"no go"}
    assert "shutdown" not in made(outcome)["spec"]
    with pytest.raises(TriggerError, match="no suspend nodes matching nodeFieldSelector: id=none"):
        await act(ctx, "resume", manifest(name="run"), "--node-field-selector", "id=none")


async def test_compressed_nodes_stay_compressed(ctx: TriggerContext, client: Client) -> None:
    packed = base64.b64encode(gzip.compress(json.dumps(NODES).encode())).decode()
    await stored(client, "run", status={"phase": "Running", "compressedNodes": packed})

    status = made(await act(ctx, "resume", manifest(name="run")))["status"]
    nodes = json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))

    assert nodes["one"]["phase"] == "Succeeded"
    assert "nodes" not in status


async def test_nodes_in_a_database_cannot_be_changed(ctx: TriggerContext, client: Client) -> None:
    await stored(client, "run", status={"phase": "Failed", "offloadNodeStatusVersion": "fnv:1"})

    with pytest.raises(TriggerError, match="keeps its nodes in a database"):
        await act(ctx, "retry", manifest(name="run"))


def node(key: str, kind: str, phase: str, *children: str, **more: Any) -> Object:
    return {
        "id": key, "name": f"run.{key}", "type": kind, "phase": phase,
        "children": list(children), "finishedAt": "2025-01-01T00:00:00Z", **more,
    }  # fmt: skip


def failed_steps() -> Object:
    """Two steps, of which the second failed after one retry, and an exit handler."""
    found = [
        node("run", "Steps", "Failed", "g0", name="run", outboundNodes=["p1b"], message="child"),
        node("g0", "StepGroup", "Succeeded", "p0", boundaryID="run"),
        node("p0", "Pod", "Succeeded", "g1", boundaryID="run"),
        node("g1", "StepGroup", "Failed", "r1", boundaryID="run", message="child"),
        node("r1", "Retry", "Failed", "p1a", "p1b", boundaryID="run"),
        node("p1a", "Pod", "Failed", boundaryID="run", nodeFlag={"retried": True}),
        node("p1b", "Pod", "Error", boundaryID="run", nodeFlag={"retried": True}),
        node("exit", "Pod", "Succeeded", name="run.onExit"),
    ]
    return {entry["id"]: entry for entry in found}


async def pods(client: Client, *ids: str) -> None:
    for key in ids:
        await client.create(
            PODS,
            {
                "metadata": {
                    "name": f"pod-{key}",
                    "labels": {"workflows.argoproj.io/workflow": "run"},
                    "annotations": {"workflows.argoproj.io/node-id": key},
                },
                "spec": {"containers": [{"name": "main", "image": "i"}]},
            },
            "ns",
        )


@pytest.fixture
async def service_account(client: Client) -> None:
    accounts = Resource("", "v1", "serviceaccounts", "ServiceAccount")
    await client.create(accounts, {"metadata": {"name": "default"}}, "ns")


async def left(client: Client) -> list[str]:
    return [pod["metadata"]["name"] for pod in (await client.list(PODS, "ns")).items]


@pytest.mark.usefixtures("service_account")
async def test_retry_runs_again_what_failed(ctx: TriggerContext, client: Client) -> None:
    await client.create(
        WORKFLOWS,
        {
            **manifest(name="run", labels={"workflows.argoproj.io/completed": "true", "own": "x"}),
            "spec": {"entrypoint": "main", "shutdown": "Stop"},
            "status": {
                "phase": "Failed", "message": "child failed", "nodes": failed_steps(),
                "finishedAt": "2025-01-01T00:00:00Z",
                "conditions": [{"type": "PodRunning", "status": "False"},
                               {"type": "Completed", "status": "True"}],
            },
        },
        "ns",
    )  # fmt: skip
    await pods(client, "p0", "p1a", "p1b", "exit")

    outcome = await act(ctx, "retry", manifest(name="run"))
    again = await act(ctx, "retry", manifest(name="run"))
    workflow = made(outcome)
    status, nodes = workflow["status"], workflow["status"]["nodes"]

    assert (status["phase"], status["message"], status["finishedAt"]) == ("", "", None)
    assert status["conditions"] == [
        {"type": "PodRunning", "status": "False"}, {"type": "Completed", "status": "False"},
    ]  # fmt: skip
    assert workflow["spec"] == {"entrypoint": "main"}
    assert workflow["metadata"]["labels"] == {"own": "x"}
    assert {key: entry["phase"] for key, entry in nodes.items()} == {
        "run": "Running", "g0": "Succeeded", "p0": "Succeeded", "g1": "Running", "r1": "Running",
    }  # fmt: skip
    assert nodes["r1"]["children"] == [] and nodes["run"]["outboundNodes"] == []
    assert nodes["run"]["finishedAt"] is None and "message" not in nodes["g1"]
    assert nodes["p0"] == failed_steps()["p0"]
    assert await left(client) == ["pod-p0"]
    assert made(again)["metadata"]["resourceVersion"] == workflow["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("service_account")
async def test_retry_keeps_what_succeeded_in_a_graph(ctx: TriggerContext, client: Client) -> None:
    found = [
        node("run", "DAG", "Failed", "a", "b", name="run"),
        node("a", "Pod", "Succeeded", "c", boundaryID="run"),
        node("b", "Pod", "Failed", "d", boundaryID="run"),
        node("c", "Pod", "Succeeded", boundaryID="run"),
        node("d", "Omitted", "Omitted", boundaryID="run"),
    ]
    status = {"phase": "Failed", "nodes": {entry["id"]: entry for entry in found}}
    await stored(client, "run", status=status)
    await pods(client, "a", "b", "c")

    nodes = made(await act(ctx, "retry", manifest(name="run")))["status"]["nodes"]

    assert {key: entry["phase"] for key, entry in nodes.items()} == {
        "run": "Running", "a": "Succeeded", "c": "Succeeded",
    }  # fmt: skip
    assert nodes["run"]["children"] == ["a"]
    assert await left(client) == ["pod-a", "pod-c"]


async def test_retry_reaches_through_nested_templates(ctx: TriggerContext, client: Client) -> None:
    found = [
        node("run", "Steps", "Failed", "g", name="run"),
        node("g", "StepGroup", "Failed", "inner", boundaryID="run"),
        node("inner", "DAG", "Failed", "ok", "bad", boundaryID="run"),
        node("ok", "Pod", "Succeeded", boundaryID="inner"),
        node("bad", "Pod", "Failed", boundaryID="inner"),
    ]
    status = {"phase": "Failed", "nodes": {entry["id"]: entry for entry in found}}
    await stored(client, "run", status=status)

    nodes = made(await act(ctx, "retry", manifest(name="run")))["status"]["nodes"]

    assert {key: entry["phase"] for key, entry in nodes.items()} == {
        "run": "Running", "g": "Running", "inner": "Running", "ok": "Succeeded",
    }  # fmt: skip


async def test_retry_leaves_attempts_alone_that_a_later_one_made_good(
    ctx: TriggerContext, client: Client
) -> None:
    found = [
        node("run", "Steps", "Failed", "g", name="run"),
        node("g", "StepGroup", "Failed", "r", "bad", boundaryID="run"),
        node("r", "Retry", "Succeeded", "r0", "r1", boundaryID="run"),
        node("r0", "Pod", "Failed", boundaryID="run"),
        node("r1", "Pod", "Succeeded", boundaryID="run"),
        node("bad", "Pod", "Failed", boundaryID="run"),
    ]
    status = {"phase": "Failed", "nodes": {entry["id"]: entry for entry in found}}
    await stored(client, "run", status=status)

    nodes = made(await act(ctx, "retry", manifest(name="run")))["status"]["nodes"]

    assert sorted(nodes) == ["g", "r", "r0", "r1", "run"]
    assert nodes["r"]["phase"] == "Succeeded"


async def test_selected_nodes_of_a_success_run_again_with_what_follows(
    ctx: TriggerContext, client: Client
) -> None:
    found = [
        node("run", "DAG", "Succeeded", "a", name="run"),
        node("a", "Pod", "Succeeded", "b", boundaryID="run", displayName="first"),
        node("b", "Pod", "Succeeded", boundaryID="run", displayName="second"),
    ]
    status = {"phase": "Succeeded", "nodes": {entry["id"]: entry for entry in found}}
    await stored(client, "run", status=status)
    options = ("--restart-successful", "--node-field-selector", "displayName=second")

    outcome = await act(ctx, "retry", manifest(name="run"), *options, "-p", "x=2")

    nodes = made(outcome)["status"]["nodes"]
    assert {key: entry["phase"] for key, entry in nodes.items()} == {
        "run": "Running", "a": "Succeeded",
    }  # fmt: skip
    assert parameters(made(outcome)) == {"x": "2"}


async def test_a_running_workflow_cannot_be_retried(ctx: TriggerContext, client: Client) -> None:
    await stored(client, "run", status={"phase": "Running"})

    with pytest.raises(TriggerError, match="Cannot retry a workflow in phase Running"):
        await act(ctx, "retry", manifest(name="run"))


async def waited(ctx: TriggerContext, client: Client, phase: str) -> Outcome:
    """Submit with ``--wait``, and let the workflow end as *phase*."""
    assert isinstance(ctx.clock, VirtualClock)
    acting = asyncio.create_task(act(ctx, "submit", manifest(name="run"), "--wait"))
    async with asyncio.timeout(10):
        while not ctx.clock.sleepers:
            await asyncio.sleep(0.01)
        assert not acting.done()
        status = {"phase": phase, "message": "over"}
        await client.patch(WORKFLOWS, "run", {"status": status}, "ns")
        await ctx.clock.advance(5)
        return await acting


async def test_an_action_can_last_as_long_as_its_workflow(
    ctx: TriggerContext, client: Client
) -> None:
    outcome = await waited(ctx, client, "Succeeded")

    assert outcome.detail.endswith("run in namespace ns, which succeeded")


async def test_a_workflow_that_is_waited_for_and_fails_is_a_failure(
    ctx: TriggerContext, client: Client
) -> None:
    with pytest.raises(PolicyError, match="the workflow run ended as Failed: over"):
        await waited(ctx, client, "Failed")


async def test_the_workflow_is_observed_as_it_is_now(ctx: TriggerContext, client: Client) -> None:
    trigger = ArgoWorkflow()
    await trigger.start(ctx)
    block = {"operation": "submit", "source": {"resource": manifest(name="run")}}
    config = Config.model_validate(block)
    outcome = await trigger.fire(await prepared(trigger, config))
    await client.patch(WORKFLOWS, "run", {"metadata": {"labels": {"done": "yes"}}}, "ns")

    observed = await trigger.observe(outcome)

    assert observed is not None and observed["metadata"]["labels"]["done"] == "yes"


@pytest.mark.parametrize(
    ("operation", "args", "problem"),
    [
        ("", [], "unknown operation type "),
        ("start", [], "unknown operation type start"),
        ("resume", ["--foo", "--bar"], "args: --foo is not supported here"),
        ("submit", ["-x"], "args: -x is not supported here"),
        ("submit", ["-n", "other"], "args: -n is not supported here: set metadata.namespace"),
        ("submit", ["--from", "cronwf/x"], "it belongs to the operation submit-from"),
        ("submit", ["-f", "params.yaml"], "args: -f is not supported here"),
        ("submit", ["--dry-run"], "`tiphys render` shows what would be created"),
        ("resubmit", ["--memoized"], "a resubmitted workflow runs from its start"),
        ("resubmit", ["-l", "a=b"], "a selector of other workflows has no place here"),
        ("submit", ["other.yaml"], "args: 'other.yaml' is no option"),
        ("submit", ["-p"], "args: -p needs a value"),
        ("submit", ["-p", "novalue"], "args: --parameter has the form NAME=VALUE, not 'novalue'"),
        ("submit", ["-l", "a"], "args: --labels has the form NAME=VALUE, not 'a'"),
        ("submit", ["--priority=high"], "args: --priority is a number, not 'high'"),
        ("submit", ["--wait=maybe"], "args: --wait is true or false, not 'maybe'"),
        ("submit-from", ["--from=x"], "args: --from has the form KIND/NAME, not 'x'"),
        ("submit", ["--scheduled-time=soon"], "args: --scheduled-time is no time: 'soon'"),
        ("stop", ["--node-field-selector=x"], "a selector has terms FIELD=VALUE, not 'x'"),
    ],
)
def test_arguments_that_cannot_be_honoured_are_named_beforehand(
    operation: str, args: list[str], problem: str
) -> None:
    block = {"operation": operation, "args": args, "source": {"resource": manifest(name="x")}}

    (found,) = ArgoWorkflow.check(Config.model_validate(block))

    assert problem in found


def test_a_source_is_needed() -> None:
    config = Config.model_validate({"operation": "submit"})

    assert ArgoWorkflow.check(config) == [
        "argoWorkflow trigger does not contain an absolute action"
    ]
