"""Deleting: preconditions, finalizers, policies."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.kube._contract import (
    DEPLOYMENTS,
    JOBS,
    KubernetesContract,
    causes,
    deployment,
    finalizers,
    gone,
    make,
    pod,
)
from tiphys.errors import Forbidden, Invalid, NotFound, UpdateConflict
from tiphys.kube import CONFIG_MAPS, NAMESPACES, PODS, Client


class TestDeletion(KubernetesContract):
    async def test_what_is_deleted_is_gone(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")

        answer = await client.delete(CONFIG_MAPS, "a", namespace)

        assert answer["kind"] == "Status"
        assert answer["status"] == "Success"
        uid = made["metadata"]["uid"]
        assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a", namespace)

    async def test_what_is_not_there_cannot_be_deleted(
        self, client: Client, namespace: str
    ) -> None:
        with pytest.raises(NotFound) as refused:
            await client.delete(CONFIG_MAPS, "a", namespace)

        assert refused.value.details == {"name": "a", "kind": "configmaps"}

    async def test_preconditions_name_the_object_that_is_meant(
        self, client: Client, namespace: str
    ) -> None:
        made = await make(client, namespace, "a")
        version = made["metadata"]["resourceVersion"]
        await client.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace)

        with pytest.raises(UpdateConflict, match=r"the UID in the precondition \(other\)"):
            await client.delete(CONFIG_MAPS, "a", namespace, uid="other")
        with pytest.raises(UpdateConflict, match="the ResourceVersion in the precondition"):
            await client.delete(CONFIG_MAPS, "a", namespace, resource_version=version)
        await client.delete(CONFIG_MAPS, "a", namespace, uid=made["metadata"]["uid"])

    async def test_a_dry_run_deletes_nothing(self, client: Client, namespace: str) -> None:
        made = await make(client, namespace, "a")

        await client.delete(CONFIG_MAPS, "a", namespace, dry_run=True)

        assert await client.get(CONFIG_MAPS, "a", namespace) == made

    async def test_a_finalizer_holds_an_object(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")
        await finalizers(client, namespace, "a", "example.com/x")

        answer = await client.delete(CONFIG_MAPS, "a", namespace)
        assert answer["kind"] == "ConfigMap"
        assert answer["metadata"]["deletionTimestamp"]
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 0
        assert await client.get(CONFIG_MAPS, "a", namespace) == answer

        again = await client.delete(CONFIG_MAPS, "a", namespace)
        assert again["metadata"]["resourceVersion"] == answer["metadata"]["resourceVersion"]

        with pytest.raises(Invalid, match="no new finalizers can be added") as refused:
            await finalizers(client, namespace, "a", "example.com/x", "example.com/y")
        assert causes(refused.value) == {("FieldValueForbidden", "metadata.finalizers")}

        await finalizers(client, namespace, "a")
        with pytest.raises(NotFound):
            await client.get(CONFIG_MAPS, "a", namespace)

    async def test_a_pod_on_a_node_waits_for_its_kubelet(
        self, client: Client, namespace: str
    ) -> None:
        body = pod("a")
        body["spec"]["nodeName"] = "nowhere"
        await client.create(PODS, body, namespace)

        answer = await client.delete(PODS, "a", namespace)
        assert answer["metadata"]["deletionGracePeriodSeconds"] == 30
        assert (await client.get(PODS, "a", namespace))["metadata"]["deletionTimestamp"]

        await client.delete(PODS, "a", namespace, grace_period=0)
        await gone(client, PODS, "a", namespace)

    async def test_a_pod_without_a_node_is_gone_at_once(
        self, client: Client, namespace: str
    ) -> None:
        await client.create(PODS, pod("a"), namespace)

        answer = await client.delete(PODS, "a", namespace)

        assert (answer["kind"], answer["metadata"]["name"]) == ("Pod", "a")
        with pytest.raises(NotFound):
            await client.get(PODS, "a", namespace)

    async def test_a_job_that_leaves_its_pods_behind_says_so(
        self, client: Client, namespace: str
    ) -> None:
        template = {"spec": {**pod("x")["spec"], "restartPolicy": "Never"}}
        body = {"metadata": {"name": "a"}, "spec": {"template": template}}
        await client.create(JOBS, body, namespace)

        with capture_logs() as quiet:
            await client.delete(JOBS, "a", namespace, propagation="Background", dry_run=True)
        with capture_logs() as logs:
            await client.delete(JOBS, "a", namespace)

        assert not quiet
        assert [line["warning"] for line in logs] == [
            "child pods are preserved by default when jobs are deleted; set "
            "propagationPolicy=Background to remove them or set propagationPolicy=Orphan to "
            "suppress this warning"
        ]

    async def test_a_new_object_of_the_same_name_is_another(
        self, client: Client, namespace: str
    ) -> None:
        first = await make(client, namespace, "a")
        await client.delete(CONFIG_MAPS, "a", namespace)

        second = await make(client, namespace, "a")

        assert first["metadata"]["uid"] != second["metadata"]["uid"]

    async def test_the_pods_of_a_job_are_kept_unless_one_says_otherwise(
        self, client: Client, namespace: str
    ) -> None:
        spec = {**pod("x")["spec"], "restartPolicy": "Never"}
        body = {
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"},
            "spec": {"suspend": True, "template": {"spec": spec}},
        }  # fmt: skip
        made = await client.create(JOBS, body, namespace)
        uid = made["metadata"]["uid"]
        selected = {"batch.kubernetes.io/controller-uid": uid}
        assert made["spec"]["selector"]["matchLabels"] == selected

        answer = await client.delete(JOBS, "a", namespace)

        assert answer["metadata"]["finalizers"] == ["orphan"]

    async def test_a_deletion_counts_as_a_generation(self, client: Client, namespace: str) -> None:
        await client.create(DEPLOYMENTS, deployment("a"), namespace)

        answer = await client.delete(DEPLOYMENTS, "a", namespace, propagation="Foreground")

        assert answer["metadata"]["generation"] == 2

    async def test_an_unknown_policy_is_refused(self, client: Client, namespace: str) -> None:
        await make(client, namespace, "a")

        with pytest.raises(Invalid, match='propagationPolicy: Unsupported value: "Sometimes"'):
            policy: Any = "Sometimes"
            await client.delete(CONFIG_MAPS, "a", namespace, propagation=policy)

    @pytest.mark.parametrize("name", ["default", "kube-public", "kube-system"])
    async def test_some_stay_for_ever(self, client: Client, name: str) -> None:
        with pytest.raises(Forbidden) as refused:
            await client.delete(NAMESPACES, name)

        said = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
        assert refused.value.message.endswith(said)
        assert refused.value.details == {"name": name, "kind": "namespaces"}

    async def test_nothing_is_created_in_one_that_goes(
        self, client: Client, namespace: str
    ) -> None:
        await make(client, namespace, "held")
        await finalizers(client, namespace, "held", "example.com/x")
        await client.delete(NAMESPACES, namespace)

        with pytest.raises(Forbidden) as refused:
            await make(client, namespace, "late")

        assert (
            f'configmaps "late" is forbidden: unable to create new content in namespace '
            f"{namespace} because it is being terminated"
        ) in refused.value.message
        assert "rules:" not in refused.value.message  # no role would help
        assert causes(refused.value) == {("NamespaceTerminating", "metadata.namespace")}
        await finalizers(client, namespace, "held")

    async def test_a_pod_needs_its_service_account(self, client: Client, namespace: str) -> None:
        body = pod("a")
        body["spec"]["serviceAccountName"] = "nobody"

        with pytest.raises(Forbidden, match='serviceaccount "nobody" not found'):
            await client.create(PODS, body, namespace)
