"""Whose changes are tracked, and whose are not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.kube._contract import (
    DEPLOYMENTS,
    KubernetesContract,
    config_map,
    deployment,
    make,
)
from tiphys.errors import UpdateConflict
from tiphys.kube import CONFIG_MAPS, Client, Patch

ENTRY = {
    "manager": "somebody", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
    "time": "2026-01-31T12:00:00Z", "fieldsV1": {"f:data": {"f:x": {}}},
}  # fmt: skip
BEFORE = ("before-first-apply", "Update")


def tracked(obj: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]] | None:
    """The fields of each manager and operation; None where nothing is tracked."""
    if "managedFields" not in obj["metadata"]:
        return None
    entries = obj["metadata"]["managedFields"]
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in entries}


class TestManagedFields(KubernetesContract):
    async def patch(
        self, client: Client, namespace: str, body: dict[str, Any], kind: Patch = Patch.MERGE
    ) -> dict[str, Any]:
        return await client.patch(CONFIG_MAPS, "a", body, namespace, kind=kind, field_manager="me")

    async def stripped(self, client: Client, namespace: str) -> dict[str, Any]:
        """A ConfigMap that has lost its entries."""
        await make(client, namespace, "a", x="1")
        return await self.patch(client, namespace, {"metadata": {"managedFields": [{}]}})

    async def test_an_empty_entry_ends_the_tracking(self, client: Client, namespace: str) -> None:
        assert tracked(await self.stripped(client, namespace)) is None
        assert tracked(await client.get(CONFIG_MAPS, "a", namespace)) is None

    @pytest.mark.parametrize("data", [{}, {"x": "1"}], ids=["empty", "stripped"])
    async def test_of_an_object_without_entries_no_update_is_tracked(
        self, client: Client, namespace: str, data: dict[str, str]
    ) -> None:
        if data:
            await self.stripped(client, namespace)
        else:
            assert tracked(await make(client, namespace, "a")) is None

        patched = await self.patch(client, namespace, {"data": {"y": "2"}})
        replaced = await client.replace(CONFIG_MAPS, {**patched, "data": {"z": "3"}})

        assert tracked(patched) is None
        assert tracked(replaced) is None

    async def test_the_first_apply_finds_an_owner_for_what_nobody_owns(
        self, client: Client, namespace: str
    ) -> None:
        await self.stripped(client, namespace)

        applied = await self.patch(client, namespace, config_map("a", y="2"), Patch.APPLY)

        assert tracked(applied) == {
            BEFORE: {"f:data": {".": {}, "f:x": {}}},
            ("me", "Apply"): {"f:data": {"f:y": {}}},
        }
        assert all(entry["time"] for entry in applied["metadata"]["managedFields"])

    @pytest.mark.parametrize(("subresource", "part"), [("", "f:spec"), ("status", "f:status")])
    async def test_the_first_apply_finds_owners_for_what_such_a_write_may_change(
        self, client: Client, namespace: str, subresource: str, part: str
    ) -> None:
        async def patch(change: dict[str, Any], kind: Patch, sub: str) -> dict[str, Any]:
            body = {"apiVersion": "apps/v1", "kind": "Deployment", **change}
            return await client.patch(
                DEPLOYMENTS, "a", body, namespace, kind=kind, subresource=sub, field_manager="me"
            )

        await client.create(DEPLOYMENTS, deployment("a"), namespace)
        await patch({"status": {"collisionCount": 1, "replicas": 0}}, Patch.MERGE, "status")
        await patch({"metadata": {"managedFields": [{}]}}, Patch.MERGE, "")
        change = {"metadata": {"name": "a"}, "spec": {"paused": True}, "status": {"replicas": 0}}

        applied = await patch(change, Patch.APPLY, subresource)

        found = tracked(applied)
        assert found is not None
        assert set(found[BEFORE]) == {part}
        assert set(found["me", "Apply"]) == {part}

    async def test_the_first_apply_takes_nothing_without_force(
        self, client: Client, namespace: str
    ) -> None:
        await self.stripped(client, namespace)

        with pytest.raises(UpdateConflict, match=r'with "before-first-apply" using v1: \.data\.x'):
            await self.patch(client, namespace, config_map("a", x="2"), Patch.APPLY)

    async def test_after_the_first_apply_updates_are_tracked(
        self, client: Client, namespace: str
    ) -> None:
        await self.stripped(client, namespace)
        await self.patch(client, namespace, config_map("a", y="2"), Patch.APPLY)

        changed = await self.patch(client, namespace, {"data": {"x": "3"}})

        assert tracked(changed) == {
            BEFORE: {"f:data": {}},
            ("me", "Apply"): {"f:data": {"f:y": {}}},
            ("me", "Update"): {"f:data": {"f:x": {}}},
        }

    async def test_an_apply_that_says_nothing_leaves_no_entry(
        self, client: Client, namespace: str
    ) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}

        assert tracked(await self.patch(client, namespace, body, Patch.APPLY)) is None
        assert tracked(await client.get(CONFIG_MAPS, "a", namespace)) is None

    async def test_an_update_may_bring_entries(self, client: Client, namespace: str) -> None:
        await self.stripped(client, namespace)
        body = {"metadata": {"managedFields": [ENTRY]}, "data": {"y": "2"}}

        changed = await self.patch(client, namespace, body)

        assert tracked(changed) == {
            ("somebody", "Update"): {"f:data": {"f:x": {}}},
            ("me", "Update"): {"f:data": {"f:y": {}}},
        }

    async def test_entries_that_no_server_understands_change_nothing(
        self, client: Client, namespace: str
    ) -> None:
        made = await make(client, namespace, "a", x="1")
        wrong = {**ENTRY, "operation": "Dance"}

        same = await self.patch(client, namespace, {"metadata": {"managedFields": [wrong]}})

        assert tracked(same) == tracked(made)

    async def test_what_is_applied_with_an_identity_must_be_there(
        self, client: Client, namespace: str
    ) -> None:
        body = config_map("a", x="1")
        body["metadata"]["uid"] = "5"

        with pytest.raises(UpdateConflict) as refused:
            await self.patch(client, namespace, body, Patch.APPLY)

        assert refused.value.message.endswith(
            'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object '
            "specified uid 5, and no existing object was found"
        )
