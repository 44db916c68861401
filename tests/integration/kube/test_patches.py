"""Patches of every type, and who owns what after a server-side apply."""

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
from tiphys.errors import KubernetesError, NotFound, UpdateConflict
from tiphys.kube import CONFIG_MAPS, Client, Patch


def containers(*items: dict[str, Any], **directives: Any) -> dict[str, Any]:
    """A patch of the containers of a deployment."""
    return {"spec": {"template": {"spec": {"containers": list(items), **directives}}}}


def shown(obj: dict[str, Any], *fields: str) -> list[dict[str, Any]]:
    """Some fields of each container of a deployment."""
    items = obj["spec"]["template"]["spec"]["containers"]
    return [{field: item[field] for field in fields if field in item} for item in items]


def owners(obj: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of each manager."""
    return {e["manager"]: e["fieldsV1"] for e in obj["metadata"].get("managedFields", [])}


class TestMergePatches(KubernetesContract):
    async def test_members_are_set_and_null_removes(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1", y="2")

        changed = await client.patch(
            CONFIG_MAPS, "a", {"data": {"x": None, "z": "3"}}, namespace, kind=Patch.MERGE
        )

        assert changed["data"] == {"y": "2", "z": "3"}

    async def test_lists_are_replaced(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)

        changed = await client.patch(
            DEPLOYMENTS, "a", containers({"name": "new", "image": "b:1"}), namespace
        )

        assert shown(changed, "name", "image") == [{"name": "new", "image": "b:1"}]

    async def test_a_stale_version_is_refused(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")
        await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace)

        version = made["metadata"]["resourceVersion"]
        with pytest.raises(UpdateConflict, match="the object has been modified"):
            await client.patch(
                CONFIG_MAPS, "a", {"metadata": {"resourceVersion": version}}, namespace
            )

    async def test_what_is_not_there_cannot_be_patched(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(NotFound):
            await client.patch(CONFIG_MAPS, "a", {"data": {}}, namespace)

    async def test_a_patch_that_changes_nothing_is_no_write(
        self, client: Client, namespace: str
    ) -> None:
        made = await make(client, namespace, "a", x="1")

        same = await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace)

        assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    async def test_a_wrong_type_is_refused(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        with pytest.raises(KubernetesError) as refused:
            await client.patch(CONFIG_MAPS, "a", {"data": {"x": 1}}, namespace)

        assert refused.value.status == 422

    async def test_names_cannot_be_patched(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        with pytest.raises(KubernetesError, match=r"the name of the object \(b\) does not match"):
            await client.patch(CONFIG_MAPS, "a", {"metadata": {"name": "b"}}, namespace)

    async def test_a_dry_run_stores_nothing(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a", x="1")

        tried = await client.patch(CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace, dry_run=True)

        assert tried["data"] == {"x": "2"}
        assert await client.get(CONFIG_MAPS, "a", namespace) == made

    async def test_status_is_patched_apart(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)
        patch = {"spec": {"paused": True}, "status": {"collisionCount": 7}}

        status = await client.patch(DEPLOYMENTS, "a", patch, namespace, subresource="status")
        assert status["status"]["collisionCount"] == 7
        assert "paused" not in status["spec"]

        spec = await client.patch(
            DEPLOYMENTS, "a", {**patch, "status": {"collisionCount": 8}}, namespace
        )
        assert spec["spec"]["paused"] is True
        assert spec["status"]["collisionCount"] == 7


class TestJSONPatches(KubernetesContract):
    async def test_operations_are_carried_out_in_turn(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1", y="2")
        operations = [
            {"op": "test", "path": "/data/x", "value": "1"},
            {"op": "add", "path": "/data/z~1z", "value": "3"},
            {"op": "replace", "path": "/data/y", "value": "4"},
            {"op": "copy", "from": "/data/y", "path": "/data/c"},
            {"op": "move", "from": "/data/x", "path": "/data/m"},
            {"op": "remove", "path": "/data/c"},
            {"op": "add", "path": "/metadata/labels", "value": {"l": "m"}},
        ]
        operations[1]["path"] = "/data/z"

        changed = await client.patch(CONFIG_MAPS, "a", operations, namespace, kind=Patch.JSON)

        assert changed["data"] == {"m": "1", "y": "4", "z": "3"}
        assert changed["metadata"]["labels"] == {"l": "m"}

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "test", "path": "/data/x", "value": "2"},
            {"op": "remove", "path": "/data/nope"},
            {"op": "add", "path": "/nope/x", "value": "1"},
            {"op": "dance", "path": "/data/x"},
        ],
    )
    async def test_an_operation_that_fails_changes_nothing(
        self, client: Client, namespace: str, operation: dict[str, Any]
    ) -> None:
        made = await make(client, namespace, "a", x="1")
        operations = [{"op": "replace", "path": "/data/x", "value": "9"}, operation]
        if operation["op"] == "test":
            operations.reverse()

        with pytest.raises(KubernetesError) as refused:
            await client.patch(CONFIG_MAPS, "a", operations, namespace, kind=Patch.JSON)

        assert refused.value.status == 422
        assert "the server rejected our request due to an error" in refused.value.message
        assert await client.get(CONFIG_MAPS, "a", namespace) == made

    async def test_an_object_is_no_json_patch(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        with pytest.raises(KubernetesError, match="error decoding patch") as refused:
            await client.patch(CONFIG_MAPS, "a", {"data": {}}, namespace, kind=Patch.JSON)

        assert refused.value.status == 400


class TestStrategicMergePatches(KubernetesContract):
    async def test_items_with_a_key_are_merged(self, client: Client, namespace: str) -> None:
        env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
        await client.create(DEPLOYMENTS, deployment("a", env=env), namespace)

        changed = await client.patch(
            DEPLOYMENTS,
            "a",
            containers({"name": "main", "image": "b:2", "env": [{"name": "B", "value": "9"}]}),
            namespace,
            kind=Patch.STRATEGIC,
        )

        assert shown(changed, "name", "image", "env") == [
            {
                "name": "main",
                "image": "b:2",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "9"}],
            }
        ]

    async def test_new_items_come_first(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)

        changed = await client.patch(
            DEPLOYMENTS,
            "a",
            containers({"name": "side", "image": "b:2"}),
            namespace,
            kind=Patch.STRATEGIC,
        )

        assert shown(changed, "name") == [{"name": "side"}, {"name": "main"}]

    async def test_directives_delete_order_and_replace(
        self, client: Client, namespace: str
    ) -> None:
        async def patch(body: dict[str, Any]) -> dict[str, Any]:
            return await client.patch(DEPLOYMENTS, "a", body, namespace, kind=Patch.STRATEGIC)

        env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
        await client.create(DEPLOYMENTS, deployment("a", env=env), namespace)

        changed = await patch(
            containers({"name": "main", "env": [{"name": "A", "$patch": "delete"}]})
        )
        assert shown(changed, "env") == [{"env": [{"name": "B", "value": "2"}]}]

        order = {"$setElementOrder/containers": [{"name": "main"}, {"name": "side"}]}
        changed = await patch(containers({"name": "side", "image": "b"}, **order))
        assert shown(changed, "name") == [{"name": "main"}, {"name": "side"}]

        changed = await patch(containers({"name": "only", "image": "b"}, {"$patch": "replace"}))
        assert shown(changed, "name") == [{"name": "only"}]

    async def test_lists_without_a_key_are_replaced(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a", args=["x", "y"]), namespace)

        changed = await client.patch(
            DEPLOYMENTS,
            "a",
            containers({"name": "main", "args": ["z"]}),
            namespace,
            kind=Patch.STRATEGIC,
        )

        assert shown(changed, "args") == [{"args": ["z"]}]

    async def test_an_item_needs_its_key(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)

        with pytest.raises(KubernetesError, match="does not contain declared merge key: name"):
            await client.patch(
                DEPLOYMENTS, "a", containers({"image": "b"}), namespace, kind=Patch.STRATEGIC
            )


class TestApply(KubernetesContract):
    async def apply(
        self, client: Client, body: dict[str, Any], namespace: str, manager: str, **options: Any
    ) -> dict[str, Any]:
        return await client.patch(
            CONFIG_MAPS,
            body["metadata"]["name"],
            body,
            namespace,
            kind=Patch.APPLY,
            field_manager=manager,
            **options,
        )

    async def test_what_is_not_there_is_created(self, client: Client, namespace: str) -> None:
        made = await self.apply(client, config_map("a", x="1"), namespace, "me")

        assert made["data"] == {"x": "1"}
        (entry,) = made["metadata"]["managedFields"]
        assert entry["operation"] == "Apply"
        assert entry["fieldsV1"] == {"f:data": {"f:x": {}}}

    async def test_applying_twice_is_one_write(self, client: Client, namespace: str) -> None:
        made = await self.apply(client, config_map("a", x="1"), namespace, "me")

        again = await self.apply(client, config_map("a", x="1"), namespace, "me")

        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    async def test_what_is_no_longer_applied_goes(self, client: Client, namespace: str) -> None:
        await self.apply(client, config_map("a", x="1", y="2"), namespace, "me")

        changed = await self.apply(client, config_map("a", y="2"), namespace, "me")

        assert changed["data"] == {"y": "2"}

    async def test_what_others_own_stays(self, client: Client, namespace: str) -> None:
        await self.apply(client, config_map("a", x="1", y="2"), namespace, "me")
        await self.apply(client, config_map("a", x="1", z="3"), namespace, "you")

        changed = await self.apply(client, config_map("a", y="2"), namespace, "me")

        assert changed["data"] == {"x": "1", "y": "2", "z": "3"}
        assert owners(changed) == {
            "me": {"f:data": {"f:y": {}}},
            "you": {"f:data": {"f:x": {}, "f:z": {}}},
        }

    async def test_changing_what_others_own_is_a_conflict(
        self, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a", x="1", y="1")

        with pytest.raises(UpdateConflict) as refused:
            await self.apply(client, config_map("a", x="2"), namespace, "me")

        assert (
            'Apply failed with 1 conflict: conflict with "argo-events" using v1: .data.x'
        ) in refused.value.message
        assert refused.value.details["causes"] == [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "argo-events" using v1',
                "field": ".data.x",
            }
        ]

    async def test_a_conflict_names_every_field(self, client: Client, namespace: str) -> None:
        await self.apply(client, config_map("a", x="1", y="1"), namespace, "you")

        with pytest.raises(UpdateConflict) as refused:
            await self.apply(client, config_map("a", x="2", y="2"), namespace, "me")

        assert (
            'Apply failed with 2 conflicts: conflicts with "you":\n- .data.x\n- .data.y'
        ) in refused.value.message

    async def test_force_takes_the_field(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a", x="1", y="1")

        changed = await self.apply(client, config_map("a", x="2"), namespace, "me", force=True)

        assert changed["data"] == {"x": "2", "y": "1"}
        assert owners(changed) == {
            "me": {"f:data": {"f:x": {}}},
            "argo-events": {"f:data": {".": {}, "f:y": {}}},
        }

    async def test_an_update_takes_what_it_changes(self, client: Client, namespace: str) -> None:
        await self.apply(client, config_map("a", x="1", y="1"), namespace, "me")

        changed = await client.patch(
            CONFIG_MAPS, "a", {"data": {"x": "2"}}, namespace, field_manager="you"
        )

        assert owners(changed) == {
            "me": {"f:data": {"f:y": {}}},
            "you": {"f:data": {"f:x": {}}},
        }

    async def test_items_of_lists_have_owners(self, client: Client, namespace: str) -> None:
        async def apply(manager: str, *items: dict[str, Any]) -> dict[str, Any]:
            body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
            return await client.patch(
                DEPLOYMENTS, "a", {**body, **containers(*items)}, namespace,
                kind=Patch.APPLY, field_manager=manager,
            )  # fmt: skip

        await client.create(DEPLOYMENTS, deployment("a"), namespace)
        env = [{"name": "E", "value": "1"}]

        changed = await apply("me", {"name": "side", "image": "b", "env": env})
        assert shown(changed, "name") == [{"name": "main"}, {"name": "side"}]

        changed = await apply("me", {"name": "side", "image": "b"})
        assert shown(changed, "name", "env") == [{"name": "main"}, {"name": "side"}]

        with pytest.raises(UpdateConflict, match=r'containers\[name="side"\].image'):
            await apply("you", {"name": "side", "image": "c"})

        changed = await apply("me")
        assert shown(changed, "name") == [{"name": "main"}]

    async def test_an_unknown_field_cannot_be_applied(self, client: Client, namespace: str) -> None:
        with pytest.raises(KubernetesError, match=r"\.colour: field not declared in schema"):
            await self.apply(client, {**config_map("a"), "colour": "red"}, namespace, "me")

    async def test_managed_fields_cannot_be_applied(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a", x="1")

        with pytest.raises(KubernetesError, match=r"metadata\.managedFields must be nil"):
            await self.apply(client, made, namespace, "me")
