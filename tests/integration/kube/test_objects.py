"""Creating, reading, replacing and validating objects."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from tests.integration.kube._contract import (
    DEPLOYMENTS,
    JOBS,
    SERVICES,
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


class TestValidation(KubernetesContract):
    @pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "a" * 254])
    async def test_a_wrong_name_is_refused(self, client: Client, namespace: str, name: str) -> None:
        with pytest.raises(Invalid) as refused:
            await make(client, namespace, name)

        assert refused.value.status == 422
        assert refused.value.reason == "Invalid"
        assert ("FieldValueInvalid", "metadata.name") in causes(refused.value)

    async def test_the_message_of_a_wrong_name_is_the_known_one(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            await make(client, namespace, "A_b")

        assert (
            'ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 '
            "subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for "
            r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ) in refused.value.message

    async def test_a_name_is_needed(self, client: Client, namespace: str) -> None:
        with pytest.raises(Invalid, match="name or generateName is required"):
            await client.create(CONFIG_MAPS, config_map(""), namespace)

    @pytest.mark.parametrize(
        ("labels", "field"),
        [({"a b": "x"}, "metadata.labels"), ({"a": "x y"}, "metadata.labels"),
         ({"a": "x" * 64}, "metadata.labels")],
    )  # fmt: skip
    async def test_a_wrong_label_is_refused(
        self, client: Client, namespace: str, labels: dict[str, str], field: str
    ) -> None:
        body = config_map("a")
        body["metadata"]["labels"] = labels

        with pytest.raises(Invalid) as refused:
            await client.create(CONFIG_MAPS, body, namespace)

        assert causes(refused.value) == {("FieldValueInvalid", field)}

    async def test_a_wrong_key_of_a_config_map_is_refused(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(Invalid) as refused:
            await make(client, namespace, "a", **{"no spaces": "x"})

        assert causes(refused.value) == {("FieldValueInvalid", "data[no spaces]")}

    @pytest.mark.parametrize(
        ("change", "cause"),
        [
            ({"containers": []}, ("FieldValueRequired", "spec.template.spec.containers")),
            ({"containers": [{"name": "a"}]},
             ("FieldValueRequired", "spec.template.spec.containers[0].image")),
            ({"containers": [{"name": "A", "image": "b"}]},
             ("FieldValueInvalid", "spec.template.spec.containers[0].name")),
            ({"restartPolicy": "Never"},
             ("FieldValueNotSupported", "spec.template.spec.restartPolicy")),
            ({"containers": [{"name": "a", "image": "b",
                              "volumeMounts": [{"name": "no", "mountPath": "/x"}]}]},
             ("FieldValueNotFound", "spec.template.spec.containers[0].volumeMounts[0].name")),
        ],
    )  # fmt: skip
    async def test_a_wrong_pod_template_is_refused(
        self, client: Client, namespace: str, change: dict[str, Any], cause: tuple[str, str]
    ) -> None:
        body = deployment("a")
        body["spec"]["template"]["spec"] |= change

        with pytest.raises(Invalid) as refused:
            await client.create(DEPLOYMENTS, body, namespace)

        assert cause in causes(refused.value)
        assert refused.value.details["kind"] == "Deployment"
        assert refused.value.details["group"] == "apps"
        assert 'Deployment.apps "a" is invalid: ' in refused.value.message

    async def test_a_selector_must_select_its_template(
        self, client: Client, namespace: str
    ) -> None:
        body = deployment("a")
        body["spec"]["selector"]["matchLabels"] = {"app": "other"}

        with pytest.raises(Invalid, match="`selector` does not match template `labels`"):
            await client.create(DEPLOYMENTS, body, namespace)

    async def test_a_job_may_not_restart_always(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"},
            "spec": {"template": {"spec": pod("x")["spec"]}},
        }  # fmt: skip

        with pytest.raises(Invalid) as refused:
            await client.create(JOBS, body, namespace)

        cause = ("FieldValueRequired", "spec.template.spec.restartPolicy")
        assert cause in causes(refused.value)

    async def test_a_wrong_type_is_refused(self, client: Client, namespace: str) -> None:
        body = deployment("a")
        body["spec"]["replicas"] = "two"

        with pytest.raises(KubernetesError) as refused:
            await client.create(DEPLOYMENTS, body, namespace)

        assert refused.value.status == 400
        assert refused.value.reason == "BadRequest"

    async def test_an_unknown_field_is_dropped(self, client: Client, namespace: str) -> None:
        made = await client.create(CONFIG_MAPS, {**config_map("a"), "colour": "red"}, namespace)

        assert "colour" not in made

    async def test_a_secret_needs_base64(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"key": "not base64!"},
        }  # fmt: skip

        with pytest.raises(KubernetesError) as refused:
            await client.create(SECRETS, body, namespace)

        assert refused.value.status == 400

    async def test_the_texts_of_a_secret_become_data(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "stringData": {"key": "value"},
        }  # fmt: skip

        made = await client.create(SECRETS, body, namespace)

        assert made["type"] == "Opaque"
        assert made["data"] == {"key": "dmFsdWU="}
        assert "stringData" not in made

    async def test_a_service_gets_an_address(self, client: Client, namespace: str) -> None:
        body = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
            "spec": {"ports": [{"port": 80}], "selector": {"app": "a"}},
        }  # fmt: skip

        made = await client.create(SERVICES, body, namespace)

        assert made["spec"]["type"] == "ClusterIP"
        assert re.fullmatch(r"[0-9.]+", made["spec"]["clusterIP"])
        assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]

    async def test_a_deployment_gets_its_defaults(self, client: Client, namespace: str) -> None:
        body = deployment("a")
        del body["spec"]["replicas"]

        made = await client.create(DEPLOYMENTS, body, namespace, dry_run=True)

        spec = made["spec"]
        assert spec["replicas"] == 1
        assert spec["revisionHistoryLimit"] == 10
        assert spec["progressDeadlineSeconds"] == 600
        assert spec["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        }
        assert spec["template"]["spec"] == {
            "containers": [
                {
                    "name": "main",
                    "image": "busybox:1",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        }
        assert made["metadata"]["generation"] == 1


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

    async def test_another_uid_is_refused(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")
        made["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"

        with pytest.raises(UpdateConflict, match="Precondition failed: UID in precondition"):
            await client.replace(CONFIG_MAPS, made)

    async def test_without_a_version_the_last_one_wins(
        self, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "a", x="1")
        body = config_map("a", x="2")
        body["metadata"]["namespace"] = namespace

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
