"""The real kubectl works with the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.kube._contract import (
    DEPLOYMENTS,
    REAL,
    KubernetesContract,
    config_map,
    deployment,
    make,
    pod,
)
from tests.integration.kube._kubectl import Kubectl, install
from tiphys.aio import stop
from tiphys.errors import NotFound
from tiphys.kube import CONFIG_MAPS, PODS, Client
from tiphys.testing.kubernetes import APIServer


class TestKubectl(KubernetesContract):
    @pytest.fixture
    async def kubectl(self, server: APIServer | None, namespace: str, tmp_path: Path) -> Kubectl:
        path = Path(REAL) if server is None else server.kubeconfig(tmp_path / "config")
        return Kubectl(await install(), path, namespace)

    async def test_get_prints_tables(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a", x="1", y="2")

        printed = await kubectl("get", "configmaps", "a")

        header, row = (line.split() for line in printed.splitlines())
        assert header == ["NAME", "DATA", "AGE"]
        assert row[:2] == ["a", "2"]

    async def test_get_prints_objects(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        made = await make(client, namespace, "a", x="1")

        one = orjson.loads(await kubectl("get", "cm", "a", "-o", "json", "--show-managed-fields"))
        many = orjson.loads(await kubectl("get", "cm", "-o", "json", "--chunk-size=1"))

        assert one == made
        assert "a" in [item["metadata"]["name"] for item in many["items"]]

    async def test_get_says_what_is_not_there(self, kubectl: Kubectl) -> None:
        code, _, errors = await kubectl.run("get", "deployments", "nothing")

        assert code == 1
        assert errors == 'Error from server (NotFound): deployments.apps "nothing" not found\n'

    async def test_create_checks_fields(self, kubectl: Kubectl) -> None:
        code, _, errors = await kubectl.run(
            "create", "-f", "-", stdin={**config_map("a"), "colour": "red"}
        )

        assert code == 1
        assert 'strict decoding error: unknown field "colour"' in errors

    async def test_create_makes_objects_of_many_kinds(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await kubectl("create", "-f", "-", stdin=deployment("d"))
        await kubectl("create", "configmap", "c", "--from-literal=x=1")
        await kubectl("create", "secret", "generic", "s", "--from-literal=x=1")
        await kubectl("create", "serviceaccount", "sa")
        await kubectl("create", "role", "r", "--verb=get", "--resource=pods")
        await kubectl("create", "rolebinding", "rb", "--role=r", f"--serviceaccount={namespace}:sa")

        assert (await client.get(CONFIG_MAPS, "c", namespace))["data"] == {"x": "1"}
        printed = await kubectl("get", "deploy,cm,secrets,sa,roles,rolebindings", "-o", "name")
        for name in (
            "deployment.apps/d", "configmap/c", "secret/s", "serviceaccount/sa",
            "role.rbac.authorization.k8s.io/r", "rolebinding.rbac.authorization.k8s.io/rb",
        ):  # fmt: skip
            assert name in printed.splitlines()

    async def test_apply_creates_changes_and_removes(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
        first = deployment("d", env=env, args=["x"])
        assert "created" in await kubectl("apply", "-f", "-", stdin=first)
        assert "unchanged" in await kubectl("apply", "-f", "-", stdin=first)
        await client.patch(DEPLOYMENTS, "d", {"spec": {"paused": True}}, namespace)

        second = deployment("d", env=env[1:])
        assert "configured" in await kubectl("apply", "-f", "-", stdin=second)

        spec = (await client.get(DEPLOYMENTS, "d", namespace))["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        assert container["env"] == env[1:]
        assert "args" not in container
        assert spec["paused"] is True

    async def test_apply_on_the_server_finds_conflicts(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a", x="1")

        code, _, errors = await kubectl.run(
            "apply", "--server-side", "-f", "-", stdin=config_map("a", x="2")
        )
        assert code == 1
        assert (
            'Apply failed with 1 conflict: conflict with "argo-events" using v1: .data.x' in errors
        )

        await kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=config_map("a", x="2")
        )
        assert (await client.get(CONFIG_MAPS, "a", namespace))["data"] == {"x": "2"}

    async def test_patch_label_and_annotate_change(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a", x="1")

        await kubectl("patch", "cm", "a", "-p", '{"data": {"y": "2"}}')
        await kubectl("patch", "cm", "a", "--type=merge", "-p", '{"data": {"x": null}}')
        operations = '[{"op": "add", "path": "/data/z", "value": "3"}]'
        await kubectl("patch", "cm", "a", "--type=json", "-p", operations)
        await kubectl("label", "cm", "a", "colour=red")
        await kubectl("annotate", "cm", "a", "note=long text")

        found = await client.get(CONFIG_MAPS, "a", namespace)
        assert found["data"] == {"y": "2", "z": "3"}
        assert found["metadata"]["labels"] == {"colour": "red"}
        assert found["metadata"]["annotations"] == {"note": "long text"}

    async def test_replace_and_diff(self, kubectl: Kubectl, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1")

        await kubectl("replace", "-f", "-", stdin=config_map("a", x="2"))
        assert (await client.get(CONFIG_MAPS, "a", namespace))["data"] == {"x": "2"}

        code, printed, errors = await kubectl.run("diff", "-f", "-", stdin=config_map("a", x="3"))
        assert (code, errors) == (1, "")
        assert '+  x: "3"' in printed

    async def test_delete_waits_until_it_is_gone(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a")
        patch = {"metadata": {"finalizers": ["example.com/x"]}}
        await client.patch(CONFIG_MAPS, "a", patch, namespace)

        deleting = asyncio.create_task(kubectl("delete", "cm", "a"))
        try:
            watch = client.watch(CONFIG_MAPS, namespace, fields="metadata.name=a")
            async for change in watch:
                if "deletionTimestamp" in change.object["metadata"]:
                    break
            await client.patch(CONFIG_MAPS, "a", {"metadata": {"finalizers": None}}, namespace)
            assert 'configmap "a" deleted' in await deleting
        finally:
            await stop(deleting)

        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a", namespace)

    async def test_get_watches(self, kubectl: Kubectl, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")
        watching = await kubectl.start(
            "get", "cm", "--watch", "--output-watch-events", "--no-headers"
        )
        try:
            assert watching.stdout is not None
            async with asyncio.timeout(30):
                first = (await watching.stdout.readline()).split()
                await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace)
                await client.delete(CONFIG_MAPS, "a", namespace)
                seen = [first]
                while seen[-1][:2] != [b"DELETED", b"a"]:
                    seen.append((await watching.stdout.readline()).split())
        finally:
            watching.kill()
            await watching.communicate()

        assert [line[:3] for line in seen if line[1] == b"a"] == [
            [b"ADDED", b"a", b"0"], [b"MODIFIED", b"a", b"1"], [b"DELETED", b"a", b"1"],
        ]  # fmt: skip

    async def test_wait_sees_a_condition(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await client.create(PODS, pod("a"), namespace)
        waiting = asyncio.create_task(
            kubectl("wait", "pod/a", "--for=condition=Ready", "--timeout=30s")
        )
        try:
            condition = {"type": "Ready", "status": "True"}
            await client.patch(
                PODS, "a", {"status": {"phase": "Running", "conditions": [condition]}},
                namespace, subresource="status",
            )  # fmt: skip
            assert await waiting == "pod/a condition met\n"
        finally:
            await stop(waiting)

    async def test_describe_and_explain(
        self, kubectl: Kubectl, client: Client, namespace: str
    ) -> None:
        await client.create(DEPLOYMENTS, deployment("d"), namespace)

        printed = await kubectl("describe", "deployment", "d")
        explained = await kubectl("explain", "deployment.spec.replicas")

        assert "busybox:1" in printed
        assert "FIELD: replicas <integer>" in explained

    async def test_api_resources_are_listed(self, kubectl: Kubectl) -> None:
        printed = await kubectl("api-resources", "--no-headers")

        rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines()}
        assert rows["deployments"] == ["deploy", "apps/v1", "true", "Deployment"]
        assert rows["namespaces"] == ["ns", "v1", "false", "Namespace"]

    async def test_auth_answers(self, kubectl: Kubectl, namespace: str) -> None:
        await kubectl("create", "serviceaccount", "worker")

        assert await kubectl("auth", "can-i", "create", "pods") == "yes\n"
        assert "Username" in await kubectl("auth", "whoami")
        token = await kubectl("create", "token", "worker")
        code, printed, _ = await kubectl.run(
            "auth", "can-i", "create", "pods", "--token", token.strip()
        )
        assert (code, printed) == (1, "no\n")


class TestKubectlWithArgo:
    @pytest.fixture
    async def server(self) -> Any:
        async with APIServer(tls=True) as server:
            yield server

    async def test_the_kinds_of_argo_are_known_by_their_short_names(
        self, server: APIServer, tmp_path: Path
    ) -> None:
        kubectl = Kubectl(await install(), server.kubeconfig(tmp_path / "config"), "default")
        body = {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {"generateName": "run-"},
            "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
        }  # fmt: skip

        assert "created" in await kubectl("create", "-f", "-", stdin=body)

        printed = await kubectl("get", "wf,es,sn,eb,wftmpl,cwft,cwf", "-o", "name")
        (name,) = printed.split()
        assert name.startswith("workflow.argoproj.io/run-")

    async def test_logs_are_printed(self, server: APIServer, tmp_path: Path) -> None:
        kubectl = Kubectl(await install(), server.kubeconfig(tmp_path / "config"), "default")
        await kubectl("create", "-f", "-", stdin=pod("a"))
        server.set_logs("default", "a", "main", "one\ntwo\n")

        assert await kubectl("logs", "a") == "one\ntwo\n"
        assert await kubectl("logs", "a", "--tail=1") == "two\n"
