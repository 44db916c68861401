"""The nodes of a workflow: what its steps have come to, in its status."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Iterator

import orjson

from tiphys.errors import TriggerError
from tiphys.kube import name_of
from tiphys.triggers._shared.objects import Object
from tiphys.triggers._workflows.arguments import parse_selector

Nodes = dict[str, Object]
ENDED = ("Succeeded", "Failed", "Error")
MAX_NODES = 64 * 1024 * 1024  # bytes of a compressed status when it is not


def load(workflow: Object) -> Nodes:
    """
    The nodes by id, also where the status has them compressed.

    Raises :exc:`TriggerError` where they are in a database instead.
    """
    status = workflow.get("status") or {}
    if status.get("offloadNodeStatusVersion"):
        message = (
            f"the workflow {name_of(workflow)} keeps its nodes in a database, which cannot be read"
        )
        raise TriggerError(message, retryable=False)
    if packed := status.get("compressedNodes"):
        with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(packed))) as file:
            text = file.read(MAX_NODES)
        unpacked: Nodes = orjson.loads(text)
        return unpacked
    return {key: dict(node) for key, node in (status.get("nodes") or {}).items()}


def store(workflow: Object, nodes: Nodes) -> None:
    """Put the nodes into the status, compressed where they were."""
    status = workflow.setdefault("status", {})
    if status.get("compressedNodes"):
        packed = gzip.compress(orjson.dumps(nodes))
        status["compressedNodes"] = base64.b64encode(packed).decode()
    else:
        status["nodes"] = nodes


def waiting(nodes: Nodes, selector: str = "") -> list[Object]:
    """The suspend nodes that wait to be resumed, of those that match."""
    return [
        node
        for node in nodes.values()
        if node.get("type") == "Suspend" and node.get("phase") == "Running"
        if matches(node, selector)
    ]


def end(node: Object, phase: str, message: str, moment: str) -> None:
    """
    Let a suspend node end.

    Raises :exc:`TriggerError` where it waits for a value that has no default.
    """
    for parameter in (node.get("outputs") or {}).get("parameters") or []:
        source = parameter.get("valueFrom") or {}
        if phase != "Succeeded" or "supplied" not in source:
            continue
        if "default" not in source:
            message = (
                f"raw output parameter '{parameter.get('name')}' has not been set and does not "
                "have a default value"
            )
            raise TriggerError(message, retryable=False)
        parameter["value"] = source["default"]
        del parameter["valueFrom"]
    node["phase"] = phase
    node["finishedAt"] = moment
    if message:
        node["message"] = message


def matches(node: Object, selector: str) -> bool:
    """Whether a node has the fields that a field selector asks for; an empty one asks for none."""
    fields = dict(_fields(node)) if selector else {}
    return all(
        (fields.get(name, "") == value) == equal for name, equal, value in parse_selector(selector)
    )


def _fields(node: Object) -> Iterator[tuple[str, str]]:
    reference = node.get("templateRef") or {}
    for key in ("displayName", "phase", "name", "id"):
        yield key, str(node.get(key, ""))
    yield "templateName", str(reference.get("template") or node.get("templateName", ""))
    if reference:
        yield "templateRef.name", str(reference.get("name", ""))
        yield "templateRef.template", str(reference.get("template", ""))
    for parameter in (node.get("inputs") or {}).get("parameters") or []:
        yield f"inputs.parameters.{parameter.get('name')}.value", str(parameter.get("value", ""))
