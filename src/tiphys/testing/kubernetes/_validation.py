"""What is wrong with an object: the rules of the built-in kinds that clients run into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tiphys.testing.kubernetes import _names as names
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._pod_rules import (
    pod_change_problems,
    pod_spec_problems,
    template_problems,
)
from tiphys.testing.kubernetes._problems import Problem, quoted
from tiphys.testing.kubernetes._selectors import selects

Object = dict[str, Any]
Rule = Callable[[Object], Iterator[Problem]]
ChangeRule = Callable[[Object, Object], Iterator[Problem]]
RBAC = "rbac.authorization.k8s.io"
IMMUTABLE = "field is immutable"
SIZE = 1024 * 1024
COUNTS = (  # of a Job
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
    "ttlSecondsAfterFinished",
)  # fmt: skip


def problems(kind: Kind, obj: Object) -> Iterator[Problem]:
    """What is wrong with *obj* itself."""
    yield from _metadata_problems(kind, obj["metadata"])
    if kind.key in RULES:
        yield from RULES[kind.key](obj)


def change_problems(kind: Kind, old: Object, new: Object) -> Iterator[Problem]:
    """What is wrong with the change from *old* to *new*."""
    if old["metadata"].get("deletionTimestamp"):
        had = old["metadata"].get("finalizers") or []
        added = [f for f in new["metadata"].get("finalizers") or [] if f not in had]
        if added:
            listed = ", ".join(quoted(text) for text in added)
            yield Problem.forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new "
                f"finalizers []string{{{listed}}}",
            )
    if kind.key in CHANGE_RULES:
        yield from CHANGE_RULES[kind.key](old, new)


def name_problems(kind: Kind, name: str) -> list[str]:
    """What is wrong with a name."""
    if kind.key in ("/namespaces", "/services"):
        return names.label(name)
    return names.path_segment(name) if kind.group == RBAC else names.subdomain(name)


def _metadata_problems(kind: Kind, metadata: Object) -> Iterator[Problem]:
    name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
    if prefix:
        padded = prefix[:-1] + "a" if prefix.endswith("-") else prefix
        for text in name_problems(kind, padded):
            yield Problem.invalid("metadata.generateName", prefix, text)
    if not name:
        yield Problem.required("metadata.name", "name or generateName is required")
    else:
        for text in name_problems(kind, name):
            yield Problem.invalid("metadata.name", name, text)
    yield from names.label_problems(metadata.get("labels") or {}, "metadata.labels")
    yield from names.annotation_problems(metadata.get("annotations") or {}, "metadata.annotations")
    for owner in metadata.get("ownerReferences") or []:
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                text = "version must not be empty" if key == "apiVersion" else "must not be empty"
                yield Problem.invalid(f"metadata.ownerReferences.{key}", "", text)
    for i, finalizer in enumerate(metadata.get("finalizers") or []):
        for text in names.qualified(finalizer):
            yield Problem.invalid(f"metadata.finalizers[{i}]", finalizer, text)
        if "/" not in finalizer and finalizer not in (
            "foregroundDeletion", "orphan", "kubernetes"
        ) and not kind.custom:  # fmt: skip
            yield Problem.invalid(
                f"metadata.finalizers[{i}]", finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            )  # fmt: skip


def _config_map(obj: Object) -> Iterator[Problem]:
    for field in ("data", "binaryData"):
        for key in obj.get(field) or {}:
            for text in names.data_key(key):
                yield Problem.invalid(f"{field}[{key}]", key, text)
    yield from _size(obj, "data", "binaryData")


def _secret(obj: Object) -> Iterator[Problem]:
    for key in obj.get("data") or {}:
        for text in names.data_key(key):
            yield Problem.invalid(f"data[{key}]", key, text)
    needed = {
        "kubernetes.io/tls": ("tls.crt", "tls.key"),
        "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    }.get(obj.get("type", ""), ())
    for key in needed:
        if key not in (obj.get("data") or {}):
            yield Problem.required(f"data[{key}]")
    yield from _size(obj, "data")


def _size(obj: Object, *fields: str) -> Iterator[Problem]:
    size = sum(len(value) for field in fields for value in (obj.get(field) or {}).values())
    if size > SIZE:
        message = f"Too long: may not be more than {SIZE} bytes"
        yield Problem("FieldValueTooLong", "data" if fields == ("data",) else "", message)


def _immutable_data(old: Object, new: Object) -> Iterator[Problem]:
    if old.get("immutable"):
        if not new.get("immutable"):
            yield Problem.forbidden("immutable", f"{IMMUTABLE} when `immutable` is set")
        for field in ("data", "binaryData"):
            if old.get(field) != new.get(field):
                yield Problem.forbidden(field, f"{IMMUTABLE} when `immutable` is set")
    if old.get("type") != new.get("type"):
        yield Problem.invalid("type", new.get("type"), IMMUTABLE)


def _pod(obj: Object) -> Iterator[Problem]:
    return pod_spec_problems(obj["spec"], "spec")


def _workload(obj: Object) -> Iterator[Problem]:
    spec = obj["spec"]
    selector, template = spec.get("selector"), spec["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is None:
        yield Problem.required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield Problem.invalid("spec.selector", "{}", "empty selector is invalid for deployment")
    if selector is not None and not selects(selector, labels):
        shown = "{" + ",".join(f'"{k}":"{v}"' for k, v in sorted(labels.items())) + "}"
        yield Problem(
            "FieldValueInvalid", "spec.template.metadata.labels",
            f"Invalid value: {shown}: `selector` does not match template `labels`",
        )  # fmt: skip
    yield from _negative(spec, "replicas", "spec")
    yield from template_problems(template, "spec.template", ends=False)


def _fixed_selector(old: Object, new: Object) -> Iterator[Problem]:
    if old["spec"].get("selector") != new["spec"].get("selector"):
        shown = _shown(new["spec"].get("selector"))
        message = f"Invalid value: {shown}: {IMMUTABLE}"
        yield Problem("FieldValueInvalid", "spec.selector", message)


def _fixed_stateful_set(old: Object, new: Object) -> Iterator[Problem]:
    free = ("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip
    was, now = ({k: v for k, v in o["spec"].items() if k not in free} for o in (old, new))
    if was != now:
        yield Problem.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        )


def _job(obj: Object) -> Iterator[Problem]:
    return _job_spec(obj["spec"], "spec")


def _job_spec(spec: Object, path: str) -> Iterator[Problem]:
    for field in COUNTS:
        yield from _negative(spec, field, path)
    yield from template_problems(spec["template"], f"{path}.template", ends=True)


def _negative(spec: Object, field: str, path: str) -> Iterator[Problem]:
    value = spec.get(field)
    if isinstance(value, int) and value < 0:
        yield Problem.invalid(f"{path}.{field}", value, "must be greater than or equal to 0")


def _fixed_job(old: Object, new: Object) -> Iterator[Problem]:
    for field in ("completions", "selector", "template", "completionMode"):
        was, now = old["spec"].get(field), new["spec"].get(field)
        if was != now and not (field == "template" and old["spec"].get("suspend")):
            yield Problem("FieldValueInvalid", f"spec.{field}",
                          f"Invalid value: {_shown(now)}: {IMMUTABLE}")  # fmt: skip


def _cron_job(obj: Object) -> Iterator[Problem]:
    spec = obj["spec"]
    if not spec.get("schedule"):
        yield Problem.required("spec.schedule")
    elif len(spec["schedule"].split()) != 5 and not spec["schedule"].startswith("@"):
        found = len(spec["schedule"].split())
        text = f"expected exactly 5 fields, found {found}: [{spec['schedule']}]"
        yield Problem.invalid("spec.schedule", spec["schedule"], text)
    if spec["concurrencyPolicy"] not in ("Allow", "Forbid", "Replace"):
        yield Problem.unsupported(
            "spec.concurrencyPolicy", spec["concurrencyPolicy"], ("Allow", "Forbid", "Replace")
        )
    yield from _job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")


def _claim(obj: Object) -> Iterator[Problem]:
    spec = obj["spec"]
    if not spec.get("accessModes"):
        yield Problem.required("spec.accessModes", "at least 1 access mode is required")
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield Problem.required("spec.resources[storage]")


def _service(obj: Object) -> Iterator[Problem]:
    spec = obj["spec"]
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec["type"] not in kinds:
        yield Problem.unsupported("spec.type", spec["type"], kinds)
    ports = spec.get("ports") or []
    if not ports and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        yield Problem.required("spec.ports")
    for i, port in enumerate(ports):
        if not 1 <= port.get("port", 0) <= 65535:
            text = "must be between 1 and 65535, inclusive"
            yield Problem.invalid(f"spec.ports[{i}].port", port.get("port", 0), text)
        if len(ports) > 1 and not port.get("name"):
            yield Problem.required(f"spec.ports[{i}].name")


def _role(obj: Object) -> Iterator[Problem]:
    for i, rule in enumerate(obj.get("rules") or []):
        if not rule.get("verbs"):
            yield Problem.required(f"rules[{i}].verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            text = "resource rules must supply at least one api group"
            yield Problem.required(f"rules[{i}].apiGroups", text)
        if not rule.get("resources"):
            text = "resource rules must supply at least one resource"
            yield Problem.required(f"rules[{i}].resources", text)


def _binding(obj: Object) -> Iterator[Problem]:
    role = obj["roleRef"]
    allowed = ("Role", "ClusterRole") if obj["metadata"].get("namespace") else ("ClusterRole",)
    if role.get("kind") not in allowed:
        yield Problem.unsupported("roleRef.kind", role.get("kind", ""), allowed)
    if not role.get("name"):
        yield Problem.required("roleRef.name")
    for i, subject in enumerate(obj.get("subjects") or []):
        if not subject.get("name"):
            yield Problem.required(f"subjects[{i}].name")
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            yield Problem.required(f"subjects[{i}].namespace")


def _fixed_role(old: Object, new: Object) -> Iterator[Problem]:
    if old["roleRef"] != new["roleRef"]:
        text = "cannot change roleRef"
        yield Problem("FieldValueInvalid", "roleRef",
                      f"Invalid value: {_shown(new['roleRef'])}: {text}")  # fmt: skip


def _lease(obj: Object) -> Iterator[Problem]:
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield Problem.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    yield from _negative(spec, "leaseTransitions", "spec")


def _event(obj: Object) -> Iterator[Problem]:
    involved = (obj.get("involvedObject") or {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    if involved != namespace and (involved or namespace != "default"):
        yield Problem.invalid(
            "involvedObject.namespace", involved, "does not match event.namespace"
        )


def _shown(value: Any) -> str:
    """A structure in a message; the server prints its own notation here."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(key)}:{_shown(item)}" for key, item in value.items()) + "}"
    return f"[{','.join(map(_shown, value))}]" if isinstance(value, list) else quoted(value)


RULES: dict[str, Rule] = {
    "/configmaps": _config_map,
    "/secrets": _secret,
    "/pods": _pod,
    "/services": _service,
    "/persistentvolumeclaims": _claim,
    "/events": _event,
    "apps/deployments": _workload,
    "apps/statefulsets": _workload,
    "batch/jobs": _job,
    "batch/cronjobs": _cron_job,
    f"{RBAC}/roles": _role,
    f"{RBAC}/clusterroles": _role,
    f"{RBAC}/rolebindings": _binding,
    f"{RBAC}/clusterrolebindings": _binding,
    "coordination.k8s.io/leases": _lease,
}
CHANGE_RULES: dict[str, ChangeRule] = {
    "/configmaps": _immutable_data,
    "/secrets": _immutable_data,
    "/pods": pod_change_problems,
    "apps/deployments": _fixed_selector,
    "apps/statefulsets": _fixed_stateful_set,
    "batch/jobs": _fixed_job,
    f"{RBAC}/rolebindings": _fixed_role,
    f"{RBAC}/clusterrolebindings": _fixed_role,
}
