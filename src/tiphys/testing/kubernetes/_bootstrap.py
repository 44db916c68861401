"""What is in a cluster from the start: namespaces, roles, and the definitions of Argo."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._access import ADMIN, AUTHENTICATED, MASTERS, RBAC
from tiphys.testing.kubernetes._kinds import Kinds
from tiphys.testing.kubernetes._registry import Registry
from tiphys.testing.kubernetes._requests import Request

Object = dict[str, Any]
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
             "/readyz", "/version", "/version/"]  # fmt: skip
OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
GROUP = "argoproj.io"
# kind, plural, short names, whether namespaced, whether the status is a subresource
ARGO: tuple[tuple[str, str, str, bool, bool], ...] = (
    ("EventBus", "eventbus", "eb", True, True),
    ("EventSource", "eventsources", "es", True, True),
    ("Sensor", "sensors", "sn", True, True),
    ("Workflow", "workflows", "wf", True, False),
    ("WorkflowTemplate", "workflowtemplates", "wftmpl", True, False),
    ("ClusterWorkflowTemplate", "clusterworkflowtemplates", "clusterwftmpl cwft", False, False),
    ("CronWorkflow", "cronworkflows", "cwf cronwf", True, False),
)


def bootstrap(registry: Registry, kinds: Kinds, *, argo: bool) -> None:
    """Create what a new cluster has."""
    for obj in [*_namespaces(), *_roles(), *(map(_definition, ARGO) if argo else ())]:
        kind = kinds.named(obj["apiVersion"], obj["kind"])
        assert kind is not None
        request = Request(
            method="POST", path="", query={}, user=ADMIN, agent="kube-apiserver/1",
            group=kind.group, version=kind.version, plural=kind.plural,
        )  # fmt: skip
        registry.create(request, kind, obj)


def _namespaces() -> list[Object]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES
    ]


def _roles() -> list[Object]:
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    reviews = [
        {"apiGroups": ["authorization.k8s.io"], "verbs": ["create"],
         "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
        {"apiGroups": ["authentication.k8s.io"], "verbs": ["create"],
         "resources": ["selfsubjectreviews"]},
    ]  # fmt: skip
    discovery = [{"nonResourceURLs": DISCOVERY, "verbs": ["get"]}]
    public = [{"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"],
               "verbs": ["get"]}]  # fmt: skip
    anybody = [AUTHENTICATED, "system:unauthenticated"]
    return [
        *_granted("cluster-admin", everything, [MASTERS]),
        *_granted("system:basic-user", reviews, [AUTHENTICATED]),
        *_granted("system:discovery", discovery, [AUTHENTICATED]),
        *_granted("system:public-info-viewer", public, anybody),
    ]


def _granted(name: str, rules: list[Object], groups: list[str]) -> list[Object]:
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name},
         "rules": rules},
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
         "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
         "subjects": [{"kind": "Group", "name": group} for group in groups]},
    ]  # fmt: skip


def _definition(row: tuple[str, str, str, bool, bool]) -> Object:
    kind, plural, short_names, namespaced, has_status = row
    schema: Object = {
        "type": "object",
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": OPEN,
            "status": OPEN,
        },
    }
    version: Object = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    if has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short_names.split(),
            },
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [version],
        },
    }
