"""What is refused, dropped or filled in when an object is created."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.kube._contract import (
    CRON_JOBS,
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
from tiphys.errors import Invalid, KubernetesError
from tiphys.kube import CONFIG_MAPS, SECRETS, Client


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

    @pytest.mark.parametrize("cron", [False, True], ids=["job", "cron job"])
    async def test_the_numbers_of_a_job_are_not_negative(
        self, client: Client, namespace: str, cron: bool
    ) -> None:
        fields = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
                  "ttlSecondsAfterFinished")  # fmt: skip
        template = {"spec": {**pod("x")["spec"], "restartPolicy": "Never"}}
        spec: dict[str, Any] = {"template": template, **dict.fromkeys(fields, -1)}
        kind, path = (CRON_JOBS, "spec.jobTemplate.spec") if cron else (JOBS, "spec")
        if cron:
            spec = {"schedule": "@daily", "jobTemplate": {"spec": spec}}

        with pytest.raises(Invalid) as refused:
            await client.create(kind, {"metadata": {"name": "a"}, "spec": spec}, namespace)

        assert causes(refused.value) == {("FieldValueInvalid", f"{path}.{f}") for f in fields}
        assert (
            f"{path}.parallelism: Invalid value: -1: must be greater than or equal to 0"
        ) in refused.value.message

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
