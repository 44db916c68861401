"""What admission adds to a new pod: its service account's token, priority, and tolerations."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._names import generated

Object = dict[str, Any]
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def admit_pod(spec: Object) -> None:
    """Complete the specification of a new pod."""
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    tolerated = {toleration.get("key") for toleration in tolerations}
    for key in TAINTS:
        if key not in tolerated:
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    if spec.get("automountServiceAccountToken") is not False:
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    volume = generated("kube-api-access-")
    used = False
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        mounts = container.setdefault("volumeMounts", [])
        if not any(mount.get("mountPath") == MOUNT for mount in mounts):
            mounts.append({"name": volume, "readOnly": True, "mountPath": MOUNT})
            used = True
    if used:
        spec.setdefault("volumes", []).append({"name": volume, "projected": _projection()})


def _projection() -> Object:
    authority = {
        "name": "kube-root-ca.crt",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    namespace = {
        "path": "namespace",
        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
    }
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": authority},
            {"downwardAPI": {"items": [namespace]}},
        ],
        "defaultMode": 420,
    }
