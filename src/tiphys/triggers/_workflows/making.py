"""Workflows that are made of manifests, templates and other workflows."""

from __future__ import annotations

from typing import Any

from tiphys.aio import Clock
from tiphys.errors import TriggerError
from tiphys.events import timestamp
from tiphys.kube import Client, Resource, name_of
from tiphys.triggers._shared.objects import Object
from tiphys.triggers._workflows.arguments import Arguments

API_VERSION = "argoproj.io/v1alpha1"
GROUP, VERSION = API_VERSION.split("/")
PREFIX = "workflows.argoproj.io/"
INSTANCE = f"{PREFIX}controller-instanceid"
SCHEDULED = f"{PREFIX}scheduled-time"
COMPLETED = f"{PREFIX}completed"
ARCHIVING = f"{PREFIX}workflow-archiving-status"
RESUBMITTED = f"{PREFIX}resubmitted-from-workflow"
WORKFLOWS = Resource(GROUP, VERSION, "workflows", "Workflow")
# What the new workflow of a resubmission gets anew.
OF_ONE_RUN = frozenset(
    [COMPLETED, ARCHIVING]
    + [PREFIX + name for name in ("phase", "creator", "creator-email",
                                  "creator-preferred-username")]
)  # fmt: skip
KINDS = {
    "workflowtemplate": "WorkflowTemplate",
    "wftmpl": "WorkflowTemplate",
    "clusterworkflowtemplate": "ClusterWorkflowTemplate",
    "cwft": "ClusterWorkflowTemplate",
    "cronworkflow": "CronWorkflow",
    "cronwf": "CronWorkflow",
    "cwf": "CronWorkflow",
}
RESOURCES = {
    "WorkflowTemplate": Resource(GROUP, VERSION, "workflowtemplates", "WorkflowTemplate"),
    "ClusterWorkflowTemplate": Resource(
        GROUP, VERSION, "clusterworkflowtemplates", "ClusterWorkflowTemplate", namespaced=False
    ),
    "CronWorkflow": Resource(GROUP, VERSION, "cronworkflows", "CronWorkflow"),
}


async def from_source(client: Client, kind: str, name: str, namespace: str, clock: Clock) -> Object:
    """
    A workflow from the template or CronWorkflow of that name, which must be there.

    Raises :exc:`TriggerError` for other kinds, and :exc:`KubernetesError`.
    """
    known = KINDS.get(kind.lower())
    if known is None:
        raise TriggerError(f"invalid kind {kind}", retryable=False)
    source = await client.get(RESOURCES[known], name, namespace)
    if known == "CronWorkflow":
        return _of_cron(source, clock)
    label = "cluster-workflow-template" if known.startswith("Cluster") else "workflow-template"
    reference: Object = {"name": name}
    if known.startswith("Cluster"):
        reference["clusterScope"] = True
    return _workflow(
        {"generateName": f"{name}-", "labels": {PREFIX + label: name}},
        {"workflowTemplateRef": reference},
    )


def resubmission(old: Object) -> Object:
    """A new workflow that does what *old* did."""
    metadata = old["metadata"]
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k not in OF_ONE_RUN}
    made: Object = {
        "generateName": metadata.get("generateName") or f"{name_of(old)}-",
        "labels": labels | {RESUBMITTED: name_of(old)},
        "annotations": dict(metadata.get("annotations") or {}),
    }
    if references := metadata.get("ownerReferences"):
        made["ownerReferences"] = references
    return _workflow(made, _restartable(old.get("spec") or {}))


def apply(workflow: Object, arguments: Arguments) -> None:
    """Change a workflow that is about to be created as the arguments say."""
    metadata, spec = workflow["metadata"], workflow.setdefault("spec", {})
    for option, key in (("entrypoint", "entrypoint"), ("serviceaccount", "serviceAccountName")):
        if value := arguments.text(option):
            spec[key] = value
    if arguments.priority is not None:
        spec["priority"] = arguments.priority
    override_parameters(spec, arguments.parameters)
    labels = dict(arguments.labels)
    if instance := arguments.text("instanceid"):
        labels[INSTANCE] = instance
    if labels:
        metadata["labels"] = (metadata.get("labels") or {}) | labels
    if moment := arguments.text("scheduled-time"):
        metadata["annotations"] = (metadata.get("annotations") or {}) | {SCHEDULED: moment}
    if prefix := arguments.text("generate-name"):
        metadata["generateName"] = prefix
    if name := arguments.text("name"):
        metadata["name"] = name


def override_parameters(spec: Object, given: dict[str, str]) -> None:
    """Put *given* parameters before those of other names."""
    if not given:
        return
    arguments = spec["arguments"] = dict(spec.get("arguments") or {})
    kept = [p for p in arguments.get("parameters") or [] if p.get("name") not in given]
    new: list[Any] = [{"name": name, "value": value} for name, value in given.items()]
    arguments["parameters"] = new + kept


def _of_cron(cron: Object, clock: Clock) -> Object:
    name, spec = name_of(cron), cron.get("spec") or {}
    extra = spec.get("workflowMetadata") or {}
    labels = {f"{PREFIX}cron-workflow": name}
    if instance := (cron["metadata"].get("labels") or {}).get(INSTANCE):
        labels[INSTANCE] = instance
    metadata: Object = {
        "generateName": f"{name}-",
        "labels": labels | (extra.get("labels") or {}),
        "annotations": {SCHEDULED: timestamp(clock.now())} | (extra.get("annotations") or {}),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": "CronWorkflow",
                "name": name,
                "uid": cron["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if finalizers := extra.get("finalizers"):
        metadata["finalizers"] = finalizers
    return _workflow(metadata, spec.get("workflowSpec") or {})


def _restartable(spec: Object) -> Object:
    """A spec without what ended a run of it."""
    kept = {key: value for key, value in spec.items() if key != "shutdown"}
    if kept.get("activeDeadlineSeconds") == 0:
        del kept["activeDeadlineSeconds"]
    return kept


def _workflow(metadata: Object, spec: Object) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": metadata,
        "spec": dict(spec),
    }
