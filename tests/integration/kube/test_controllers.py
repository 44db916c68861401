"""What the controllers of a cluster do: owners and what they own, namespaces, claims."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.kube._contract import (
    SERVICE_ACCOUNTS,
    KubernetesContract,
    config_map,
    eventually,
    finalizers,
    gone,
    make,
    owned_by,
    there,
)
from tiphys.errors import NotFound
from tiphys.kube import CONFIG_MAPS, NAMESPACES, Client, Resource

CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")


async def make_owned(
    client: Client, namespace: str, name: str, owner: dict[str, Any], **options: Any
) -> None:
    body = config_map(name)
    body["metadata"]["ownerReferences"] = owned_by(owner, **options)
    await client.create(CONFIG_MAPS, body, namespace)


class TestOwners(KubernetesContract):
    async def test_what_is_owned_goes_with_its_owner(self, client: Client, namespace: str) -> None:
        owner = await make(client, namespace, "owner")
        await make_owned(client, namespace, "owned", owner)
        await make(client, namespace, "free")

        await client.delete(CONFIG_MAPS, "owner", namespace)

        await gone(client, CONFIG_MAPS, "owned", namespace)
        assert await client.get(CONFIG_MAPS, "free", namespace)

    async def test_chains_go_together(self, client: Client, namespace: str) -> None:
        owner = await make(client, namespace, "a")
        await make_owned(client, namespace, "b", owner)
        middle = await client.get(CONFIG_MAPS, "b", namespace)
        await make_owned(client, namespace, "c", middle)

        await client.delete(CONFIG_MAPS, "a", namespace)

        await gone(client, CONFIG_MAPS, "c", namespace)
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "b", namespace)

    async def test_one_of_two_owners_is_enough(self, client: Client, namespace: str) -> None:
        one, two = await make(client, namespace, "one"), await make(client, namespace, "two")
        body = config_map("owned")
        body["metadata"]["ownerReferences"] = [*owned_by(one), *owned_by(two)]
        await client.create(CONFIG_MAPS, body, namespace)

        await client.delete(CONFIG_MAPS, "one", namespace)

        async def forgotten() -> bool:
            owned = await client.get(CONFIG_MAPS, "owned", namespace)
            return len(owned["metadata"]["ownerReferences"]) == 1

        await eventually(forgotten)
        owned = await client.get(CONFIG_MAPS, "owned", namespace)
        assert owned["metadata"]["ownerReferences"] == owned_by(two)

    async def test_orphans_stay(self, client: Client, namespace: str) -> None:
        owner = await make(client, namespace, "owner")
        await make_owned(client, namespace, "owned", owner)

        answer = await client.delete(CONFIG_MAPS, "owner", namespace, propagation="Orphan")
        assert answer["metadata"]["finalizers"] == ["orphan"]
        await gone(client, CONFIG_MAPS, "owner", namespace)

        orphan = await client.get(CONFIG_MAPS, "owned", namespace)
        assert "ownerReferences" not in orphan["metadata"]

    async def test_in_the_foreground_the_owner_goes_last(
        self, client: Client, namespace: str
    ) -> None:
        owner = await make(client, namespace, "owner")
        await make_owned(client, namespace, "owned", owner, blockOwnerDeletion=True)
        await finalizers(client, namespace, "owned", "example.com/x")

        answer = await client.delete(CONFIG_MAPS, "owner", namespace, propagation="Foreground")
        assert answer["metadata"]["finalizers"] == ["foregroundDeletion"]

        async def going() -> bool:
            owned = await client.get(CONFIG_MAPS, "owned", namespace)
            return "deletionTimestamp" in owned["metadata"]

        await eventually(going)
        assert await client.get(CONFIG_MAPS, "owner", namespace)
        await finalizers(client, namespace, "owned")
        await gone(client, CONFIG_MAPS, "owner", namespace)


class TestNamespaces(KubernetesContract):
    async def test_a_namespace_goes_with_its_content(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        answer = await client.delete(NAMESPACES, namespace)
        assert answer["status"]["phase"] == "Terminating"

        await gone(client, NAMESPACES, namespace, "")
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a", namespace)

    async def test_a_namespace_has_a_service_account_and_the_authority(
        self, client: Client, namespace: str
    ) -> None:
        await there(client, SERVICE_ACCOUNTS, "default", namespace)
        await there(client, CONFIG_MAPS, "kube-root-ca.crt", namespace)

        account = await client.get(SERVICE_ACCOUNTS, "default", namespace)
        authority = await client.get(CONFIG_MAPS, "kube-root-ca.crt", namespace)
        assert account["metadata"]["namespace"] == namespace
        assert "ca.crt" in authority["data"]


class TestClaims(KubernetesContract):
    async def test_a_claim_is_gone_when_no_pod_uses_it(
        self, client: Client, namespace: str
    ) -> None:
        body = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }  # fmt: skip
        made = await client.create(CLAIMS, body, namespace)
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]

        await client.delete(CLAIMS, "a", namespace)

        await gone(client, CLAIMS, "a", namespace)
