"""Creating, reading, replacing and validating objects."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from tests.integration.kube._contract import (
    DEPLOYMENTS,
    KubernetesContract,
    causes,
    config_map,
    deployment,
    make,
    pod,
)
from tiphys.errors import (
    AlreadyExists,
    Invalid,
    KubernetesError,
    NotFound,
    UpdateConflict,
)
from tiphys.kube import CONFIG_MAPS, LEASES, NAMESPACES, PODS, SECRETS, Client


class TestCreation(KubernetesContract):
    async def test_the_server_fills_in_the_metadata(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a", key="value")

        metadata = made["metadata"]
        assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
        assert int(metadata["resourceVersion"]) > 0
        assert datetime.fromisoformat(metadata["creationTimestamp"].replace("Z", "+00:00"))
        assert metadata["namespace"] == namespace
        assert "generation" not in metadata
        assert made["data"] == {"key": "value"}
        assert await client.get(CONFIG_MAPS, "a", namespace) == made

    async def test_versions_grow_with_every_write(self, client: Client, namespace: str) -> None:
        versions = [
            int((await make(client, namespace, name))["metadata"]["resourceVersion"])
            for name in "abc"
        ]

        assert versions == sorted(set(versions))

    async def test_a_generated_name_gets_five_letters(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "run-")

        assert re.fullmatch(r"run-[bcdfghjklmnpqrstvwxz2456789]{5}", made["metadata"]["name"])
        assert made["metadata"]["generateName"] == "run-"

    async def test_a_long_prefix_is_cut(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "x" * 70 + "-")

        assert re.fullmatch(r"x{58}[a-z0-9]{5}", made["metadata"]["name"])

    async def test_a_name_is_taken_once(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        with pytest.raises(AlreadyExists) as refused:
            await make(client, namespace, "a")

        assert refused.value.reason == "AlreadyExists"
        assert 'configmaps "a" already exists' in refused.value.message
        assert refused.value.details == {"name": "a", "kind": "configmaps"}

    async def test_nothing_is_created_in_a_namespace_that_is_not_there(
        self, client: Client
    ) -> None:
        with pytest.raises(NotFound) as refused:
            await make(client, "nowhere", "a")

        assert 'namespaces "nowhere" not found' in refused.value.message
        assert refused.value.details == {"name": "nowhere", "kind": "namespaces"}

    async def test_a_dry_run_stores_nothing(self, client: Client, namespace: str) -> None:
        made = await client.create(CONFIG_MAPS, config_map("a"), namespace, dry_run=True)

        assert made["metadata"]["uid"]
        assert "resourceVersion" not in made["metadata"]
        with pytest.raises(NotFound, match='configmaps "a" not found'):
            await client.get(CONFIG_MAPS, "a", namespace)

    async def test_the_namespace_of_the_path_and_of_the_object_must_agree(
        self, client: Client, namespace: str
    ) -> None:
        body = config_map("a")
        body["metadata"]["namespace"] = "another"

        with pytest.raises(KubernetesError, match="the namespace of the provided object does not"):
            await client.create(CONFIG_MAPS, body, namespace)

    async def test_the_kind_of_the_path_and_of_the_object_must_agree(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(KubernetesError) as refused:
            await client.create(SECRETS, config_map("a"), namespace)

        assert refused.value.status == 400

    async def test_the_creator_is_noted(self, client: Client, namespace: str) -> None:
        made = await client.create(
            CONFIG_MAPS, config_map("a", x="1", y="2"), namespace, field_manager="me"
        )

        (entry,) = made["metadata"]["managedFields"]
        assert entry["manager"] == "me"
        assert entry["operation"] == "Update"
        assert entry["apiVersion"] == "v1"
        assert entry["fieldsType"] == "FieldsV1"
        assert entry["fieldsV1"] == {"f:data": {".": {}, "f:x": {}, "f:y": {}}}

    async def test_a_new_object_has_no_version(self, client: Client, namespace: str) -> None:
        body = config_map("a")
        body["metadata"]["resourceVersion"] = "1"

        with pytest.raises(KubernetesError, match="resourceVersion should not be set on objects"):
            await client.create(CONFIG_MAPS, body, namespace)


class TestReplacement(KubernetesContract):
    async def test_a_replacement_is_stored(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a", x="1")

        changed = await client.replace(CONFIG_MAPS, {**made, "data": {"y": "2"}})

        assert changed["data"] == {"y": "2"}
        assert changed["metadata"]["uid"] == made["metadata"]["uid"]
        assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
        old, new = (int(o["metadata"]["resourceVersion"]) for o in (made, changed))
        assert new > old

    async def test_a_stale_version_is_refused(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")
        await client.replace(CONFIG_MAPS, {**made, "data": {"x": "1"}})

        with pytest.raises(UpdateConflict) as refused:
            await client.replace(CONFIG_MAPS, {**made, "data": {"x": "2"}})

        assert refused.value.reason == "Conflict"
        assert (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
            "apply your changes to the latest version and try again"
        ) in refused.value.message
        assert refused.value.details == {"name": "a", "kind": "configmaps"}

    @pytest.mark.parametrize("version", ["abc", "-1", "1_0", "12 "])
    async def test_a_version_is_a_number(
        self, client: Client, namespace: str, version: str
    ) -> None:
        made = await make(client, namespace, "a")
        made["metadata"]["resourceVersion"] = version

        with pytest.raises(KubernetesError) as refused:
            await client.replace(CONFIG_MAPS, made)

        assert (refused.value.status, refused.value.reason) == (500, "")
        assert refused.value.message.endswith(
            f'strconv.ParseUint: parsing "{version}": invalid syntax'
        )

    async def test_another_uid_is_refused(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")
        made["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"

        with pytest.raises(UpdateConflict, match="Precondition failed: UID in precondition"):
            await client.replace(CONFIG_MAPS, made)

    @pytest.mark.parametrize("version", [{}, {"resourceVersion": "0"}], ids=["none", "zero"])
    async def test_without_a_version_the_last_one_wins(
        self, client: Client, namespace: str, version: dict[str, str]
    ) -> None:
        await make(client, namespace, "a", x="1")
        body = config_map("a", x="2")
        body["metadata"] |= {"namespace": namespace, **version}

        assert (await client.replace(CONFIG_MAPS, body))["data"] == {"x": "2"}

    async def test_saying_the_same_changes_nothing(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a", x="1")

        same = await client.replace(CONFIG_MAPS, made)

        assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    async def test_what_is_not_there_cannot_be_replaced(
        self, client: Client, namespace: str
    ) -> None:
        body = config_map("a")
        body["metadata"]["namespace"] = namespace

        with pytest.raises(NotFound, match='configmaps "a" not found'):
            await client.replace(CONFIG_MAPS, body)

    async def test_the_generation_counts_changes_of_the_specification(
        self, client: Client, namespace: str
    ) -> None:
        made = await client.create(DEPLOYMENTS, deployment("a"), namespace)
        labels = {"metadata": {"labels": {"x": "y"}}}
        labelled = await client.patch(DEPLOYMENTS, "a", labels, namespace)
        changed = await client.patch(DEPLOYMENTS, "a", {"spec": {"paused": True}}, namespace)

        assert made["metadata"]["generation"] == 1
        assert labelled["metadata"]["generation"] == 1
        assert changed["metadata"]["generation"] == 2

    async def test_the_annotations_of_a_deployment_count_as_well(
        self, client: Client, namespace: str
    ) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)
        note = {"metadata": {"annotations": {"x": "y"}}}

        changed = await client.patch(DEPLOYMENTS, "a", note, namespace)

        assert changed["metadata"]["generation"] == 2

    async def test_status_and_specification_are_written_apart(
        self, client: Client, namespace: str
    ) -> None:
        made = await client.create(PODS, pod("a"), namespace)
        body = {**made, "status": {"phase": "Running"}}

        unchanged = await client.replace(PODS, body)
        assert unchanged["status"]["phase"] == "Pending"

        written = await client.replace(PODS, body, subresource="status")
        assert written["status"]["phase"] == "Running"
        assert written["spec"] == made["spec"]

    async def test_a_selector_cannot_change(self, client: Client, namespace: str) -> None:
        made = await client.create(DEPLOYMENTS, deployment("a"), namespace)
        labels = {"app": "b"}
        made["spec"]["selector"]["matchLabels"] = labels
        made["spec"]["template"]["metadata"]["labels"] = labels

        with pytest.raises(Invalid, match="field is immutable"):
            await client.replace(DEPLOYMENTS, _current(made))

    async def test_an_immutable_config_map_stays(self, client: Client, namespace: str) -> None:
        made = await client.create(
            CONFIG_MAPS, {**config_map("a", x="1"), "immutable": True}, namespace
        )

        with pytest.raises(Invalid) as refused:
            await client.replace(CONFIG_MAPS, {**made, "data": {"x": "2"}})

        assert causes(refused.value) == {("FieldValueForbidden", "data")}

    async def test_the_type_of_a_secret_stays(self, client: Client, namespace: str) -> None:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
        made = await client.create(SECRETS, body, namespace)

        with pytest.raises(Invalid, match="field is immutable"):
            await client.replace(SECRETS, {**made, "type": "other"})

    async def test_a_lease_needs_its_version(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "a", "namespace": namespace}, "spec": {"holderIdentity": "x"},
        }  # fmt: skip
        await client.create(LEASES, body, namespace)

        with pytest.raises(Invalid, match="must be specified for an update"):
            await client.replace(LEASES, body)

    async def test_a_namespace_carries_its_name_as_a_label(
        self, client: Client, namespace: str
    ) -> None:
        found = await client.get(NAMESPACES, namespace)

        assert found["metadata"]["labels"]["kubernetes.io/metadata.name"] == namespace
        assert found["status"]["phase"] == "Active"
        assert found["spec"]["finalizers"] == ["kubernetes"]


def _current(obj: dict[str, Any]) -> dict[str, Any]:
    """Without the version, because controllers write as well."""
    metadata = {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}
    return {**obj, "metadata": metadata}
