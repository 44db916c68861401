"""The walkthrough: a push becomes a Job and a Workflow, with the rights of its service account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests._ports import free_port
from tests.e2e._program import Program, tiphys
from tests.e2e.test_github_push import send
from tiphys.kube import NAMESPACES, Client, Resource
from tiphys.manifests import documents
from tiphys.testing.kubernetes import APIServer

EXAMPLE = Path(__file__).parents[2] / "examples/walkthrough"
ORIGINAL = Path(__file__).parents[1] / "data/walkthrough"
ACCOUNT = "system:serviceaccount:argo-events:argo-events-sa"
COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
JOBS = Resource("batch", "v1", "jobs", "Job")
WORKFLOWS = Resource("argoproj.io", "v1alpha1", "workflows", "Workflow")
Object = dict[str, Any]
MANIFESTS = {
    path.name: path.read_text()
    for path in EXAMPLE.glob("*.yaml")
    if not path.name.endswith(".test.yaml")
}


@pytest.fixture
async def server() -> AsyncIterator[APIServer]:
    async with APIServer() as server:
        yield server


@pytest.fixture
async def client(server: APIServer) -> AsyncIterator[Client]:
    """A client of a cluster in which the walkthrough's rights are granted."""
    async with server.client() as client:
        for name in ("argo-events", "ci"):
            await client.create(NAMESPACES, {"metadata": {"name": name}})
        for document in documents.read(MANIFESTS["rbac.yaml"]):
            await client.create(await client.resource_of(document.data), document.data)
        yield client


async def started(program: Program) -> str:
    """Run the walkthrough, and give the address of the webhook."""
    port = free_port()
    for name, text in MANIFESTS.items():
        program.write(name, text.replace("12000", str(port)))
    await program.start()
    return f"http://127.0.0.1:{port}/push"


@pytest.fixture
async def url(program: Program, server: APIServer, client: Client, tmp_path: Path) -> str:
    program.env["KUBECONFIG"] = str(server.kubeconfig(tmp_path / "kubeconfig", ACCOUNT))
    return await started(program)


async def made(
    client: Client, resource: Resource, namespace: str, count: int, timeout: float = 15.0
) -> list[Object]:
    """The objects, once there are *count*."""
    async with asyncio.timeout(timeout):
        while len(items := (await client.list(resource, namespace)).items) < count:
            await asyncio.sleep(0.05)
    return items


def push(**changes: Any) -> str:
    return json.dumps({**json.loads((EXAMPLE / "push.json").read_text()), **changes})


async def test_a_push_to_main_becomes_a_job_and_a_workflow(url: str, client: Client) -> None:
    status, _ = await send(url, push())
    (job,) = await made(client, JOBS, "ci", 1)
    (workflow,) = await made(client, WORKFLOWS, "argo-events", 1)
    container = job["spec"]["template"]["spec"]["containers"][0]

    assert status == 200
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "COMMIT_SHA": COMMIT,
        "BRANCH": "refs/heads/main",
        "REPO": "myorg/backend-api",
    }
    assert {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]} == {
        "repo-url": "https://github.com/myorg/backend-api.git",
        "commit-sha": COMMIT,
        "branch": "refs/heads/main",
    }
    labels = [made["metadata"]["labels"] for made in (job, workflow)]
    assert [(m["events.argoproj.io/sensor"], m["events.argoproj.io/trigger"]) for m in labels] == [
        ("github-build-sensor", "build-trigger"),
        ("github-workflow-sensor", "trigger-build-workflow"),
    ]


async def test_only_the_wanted_pushes_become_jobs(url: str, client: Client) -> None:
    for ref in ("refs/heads/main", "refs/heads/release/1.2", "refs/heads/try-something"):
        assert (await send(url, push(ref=ref)))[0] == 200
    await made(client, WORKFLOWS, "argo-events", 3)
    jobs = await made(client, JOBS, "ci", 2)
    branches = {job["spec"]["template"]["spec"]["containers"][0]["env"][1]["value"] for job in jobs}

    assert branches == {"refs/heads/main", "refs/heads/release/1.2"}


@pytest.mark.timeout(120)  # the bus gives again after 30 s what was not acknowledged
async def test_a_crash_in_between_creates_nothing_twice(
    url: str, program: Program, client: Client
) -> None:
    for number in range(10):
        assert (await send(url, push(after=f"commit-{number}")))[0] == 200
    await program.kill()
    await program.revive()

    jobs = await made(client, JOBS, "ci", 10, timeout=60)
    workflows = await made(client, WORKFLOWS, "argo-events", 10, timeout=60)

    await asyncio.sleep(1)  # what comes again comes at about the same time

    assert (len(jobs), len(workflows)) == (10, 10)
    assert len((await client.list(JOBS, "ci")).items) == 10
    assert len((await client.list(WORKFLOWS, "argo-events")).items) == 10
    commits = {job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] for job in jobs}
    assert commits == {f"commit-{number}" for number in range(10)}


async def test_missing_rights_are_said_with_the_rule_that_grants_them(
    url: str, program: Program, client: Client
) -> None:
    roles = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
    await client.delete(roles, "argo-events-role", "ci")

    await send(url, push())
    await program.wait_output("cannot create jobs.batch in namespace ci")
    await program.wait_output(r"resources: [\"jobs\"]")  # JSON inside JSON

    assert await made(client, WORKFLOWS, "argo-events", 1)


async def test_without_a_cluster_everything_else_runs_and_a_line_for_each_trigger_says_why(
    program: Program, tmp_path: Path
) -> None:
    program.env["KUBECONFIG"] = str(tmp_path / "nothing")

    url = await started(program)

    assert (await send(url, push()))[0] == 200
    lines = [line for line in program.output.splitlines() if "A trigger cannot run" in line]
    assert len(lines) == 2
    assert all("this trigger acts on a Kubernetes cluster" in line for line in lines)


@pytest.mark.parametrize("folder", [EXAMPLE, ORIGINAL], ids=["ours", "original"])
async def test_lint_finds_nothing_wrong(folder: Path) -> None:
    status, output = await tiphys("lint", "--portable", str(folder))

    assert status == 0, output
