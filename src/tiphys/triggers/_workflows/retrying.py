"""
Running a failed workflow again from where it failed.

The nodes that failed are removed with everything that came after them, and so are their pods; what
contains them is running again.  The controller then makes what is missing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from tiphys.errors import TriggerError
from tiphys.kube import name_of
from tiphys.triggers._shared.objects import Object
from tiphys.triggers._workflows.arguments import Arguments
from tiphys.triggers._workflows.making import ARCHIVING, COMPLETED, override_parameters
from tiphys.triggers._workflows.nodes import Nodes, load, matches, store

FAILED = ("Failed", "Error")
WORKING = ("Pod", "Container", "HTTP", "Plugin")  # nodes that do something themselves
GROUPS = ("StepGroup", "TaskGroup")


def retried(workflow: Object, arguments: Arguments, moment: str) -> tuple[Object, list[Object]]:
    """
    The workflow as it must be stored to run again, and the nodes whose pods must go.

    Raises :exc:`TriggerError` for a workflow that cannot be retried.
    """
    selector = ""
    if "restart-successful" in arguments.flags:
        selector = arguments.text("node-field-selector")
    phase = (workflow.get("status") or {}).get("phase") or "Pending"
    if phase == "Succeeded" and not selector:
        message = (
            "To retry a succeeded workflow, set the options --restart-successful and "
            "--node-field-selector"
        )
        raise TriggerError(message, retryable=False)
    if phase not in (*FAILED, "Succeeded"):
        raise TriggerError(f"Cannot retry a workflow in phase {phase}", retryable=False)
    nodes = load(workflow)
    family = _Family(nodes)
    removed = _removed(family, name_of(workflow), selector)
    running = {n for node in removed for n in family.containers(node)} - removed
    if arguments.parameters:  # the groups must be expanded again, with the new values
        groups = [node for node in running if nodes[node].get("type") in GROUPS]
        removed |= {below for group in groups for below in family.below(group)}
    made = _restarted(workflow, arguments, moment)
    store(made, _remaining(nodes, removed, running - removed, moment))
    return made, [nodes[node] for node in sorted(removed) if nodes[node].get("type") == "Pod"]


class _Family:
    """Who is above and below whom."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._parents: dict[str, str] = {}
        for key in sorted(nodes):
            for child in nodes[key].get("children") or []:
                self._parents[child] = key

    def below(self, key: str) -> set[str]:
        """All nodes that came after a node."""
        found: set[str] = set()
        left = list(self.nodes[key].get("children") or [])
        while left:
            child = left.pop()
            if child in self.nodes and child not in found:
                found.add(child)
                left += self.nodes[child].get("children") or []
        return found

    def containers(self, key: str) -> Iterator[str]:
        """The nodes that contain a node, which cannot be over while it is not."""
        seen = set()
        while key and key not in seen:
            seen.add(key)
            above = self._parents.get(key, "")
            while above and self._holds(above):
                yield above
                above = self._parents.get(above, "")
            key = self.nodes[key].get("boundaryID", "")
            if key in self.nodes:
                yield key
            else:
                return

    def retry_of(self, key: str) -> str:
        """The node that tried a node several times; the node itself where none did."""
        parent = self._parents.get(key, "")
        return parent if parent and self.nodes[parent].get("type") == "Retry" else key

    def _holds(self, key: str) -> bool:
        node = self.nodes[key]
        if node.get("type") == "Retry":
            return node.get("phase") in FAILED
        return node.get("type") in GROUPS


def _removed(family: _Family, name: str, selector: str) -> set[str]:
    """The nodes that must go: failed and selected ones, what came after them, exit handlers."""
    nodes = family.nodes
    selected = {key for key, node in nodes.items() if selector and matches(node, selector)}
    starts = set(selected)
    for key, node in nodes.items():
        if node.get("phase") in FAILED and node.get("type") in WORKING:
            after = family.below(family.retry_of(key)) - selected
            if not any(nodes[other].get("phase") == "Succeeded" for other in after):
                starts.add(_pod_of(family, key))
    gone = starts | {below for start in starts for below in family.below(start)}
    exits = {k for k, node in nodes.items() if str(node.get("name")).startswith(f"{name}.onExit")}
    return gone | exits


def _pod_of(family: _Family, key: str) -> str:
    """The pod that a container of a set is in; the node itself where it is none."""
    node = family.nodes[key]
    if node.get("type") == "Container":
        boundary = node.get("boundaryID", "")
        if family.nodes.get(boundary, {}).get("type") == "Pod":
            return str(boundary)
    return key


def _remaining(nodes: Nodes, removed: set[str], running: set[str], moment: str) -> Nodes:
    remaining: Nodes = {}
    for key, old in nodes.items():
        if key in removed:
            continue
        node = remaining[key] = dict(old)
        for name in ("children", "outboundNodes"):
            if name in node:
                node[name] = [other for other in node[name] or [] if other not in removed]
        if key in running and node.get("phase") != "Skipped":
            node |= {"phase": "Running", "startedAt": moment, "finishedAt": None}
            node.pop("message", None)
    return remaining


def _restarted(workflow: Object, arguments: Arguments, moment: str) -> Object:
    """A copy of the workflow without the signs of its end."""
    made = copy.deepcopy(workflow)
    labels = made["metadata"].get("labels") or {}
    for label in (COMPLETED, ARCHIVING):
        labels.pop(label, None)
    status = made["status"]
    others = [c for c in status.get("conditions") or [] if c.get("type") != "Completed"]
    status |= {
        "phase": "",
        "message": "",
        "startedAt": moment,
        "finishedAt": None,
        "conditions": [*others, {"type": "Completed", "status": "False"}],
        "persistentVolumeClaims": [],
    }
    stored = status.get("storedWorkflowTemplateSpec")
    for spec in filter(None, (made.setdefault("spec", {}), stored)):
        spec.pop("shutdown", None)
        override_parameters(spec, arguments.parameters)
    if made["spec"].get("activeDeadlineSeconds") == 0:
        del made["spec"]["activeDeadlineSeconds"]
    return made
