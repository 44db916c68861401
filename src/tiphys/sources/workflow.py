"""Workflow: an event for each Argo Workflow that has ended (an extension of Tiphys)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import orjson
from pydantic import Field

from tiphys.manifests.common import EXTENSION, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.known_objects import bare
from tiphys.sources._shared.kubernetes import Told, Watched, follow, moment_of
from tiphys.sources._shared.selectors import Selector, label_problems, label_selector

PHASES = ("Succeeded", "Failed", "Error")
LARGE = 512 * 1024  # bytes of a Workflow; of a larger one the steps are left out
Object = dict[str, Any]


class Config(SourceConfig):
    """Which Workflows."""

    namespace: str = Field(
        "", description="Namespace of the Workflows; all when empty.", json_schema_extra=EXTENSION
    )
    phases: list[str] = Field(
        [],
        description="How they must have ended: `Succeeded`, `Failed`, `Error`; any way when empty.",
        json_schema_extra=EXTENSION,
    )
    prefix: str = Field("", description="How the name must begin.", json_schema_extra=EXTENSION)
    labels: list[Selector] = Field(
        [],
        description="Conditions on labels, all of which must hold.",
        json_schema_extra=EXTENSION,
    )
    after_start: bool = Field(
        False,
        description="Only Workflows that ended after the event source ran for the first time.",
        json_schema_extra=EXTENSION,
    )


@source("workflow", delivery="at-least-once", replicas="one", ordered=True)
class Workflow(Source[Config]):
    """
    Watches Workflows and tells of each end once, also across restarts.

    A Workflow that is retried ends again, which is another event; one that is resubmitted is
    another Workflow.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        problems = [
            f"`phases[{index}]` must be one of {', '.join(PHASES)}, not `{phase}`"
            for index, phase in enumerate(self.config.phases)
            if phase not in PHASES
        ]
        return problems + label_problems(self.config.labels, "labels")

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Turn each end that counts into an event."""
        watched = Watched(
            "argoproj.io", "v1alpha1", "workflows", self.config.namespace,
            label_selector(self.config.labels),
        )  # fmt: skip
        async with aclosing(follow(ctx, watched, _stub, whole=0)) as told:
            async for one in told:
                workflow = one.change.object
                if self._counts(one, ctx.clock.now()):
                    uid, end = workflow["metadata"].get("uid"), ":".join(_end(workflow))
                    id = f"{ctx.event_source}:{ctx.event_name}:{uid}:{end}"
                    yield Incoming(_payload(workflow), id, one.ack)
                else:
                    one.settle()

    def _counts(self, told: Told, now: datetime) -> bool:
        workflow, old = told.change.object, told.change.old
        phase, finished = _end(workflow)
        if phase not in (self.config.phases or PHASES):
            return False
        if old is not None and _end(old) == (phase, finished):
            return False  # something else about it changed, or it was deleted
        if not workflow["metadata"]["name"].startswith(self.config.prefix):
            return False
        moment = moment_of(finished) or now
        return not self.config.after_start or moment >= told.began.replace(microsecond=0)


def _end(workflow: Object) -> tuple[str, str]:
    """How and when it ended; whatever phase it is in if it did not."""
    status = workflow.get("status") or {}
    return str(status.get("phase") or ""), str(status.get("finishedAt") or "")


def _stub(workflow: Object) -> Object:
    phase, finished = _end(workflow)
    return {**bare(workflow), "status": {"phase": phase, "finishedAt": finished}}


def _payload(workflow: Object) -> Object:
    metadata, status = workflow["metadata"], workflow.get("status") or {}
    return {
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
        "uid": metadata.get("uid", ""),
        "phase": status.get("phase", ""),
        "startedAt": status.get("startedAt"),
        "finishedAt": status.get("finishedAt"),
        "message": status.get("message") or "",
        "labels": metadata.get("labels") or {},
        "parameters": _parameters(workflow),
        "outputs": _outputs(workflow),
        "workflow": _shown(workflow),
    }


def _parameters(workflow: Object) -> Object:
    """The arguments: those of the template that it was made from, then its own."""
    status, spec = workflow.get("status") or {}, workflow.get("spec") or {}
    stored = status.get("storedWorkflowTemplateSpec") or {}
    return _values(stored.get("arguments")) | _values(spec.get("arguments"))


def _outputs(workflow: Object) -> Object:
    """The output parameters of the entrypoint, then the global ones."""
    status = workflow.get("status") or {}
    entrypoint = (status.get("nodes") or {}).get(workflow["metadata"]["name"]) or {}
    return _values(entrypoint.get("outputs")) | _values(status.get("outputs"))


def _values(block: Any) -> Object:
    """The parameters of a block by name; those without a value have none."""
    parameters = (block or {}).get("parameters") or []
    return {one["name"]: one["value"] for one in parameters if "value" in one}


def _shown(workflow: Object) -> Object:
    """The Workflow as it is, without what only the API server needs; without steps if large."""
    metadata = {k: v for k, v in workflow["metadata"].items() if k != "managedFields"}
    shown = {**workflow, "metadata": metadata}
    if len(orjson.dumps(shown)) <= LARGE:
        return shown
    steps = ("nodes", "compressedNodes", "storedTemplates")
    status = {k: v for k, v in workflow["status"].items() if k not in steps}
    return {**shown, "status": status}
