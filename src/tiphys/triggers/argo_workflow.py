"""argoWorkflow: submits, suspends, resumes, stops, retries and resubmits workflows of Argo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import Field

from tiphys.errors import NotFound, PolicyError, TriggerError, UpdateConflict
from tiphys.kube import PODS, Client, name_of, namespace_of
from tiphys.manifests.common import TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared.objects import (
    ACTION,
    Object,
    acting,
    add_labels,
    connect,
    create_once,
    current,
    described,
    manifest_of,
)
from tiphys.triggers._workflows import making, nodes
from tiphys.triggers._workflows.arguments import (
    HONOURED,
    ArgumentError,
    Arguments,
    parse,
    problems,
)
from tiphys.triggers._workflows.making import COMPLETED, PREFIX, WORKFLOWS
from tiphys.triggers._workflows.retrying import retried
from tiphys.triggers.artifacts import ArtifactLocation, location_problems, read_manifest

CONFLICTS = 5  # times that a workflow is read again because the controller changed it meanwhile
PAUSE = 2.0  # seconds between two looks at a workflow that is waited for
SHUTDOWNS = {"stop": "Stop", "terminate": "Terminate"}
DONE = {"suspend": "suspended", "resume": "resumed", "stop": "stopped",
        "terminate": "terminated", "retry": "retried"}  # fmt: skip


class Config(TriggerConfig):
    """Options of the argoWorkflow trigger."""

    source: ArtifactLocation | None = Field(None, description="Where the manifest comes from.")
    operation: str = Field(
        "",
        description="`submit`, `submit-from`, `resubmit`, `retry`, `resume`, `suspend`, `stop` or "
        "`terminate`.",
    )
    args: list[str] = Field([], description="Options of the `argo` command for the operation.")


@trigger("argoWorkflow", log_name="ArgoWorkflow")
class ArgoWorkflow(Trigger[Config]):
    """Does what the ``argo`` command does, by changing the same objects; it is not needed."""

    fetches_objects = True
    _client: Client | None = None

    async def start(self, ctx: TriggerContext) -> None:
        """Find the cluster; raises :exc:`ClusterNotConfigured` where there is none."""
        await super().start(ctx)
        self._client = await connect(ctx)

    async def fetch(self, config: Config) -> bytes | None:
        """The manifest."""
        if found := self.check(config):  # parameters may have made some
            raise TriggerError("; ".join(found), retryable=False)
        assert config.source is not None
        return await read_manifest(config.source, self.ctx, remote=self._client is not None)

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Perform the operation."""
        manifest = manifest_of(firing)
        operation = firing.config.operation
        try:
            arguments = parse(operation, firing.config.args)
        except ArgumentError as error:
            raise TriggerError(str(error), retryable=False) from error
        if operation != "submit" and not name_of(manifest) and not arguments.text("from"):
            message = f"failed to execute the workflow {operation} operation, no name is given"
            raise TriggerError(message, retryable=False)
        namespace = namespace_of(manifest) or firing.namespace
        with acting():
            match operation:
                case "submit" | "submit-from" | "resubmit":
                    outcome = await self._create(firing, manifest, namespace, arguments)
                case "retry":
                    outcome = await self._retry(firing, name_of(manifest), namespace, arguments)
                case _:
                    outcome = await self._change(operation, manifest, namespace, arguments)
            if arguments.waits:
                return await self._ended(outcome)
        return outcome

    async def observe(self, outcome: Outcome) -> dict[str, Any] | None:
        """The workflow as it is now."""
        with acting():
            return await current(self._connected, outcome)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """There must be a manifest, an operation that is known, and arguments that it has."""
        if config.source is None:
            return ["argoWorkflow trigger does not contain an absolute action"]
        if config.operation not in HONOURED:
            return [f"unknown operation type {config.operation}"]
        return [*location_problems(config.source), *problems(config.operation, config.args)]

    @property
    def _connected(self) -> Client:
        assert self._client is not None, "start() comes first"
        return self._client

    async def _create(
        self, firing: Firing[Config], manifest: Object, namespace: str, arguments: Arguments
    ) -> Outcome:
        client, operation = self._connected, firing.config.operation
        if operation == "submit":
            made = manifest
            if made["kind"] != "Workflow":
                raise TriggerError(f"invalid kind {made['kind']}", retryable=False)
        elif operation == "submit-from":
            kind, name = manifest["kind"], name_of(manifest)
            if arguments.text("from"):
                kind, name = arguments.source
            made = await making.from_source(client, kind, name, namespace, self.ctx.clock)
        else:
            old = await client.get(WORKFLOWS, name_of(manifest), namespace)
            made = making.resubmission(old)
        making.apply(made, arguments)
        if not name_of(made) and not made["metadata"].get("generateName"):
            message = "failed to trigger the workflow, neither name nor generateName is given"
            raise TriggerError(message, retryable=False)
        made["metadata"]["namespace"] = namespace
        add_labels(made, firing, self.ctx.clock)
        created, new = await create_once(client, WORKFLOWS, made, firing)
        what = "submitted" if new else "found, submitted before:"
        return Outcome(detail=described(what, WORKFLOWS, created), resource=created)

    async def _change(
        self, operation: str, manifest: Object, namespace: str, arguments: Arguments
    ) -> Outcome:
        """Suspend, resume, stop or terminate."""
        name = name_of(manifest)
        selector = arguments.text("node-field-selector")
        if operation == "suspend":
            changed = await self._mark(name, namespace, "suspend", True)
        elif operation in SHUTDOWNS and not selector:
            changed = await self._mark(name, namespace, "shutdown", SHUTDOWNS[operation])
        else:
            message = arguments.text("message")
            changed = await self._rewritten(
                name, namespace, lambda old: self._release(old, operation, selector, message)
            )
        return Outcome(detail=described(DONE[operation], WORKFLOWS, changed), resource=changed)

    async def _mark(self, name: str, namespace: str, key: str, value: Any) -> Object:
        """Tell the controller, through a member of the spec, what to do."""
        workflow = await self._connected.get(WORKFLOWS, name, namespace)
        if (workflow.get("spec") or {}).get(key) == value:
            return workflow
        if _completed(workflow):
            what = "suspend completed workflows" if key == "suspend" else (
                f"shutdown a completed workflow: {name} in namespace {namespace}"
            )  # fmt: skip
            raise TriggerError(f"cannot {what}", retryable=False)
        return await self._connected.patch(WORKFLOWS, name, {"spec": {key: value}}, namespace)

    async def _release(
        self, workflow: Object, operation: str, selector: str, message: str
    ) -> Object | None:
        """The workflow with its suspend nodes ended; None where it has none to end."""
        resumed = not selector and (workflow.get("spec") or {}).pop("suspend", None)
        all_nodes = nodes.load(workflow)
        found = nodes.waiting(all_nodes, selector)
        if selector and not found:
            message = f"no suspend nodes matching nodeFieldSelector: {selector}"
            raise TriggerError(message, retryable=False)
        for node in found:
            phase = "Succeeded" if operation == "resume" else "Failed"
            nodes.end(node, phase, message, self._now())
        if found:
            nodes.store(workflow, all_nodes)
        return workflow if resumed or found else None

    async def _retry(
        self, firing: Firing[Config], name: str, namespace: str, arguments: Arguments
    ) -> Outcome:
        """Delete the pods of the nodes that failed, then let the workflow run again."""

        async def again(old: Object) -> Object | None:
            if (old["metadata"].get("annotations") or {}).get(ACTION) == firing.action_id:
                return None  # an earlier attempt of this action did it
            made, gone = retried(old, arguments, self._now())
            await self._delete_pods(name, namespace, gone)
            annotations = made["metadata"].get("annotations") or {}
            made["metadata"]["annotations"] = annotations | {ACTION: firing.action_id}
            return made

        stored = await self._rewritten(name, namespace, again)
        return Outcome(detail=described("retried", WORKFLOWS, stored), resource=stored)

    async def _delete_pods(self, name: str, namespace: str, gone: list[Object]) -> None:
        ids, names = {node.get("id") for node in gone}, {node.get("name") for node in gone}
        pods = await self._connected.list(PODS, namespace, labels=f"{PREFIX}workflow={name}")
        for pod in pods.items:
            marks = pod["metadata"].get("annotations") or {}
            if marks.get(f"{PREFIX}node-id") in ids or marks.get(f"{PREFIX}node-name") in names:
                try:
                    await self._connected.delete(PODS, name_of(pod), namespace)
                except NotFound:
                    continue

    async def _rewritten(
        self, name: str, namespace: str, change: Callable[[Object], Awaitable[Object | None]]
    ) -> Object:
        """
        Read, change and write a workflow, again where the controller was faster.

        *change* gives what is to be written, None for nothing.
        """
        for number in range(CONFLICTS):
            workflow = await self._connected.get(WORKFLOWS, name, namespace)
            changed = await change(workflow)
            if changed is None:
                return workflow
            try:
                return await self._connected.replace(WORKFLOWS, changed)
            except UpdateConflict:
                if number == CONFLICTS - 1:
                    raise
        raise AssertionError(name)

    async def _ended(self, outcome: Outcome) -> Outcome:
        """
        Wait for the end of the workflow.

        Raises :exc:`PolicyError` when it is no success, so that a retry makes a new one.
        """
        while True:
            workflow = await current(self._connected, outcome)
            assert workflow is not None
            status = workflow.get("status") or {}
            if (phase := status.get("phase")) in nodes.ENDED:
                break
            await self.ctx.clock.sleep(PAUSE)
        if phase != "Succeeded":
            said = f": {status['message']}" if status.get("message") else ""
            raise PolicyError(f"the workflow {name_of(workflow)} ended as {phase}{said}")
        return Outcome(detail=f"{outcome.detail}, which succeeded", resource=workflow)

    def _now(self) -> str:
        return self.ctx.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _completed(workflow: Object) -> bool:
    labels = workflow["metadata"].get("labels") or {}
    phase = (workflow.get("status") or {}).get("phase")
    return labels.get(COMPLETED) == "true" or phase in nodes.ENDED
