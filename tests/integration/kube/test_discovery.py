"""What the server says of itself, and what the client makes of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.integration.kube._contract import KubernetesContract, make
from tiphys.errors import KubernetesError, NotFound
from tiphys.kube import CONFIG_MAPS, PODS, Client
from tiphys.kube._discovery import Discovery
from tiphys.kube._failures import Target
from tiphys.kube._transport import Transport


class WithoutAggregation(Transport):
    """The same server, as one that offers only the old documents."""

    async def read(self, method: str, path: str, target: Target, **options: Any) -> bytes:
        return await super().read(method, path, target, **{**options, "accept": "application/json"})


class TestDiscovery(KubernetesContract):
    @pytest.mark.parametrize("old", [False, True])
    async def test_kinds_are_found(self, client: Client, old: bool) -> None:
        transport = WithoutAggregation(client.cluster) if old else Transport(client.cluster)
        discovery = Discovery(transport)
        try:
            pods = await discovery.kind("v1", "Pod")
            jobs = await discovery.kind("batch/v1", "Job")
            roles = await discovery.plural("rbac.authorization.k8s.io/v1", "clusterroles")
            accounts = await discovery.kind("v1", "ServiceAccount")
        finally:
            await transport.close()

        assert (pods.plural, pods.namespaced, pods.short_names) == ("pods", True, ("po",))
        assert {
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        } == set(pods.verbs)
        assert {"status", "log"} <= pods.subresources
        assert (jobs.group, jobs.version, jobs.plural) == ("batch", "v1", "jobs")
        assert (roles.kind, roles.namespaced) == ("ClusterRole", False)
        assert "token" in accounts.subresources

    async def test_an_unknown_kind_has_the_nearest_one_in_its_error(self, client: Client) -> None:
        with pytest.raises(
            NotFound, match=r"no kind 'Deploymnt' in apps/v1; did you mean 'Deployment'"
        ):
            await client.discovery.kind("apps/v1", "Deploymnt")

    async def test_an_unknown_version_says_that_definitions_may_be_missing(
        self, client: Client
    ) -> None:
        with pytest.raises(NotFound, match=r"no API version 'nothing.example/v1'.*\(CRDs\)"):
            await client.discovery.kind("nothing.example/v1", "Thing")

    async def test_a_kind_of_another_version_is_named(self, client: Client) -> None:
        with pytest.raises(NotFound, match="no kind 'Deployment' in v1, but in apps/v1"):
            await client.discovery.kind("v1", "Deployment")

    async def test_the_object_says_where_it_goes(self, client: Client) -> None:
        assert (await client.resource_of({"apiVersion": "v1", "kind": "Pod"})).path("a", "b") == (
            "/api/v1/namespaces/a/pods/b"
        )

    async def test_the_version_is_known(self, client: Client) -> None:
        version = await client.version()

        assert (version["major"], version["gitVersion"][:2]) == ("1", "v1")

    async def test_unknown_places_are_not_found(self, client: Client) -> None:
        read = client._transport.read
        target = Target("look")
        with pytest.raises(NotFound, match="404 page not found"):
            await read("GET", "/apis/nothing.example/v1/things", target)
        with pytest.raises(NotFound, match="the server could not find the requested resource"):
            await read("GET", "/api/v1/things", target)
        with pytest.raises(NotFound, match="the server could not find the requested resource"):
            await read("GET", "/apis/apps/v9/deployments", target)

    async def test_a_method_that_is_not_there_is_refused(self, client: Client) -> None:
        with pytest.raises(KubernetesError, match="does not allow this method") as refused:
            await client._transport.read("DELETE", "/api/v1/namespaces", Target("delete"))

        assert refused.value.status == 405

    async def test_kubectl_gets_tables(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1")
        accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
        path = CONFIG_MAPS.path(namespace)
        answer = orjson.loads(
            await client._transport.read("GET", path, Target("list", PODS), accept=accept)
        )

        assert answer["kind"] == "Table"
        names = [column["name"] for column in answer["columnDefinitions"]]
        assert names == ["Name", "Data", "Age"]
        first = answer["rows"][0]
        assert first["cells"][:2] == ["a", 1]
        assert first["object"]["kind"] == "PartialObjectMetadata"
        assert first["object"]["metadata"]["name"] == "a"

    async def test_openapi_documents_are_linked(self, client: Client) -> None:
        read = client._transport.read
        index = orjson.loads(await read("GET", "/openapi/v3", Target("read")))

        assert index["paths"]["apis/apps/v1"]["serverRelativeURL"].startswith(
            "/openapi/v3/apis/apps/v1"
        )
        document = orjson.loads(await read("GET", "/openapi/v3/apis/apps/v1", Target("read")))
        assert "/apis/apps/v1/namespaces/{namespace}/deployments" in document["paths"]
