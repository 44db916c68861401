"""What is wrong with a pod, alone or in the template of a workload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tiphys.testing.kubernetes import _names as names
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._problems import Problem

Object = dict[str, Any]
POLICIES = ("Always", "OnFailure", "Never")


def template_problems(template: Object, path: str, *, ends: bool) -> Iterator[Problem]:
    """What is wrong with a pod template, for pods that come to an end or do not."""
    labels = (template.get("metadata") or {}).get("labels") or {}
    yield from names.label_problems(labels, f"{path}.metadata.labels")
    spec = template.get("spec") or {}
    yield from pod_spec_problems(spec, f"{path}.spec")
    policy = spec.get("restartPolicy")
    if ends and policy == "Always":
        yield Problem.required(f"{path}.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    if not ends and policy in ("OnFailure", "Never"):
        yield Problem.unsupported(f"{path}.spec.restartPolicy", policy, ("Always",))


def pod_spec_problems(spec: Object, path: str) -> Iterator[Problem]:
    """What is wrong with the ``spec`` of a pod."""
    volumes = [volume.get("name", "") for volume in spec.get("volumes") or []]
    for i, name in enumerate(volumes):
        yield from _name_problems(name, f"{path}.volumes[{i}].name")
        if name in volumes[:i]:
            yield Problem.duplicate(f"{path}.volumes[{i}].name", name)
    if not spec.get("containers"):
        yield Problem.required(f"{path}.containers")
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(field) or []):
            here = f"{path}.{field}[{i}]"
            yield from _container_problems(container, here, volumes)
            if container.get("name") in seen:
                yield Problem.duplicate(f"{here}.name", container["name"])
            seen.add(container.get("name", ""))
    if (policy := spec.get("restartPolicy")) not in POLICIES:
        yield Problem.unsupported(f"{path}.restartPolicy", policy, POLICIES)


def pod_change_problems(old: Object, new: Object) -> Iterator[Problem]:
    """A pod's spec may change in little but its images."""
    allowed = clone(new["spec"])
    was = old["spec"]
    for field in ("containers", "initContainers"):
        for mine, before in zip(allowed.get(field) or [], was.get(field) or [], strict=False):
            mine["image"] = before.get("image")
    for field in ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations"):
        allowed.pop(field, None)
        if field in was:
            allowed[field] = was[field]
    if allowed != was:
        yield Problem.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)",
        )


def _container_problems(container: Object, path: str, volumes: Sequence[str]) -> Iterator[Problem]:
    yield from _name_problems(container.get("name", ""), f"{path}.name")
    if not container.get("image"):
        yield Problem.required(f"{path}.image")
    for i, variable in enumerate(container.get("env") or []):
        if not variable.get("name"):
            yield Problem.required(f"{path}.env[{i}].name")
        if variable.get("value") and variable.get("valueFrom"):
            text = "may not be specified when `value` is not empty"
            yield Problem.invalid(f"{path}.env[{i}].valueFrom", "", text)
    for i, mount in enumerate(container.get("volumeMounts") or []):
        if not mount.get("mountPath"):
            yield Problem.required(f"{path}.volumeMounts[{i}].mountPath")
        if mount.get("name") not in volumes:
            yield Problem(
                "FieldValueNotFound",
                f"{path}.volumeMounts[{i}].name",
                f'Not found: "{mount.get("name", "")}"',
            )
    for i, port in enumerate(container.get("ports") or []):
        number = port.get("containerPort")
        if not number:
            yield Problem.required(f"{path}.ports[{i}].containerPort")
        elif not 1 <= number <= 65535:
            text = "must be between 1 and 65535, inclusive"
            yield Problem.invalid(f"{path}.ports[{i}].containerPort", number, text)


def _name_problems(name: str, path: str) -> Iterator[Problem]:
    if not name:
        yield Problem.required(path)
        return
    for text in names.label(name):
        yield Problem.invalid(path, name, text)
