"""What the server fills in where an object says nothing: the values that people notice."""

from __future__ import annotations

import base64
import ipaddress
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tiphys.testing.kubernetes._admission import admit_pod
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._kinds import Kind

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
CLAIM_IN_USE = "kubernetes.io/pvc-protection"
SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")


class Defaults:
    """Fills in defaults; hands out the addresses of services."""

    def __init__(self) -> None:
        hosts = (str(address) for address in SERVICE_NETWORK.hosts())
        self._addresses: Iterator[str] = itertools.islice(hosts, 10, None)
        self._kinds: dict[str, Callable[[Object], None]] = {
            "/namespaces": _namespace,
            "/secrets": _secret,
            "/events": _event,
            "/persistentvolumeclaims": _claim,
            "/pods": _pod,
            "/services": _service,
            "apps/deployments": _deployment,
            "apps/statefulsets": _stateful_set,
            "batch/jobs": _job,
            "batch/cronjobs": _cron_job,
            f"{RBAC}/rolebindings": _binding,
            f"{RBAC}/clusterrolebindings": _binding,
            "apiextensions.k8s.io/customresourcedefinitions": _definition,
        }

    def fill(self, kind: Kind, obj: Object) -> None:
        """What every write fills in; the writer counts as its author."""
        if kind.key in self._kinds:
            self._kinds[kind.key](obj)

    def allocate(self, kind: Kind, obj: Object) -> None:
        """What the server alone gives a new object."""
        spec = obj.get("spec") or {}
        if kind.key == "/pods":
            admit_pod(spec)
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        elif kind.key == "/namespaces":
            _fill(spec, finalizers=["kubernetes"])
            obj["spec"], obj["status"] = spec, {"phase": "Active"}
        elif kind.key == "/services" and spec["type"] != "ExternalName":
            obj["status"] = {"loadBalancer": {}}
            if not spec.get("clusterIP"):
                spec["clusterIP"] = next(self._addresses)
            _fill(spec, clusterIPs=[spec["clusterIP"]], ipFamilies=["IPv4"],
                  ipFamilyPolicy="SingleStack")  # fmt: skip
        elif kind.key == "batch/jobs":
            _select_pods(obj)
        elif kind.key == "/persistentvolumeclaims":
            obj["status"] = {"phase": "Pending"}
            obj["metadata"].setdefault("finalizers", []).append(CLAIM_IN_USE)
        elif kind.key == "apps/statefulsets":
            obj["status"] = {"replicas": 0, "availableReplicas": 0}
        elif kind.key == "networking.k8s.io/ingresses":
            obj["status"] = {"loadBalancer": {}}
        elif kind.key == "apiextensions.k8s.io/customresourcedefinitions":
            stored = [v["name"] for v in spec.get("versions") or [] if v.get("storage")]
            obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""},
                             "storedVersions": stored}  # fmt: skip
        if "status" in kind.subresources and not kind.custom:
            obj.setdefault("status", {})

    def keep(self, kind: Kind, old: Object, new: Object) -> None:
        """What a replacement that does not say it leaves as it was."""
        fields = {
            "/namespaces": ("finalizers",),
            "/services": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"),
            "batch/jobs": ("selector", "manualSelector"),
        }.get(kind.key, ())
        for field in fields:
            if field in old["spec"]:
                new.setdefault("spec", {}).setdefault(field, clone(old["spec"][field]))


def pod_spec(spec: Object) -> None:
    """The defaults of a pod, alone or in a template."""
    _fill(
        spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler",
        terminationGracePeriodSeconds=30, securityContext={},
    )  # fmt: skip
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        image = str(container.get("image", ""))
        last = image.rpartition("/")[2]
        latest = "@" not in last and (":" not in last or last.endswith(":latest"))
        _fill(
            container, resources={}, terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File", imagePullPolicy="Always" if latest else "IfNotPresent",
        )  # fmt: skip
        for port in container.get("ports") or []:
            _fill(port, protocol="TCP")


def _fill(target: Object, **values: Any) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or []:
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")


def _namespace(obj: Object) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    if name := obj["metadata"].get("name"):
        labels["kubernetes.io/metadata.name"] = name


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")
    for key, value in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    _fill(spec, enableServiceLinks=True)


def _claim(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), volumeMode="Filesystem")


def _event(obj: Object) -> None:
    for field in ("eventTime", "firstTimestamp", "lastTimestamp"):
        obj.setdefault(field, None)
    _fill(obj, reportingComponent="", reportingInstance="", source={})


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    pod_spec(template.setdefault("spec", {}))


def _deployment(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    _fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _fill(spec["strategy"], rollingUpdate={})
        _fill(spec["strategy"]["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    _template(spec)


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(
        spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady",
        updateStrategy={}, persistentVolumeClaimRetentionPolicy={},
    )  # fmt: skip
    _fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _fill(spec["updateStrategy"], rollingUpdate={"partition": 0})
    _fill(spec["persistentVolumeClaimRetentionPolicy"], whenDeleted="Retain", whenScaled="Retain")
    for claim in spec.get("volumeClaimTemplates") or []:
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        _fill(claim.setdefault("spec", {}), volumeMode="Filesystem")
    _template(spec)


def job_spec(spec: Object) -> None:
    """The defaults of a job, alone or in a template."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(
        spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
    )  # fmt: skip
    _template(spec)


def _job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    job_spec(spec)
    _fill(spec, manualSelector=False)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)


def _select_pods(obj: Object) -> None:
    """A job selects its pods by its own identity."""
    spec, metadata = obj["spec"], obj["metadata"]
    if spec.get("manualSelector") or "selector" in spec:
        return
    template = spec["template"].setdefault("metadata", {})
    for target in (template, metadata):
        labels = target.setdefault("labels", {})
        for prefix in ("", "batch.kubernetes.io/"):
            labels[f"{prefix}controller-uid"] = metadata["uid"]
            labels[f"{prefix}job-name"] = metadata["name"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}


def _cron_job(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _fill(
        spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )  # fmt: skip
    spec.setdefault("jobTemplate", {}).setdefault("metadata", {})
    template = spec["jobTemplate"].setdefault("spec", {})
    pod_spec(template.setdefault("template", {}).setdefault("spec", {}))


def _binding(obj: Object) -> None:
    _fill(obj.setdefault("roleRef", {}), apiGroup=RBAC)
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, apiGroup=RBAC)


def _definition(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = str(names.get("kind", ""))
    _fill(names, singular=kind.lower(), listKind=f"{kind}List")
    _fill(spec, conversion={"strategy": "None"})
