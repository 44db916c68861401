"""Who may do what: tokens, roles, and what is said to those who may not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.integration.kube._contract import (
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    KubernetesContract,
    causes,
    eventually,
    make,
    service_account,
)
from tiphys.errors import Forbidden, Invalid, KubernetesError
from tiphys.kube import CONFIG_MAPS, NAMESPACES, PODS, Client
from tiphys.kube._credentials import Credentials, FixedCredentials

RBAC = "rbac.authorization.k8s.io"


async def grant(client: Client, namespace: str, account: str, *rules: dict[str, Any]) -> None:
    """Let a service account do what *rules* say in its namespace."""
    named = {"metadata": {"name": account}}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", **named, "rules": list(rules)}
    binding = {
        "apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", **named,
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }  # fmt: skip
    await client.create(ROLES, role, namespace)
    await client.create(ROLE_BINDINGS, binding, namespace)


async def allowed(client: Client, verb: str, namespace: str, name: str = "") -> bool:
    """What the server says to somebody who asks before trying."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {
            "resourceAttributes": {
                "verb": verb, "resource": "configmaps", "namespace": namespace, "name": name,
            }
        },
    }  # fmt: skip
    resource = await client.discovery.kind("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    answer = await client.create(resource, review)
    return bool(answer["status"]["allowed"])


def rule(*verbs: str, **more: Any) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs), **more}


class TestIdentity(KubernetesContract):
    async def test_an_unknown_token_is_nobody(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError) as refused:
            await self.as_somebody(client, FixedCredentials.token("nonsense"), namespace)

        assert refused.value.status == 401
        assert refused.value.reason == "Unauthorized"

    async def test_without_a_token_one_is_anonymous(self, client: Client, namespace: str) -> None:
        with pytest.raises(Forbidden, match='User "system:anonymous" cannot list'):
            await self.as_somebody(client, Credentials(), namespace)

    async def test_a_short_token_is_refused(self, client: Client, namespace: str) -> None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
        await client.create(SERVICE_ACCOUNTS, account, namespace)
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 60},
        }

        with pytest.raises(Invalid) as refused:
            await client.create(SERVICE_ACCOUNTS, request, namespace, name="a", subresource="token")

        assert causes(refused.value) == {("FieldValueInvalid", "spec.expirationSeconds")}

    async def as_somebody(self, client: Client, credentials: Credentials, namespace: str) -> None:
        cluster = dataclasses.replace(client.cluster, credentials=credentials)
        async with Client(cluster) as somebody:
            await somebody.list(CONFIG_MAPS, namespace)


class TestRoles(KubernetesContract):
    async def test_without_a_role_nothing_is_allowed(self, client: Client, namespace: str) -> None:
        async with service_account(client, namespace, "worker") as worker:
            with pytest.raises(Forbidden) as refused:
                await worker.get(CONFIG_MAPS, "a", namespace)

        user = f"system:serviceaccount:{namespace}:worker"
        assert (
            f'configmaps "a" is forbidden: User "{user}" cannot get resource "configmaps" in API '
            f'group "" in the namespace "{namespace}"'
        ) in refused.value.message
        assert refused.value.reason == "Forbidden"
        assert refused.value.details == {"name": "a", "kind": "configmaps"}

    async def test_all_namespaces_are_the_cluster(self, client: Client, namespace: str) -> None:
        async with service_account(client, namespace, "worker") as worker:
            with pytest.raises(Forbidden) as refused:
                await worker.list(CONFIG_MAPS)

        user = f"system:serviceaccount:{namespace}:worker"
        assert (
            f'configmaps is forbidden: User "{user}" cannot list resource "configmaps" in API '
            f'group "" at the cluster scope'
        ) in refused.value.message
        assert refused.value.details == {"kind": "configmaps"}

    async def test_the_error_has_the_role_that_helps(self, client: Client, namespace: str) -> None:
        async with service_account(client, namespace, "worker") as worker:
            with pytest.raises(Forbidden) as refused:
                await worker.logs("a", namespace)

        assert refused.value.message.endswith(
            "apiVersion: rbac.authorization.k8s.io/v1\n"
            "kind: Role\n"
            "metadata:\n"
            "  name: tiphys\n"
            f"  namespace: {namespace}\n"
            "rules:\n"
            '- apiGroups: [""]\n'
            '  resources: ["pods/log"]\n'
            '  verbs: ["get"]'
        )

    async def test_a_role_allows_what_it_says(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1")
        async with service_account(client, namespace, "worker") as worker:
            await grant(client, namespace, "worker", rule("get", "list"))
            await self.granted(worker, "get", namespace)

            assert (await worker.get(CONFIG_MAPS, "a", namespace))["data"] == {"x": "1"}
            assert (await worker.list(CONFIG_MAPS, namespace)).items
            with pytest.raises(Forbidden, match="cannot delete resource"):
                await worker.delete(CONFIG_MAPS, "a", namespace)
            with pytest.raises(Forbidden, match='cannot list resource "pods"'):
                await worker.list(PODS, namespace)
            with pytest.raises(Forbidden, match='in the namespace "default"'):
                await worker.get(CONFIG_MAPS, "a", "default")

    async def test_names_limit_a_role(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")
        async with service_account(client, namespace, "worker") as worker:
            await grant(client, namespace, "worker", rule("get", resourceNames=["a"]))
            await self.granted(worker, "get", namespace, "a")

            assert await worker.get(CONFIG_MAPS, "a", namespace)
            with pytest.raises(Forbidden):
                await worker.get(CONFIG_MAPS, "b", namespace)

    async def test_a_subresource_is_a_resource_of_its_own(
        self, client: Client, namespace: str
    ) -> None:
        async with service_account(client, namespace, "worker") as worker:
            pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}
            await grant(client, namespace, "worker", pods, rule("get"))
            await self.granted(worker, "get", namespace)

            with pytest.raises(Forbidden, match='cannot get resource "pods/log"'):
                await worker.logs("a", namespace)

    async def test_cluster_objects_need_a_cluster_role(
        self, client: Client, namespace: str
    ) -> None:
        async with service_account(client, namespace, "worker") as worker:
            with pytest.raises(Forbidden, match="kind: ClusterRole"):
                await worker.list(NAMESPACES)

    async def test_everybody_may_discover(self, client: Client, namespace: str) -> None:
        async with service_account(client, namespace, "worker") as worker:
            assert (await worker.discovery.kind("v1", "Pod")).plural == "pods"

    async def granted(self, worker: Client, verb: str, namespace: str, name: str = "") -> None:
        """Wait until the server knows of a role; a real one takes a moment."""

        async def check() -> bool:
            return await allowed(worker, verb, namespace, name)

        await eventually(check)


class TestRoleRules(KubernetesContract):
    async def test_a_rule_needs_verbs_groups_and_resources(
        self, client: Client, namespace: str
    ) -> None:
        body = {
            "apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "a"},
            "rules": [{"verbs": []}],
        }  # fmt: skip

        with pytest.raises(Invalid) as refused:
            await client.create(ROLES, body, namespace)

        assert causes(refused.value) == {
            ("FieldValueRequired", "rules[0].verbs"),
            ("FieldValueRequired", "rules[0].apiGroups"),
            ("FieldValueRequired", "rules[0].resources"),
        }

    async def test_a_binding_keeps_its_role(self, client: Client, namespace: str) -> None:
        await grant(client, namespace, "a", rule("get"))

        with pytest.raises(Invalid, match="cannot change roleRef"):
            await client.patch(ROLE_BINDINGS, "a", {"roleRef": {"name": "b"}}, namespace)

    async def test_a_role_is_created_by_putting_it(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": f"{RBAC}/v1", "kind": "Role",
            "metadata": {"name": "a", "namespace": namespace}, "rules": [rule("get")],
        }  # fmt: skip

        assert (await client.replace(ROLES, body))["metadata"]["uid"]
