"""k8s: creates, updates, patches, applies and deletes objects of any kind in a cluster."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import Field

from tiphys.errors import NotFound, TriggerError, UpdateConflict
from tiphys.kube import Client, Patch, Resource, name_of, namespace_of
from tiphys.manifests.common import TriggerConfig, go_default
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared.objects import (
    Object,
    acting,
    add_labels,
    connect,
    create_once,
    current,
    described,
    found,
    manifest_of,
    settle,
)
from tiphys.triggers.artifacts import ArtifactLocation, location_problems, read_manifest

OPERATIONS = ("create", "update", "patch", "delete", "apply")
STRATEGIES = tuple(str(kind) for kind in Patch)
CONFLICTS = 5  # times that an object is read again because somebody else changed it meanwhile


class Config(TriggerConfig):
    """Options of the k8s trigger."""

    source: ArtifactLocation | None = Field(None, description="Where the manifest comes from.")
    operation: Annotated[str, go_default("create")] = Field(
        "create",
        description="`create`, `update`, `patch`, `delete`, or `apply` (extension).",
        json_schema_extra={"extensionValues": ["apply"]},
    )
    patch_strategy: Annotated[str, go_default(str(Patch.MERGE))] = Field(
        str(Patch.MERGE),
        description="Content type of a patch: that of JSON merge patches, "
        "`application/strategic-merge-patch+json`, `application/json-patch+json` or "
        "`application/apply-patch+yaml`.",
    )
    live_object: bool = Field(
        False, description="With `update`: parameters change the object that is in the cluster."
    )


@trigger("k8s", log_name="Kubernetes")
class K8s(Trigger[Config]):
    """Acts through one client, whose connections are kept open between firings."""

    fetches_objects = True
    _client: Client | None = None

    async def start(self, ctx: TriggerContext) -> None:
        """Find the cluster; raises :exc:`ClusterNotConfigured` where there is none."""
        await super().start(ctx)
        self._client = await connect(ctx)

    async def fetch(self, config: Config) -> bytes | None:
        """The manifest; with ``liveObject`` the object of that name in the cluster."""
        if problems := self.check(config):  # parameters may have made some
            raise TriggerError("; ".join(problems), retryable=False)
        assert config.source is not None
        manifest = await read_manifest(config.source, self.ctx, remote=self._client is not None)
        if self._client is None or not config.live_object or config.operation != "update":
            return manifest
        return orjson.dumps(await self._live(self._client, orjson.loads(manifest)))

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Perform the operation."""
        assert self._client is not None, "start() comes first"
        config, client = firing.config, self._client
        manifest = manifest_of(firing)
        with acting():
            resource = await client.resource_of(manifest)
            settle(manifest, resource, firing.namespace)
            if config.operation != "create" and not name_of(manifest):
                message = f"{config.operation} needs metadata.name in the manifest"
                raise TriggerError(message, retryable=False)
            match config.operation:
                case "create":
                    return await self._create(client, resource, manifest, firing)
                case "update":
                    return await _update(client, resource, manifest)
                case "patch":
                    return await _patch(client, resource, manifest, Patch(config.patch_strategy))
                case "apply":
                    return await _patch(client, resource, manifest, Patch.APPLY)
                case "delete":
                    return await _delete(client, resource, manifest)
        raise AssertionError(config.operation)

    async def observe(self, outcome: Outcome) -> dict[str, Any] | None:
        """The object as it is now; None after ``delete``."""
        assert self._client is not None, "start() comes first"
        with acting():
            return await current(self._client, outcome)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """There must be a manifest, and an operation that is known."""
        if config.source is None:
            return ["k8s trigger does not contain an absolute action"]
        problems = location_problems(config.source)
        if config.operation not in OPERATIONS:
            problems.append(f"unknown operation type {config.operation}")
        if config.patch_strategy not in STRATEGIES:
            problems.append(f"unknown patchStrategy {config.patch_strategy}")
        return problems

    async def _create(
        self, client: Client, resource: Resource, manifest: Object, firing: Firing[Config]
    ) -> Outcome:
        add_labels(manifest, firing, self.ctx.clock)
        made, new = await create_once(client, resource, manifest, firing)
        return Outcome(
            detail=described("created" if new else "found, created before:", resource, made),
            resource=made,
        )

    async def _live(self, client: Client, manifest: Object) -> Object:
        name, namespace = name_of(manifest), namespace_of(manifest)
        if not name:
            message = "resource name must be specified for fetching live object"
            raise TriggerError(message, retryable=False)
        with acting():
            resource = await client.resource_of(manifest)
            if resource.namespaced and not namespace:
                message = "resource namespace must be specified for fetching live object"
                raise TriggerError(message, retryable=False)
            return await client.get(resource, name, namespace or None)


async def _update(client: Client, resource: Resource, manifest: Object) -> Outcome:
    """Lay the manifest over the object that is there, or create it."""
    name, namespace = name_of(manifest), namespace_of(manifest) or None
    for number in range(CONFLICTS):
        live = await found(client, resource, name, namespace)
        if live is None:
            made = await client.create(resource, manifest)
            return Outcome(detail=described("created", resource, made), resource=made)
        try:
            changed = await client.replace(resource, merged(live, manifest))
        except UpdateConflict:
            # A manifest with a version of its own, as of a live object, is about that one.
            if "resourceVersion" in manifest["metadata"] or number == CONFLICTS - 1:
                raise
            continue
        return Outcome(detail=described("updated", resource, changed), resource=changed)
    raise AssertionError(name)


async def _patch(client: Client, resource: Resource, manifest: Object, kind: Patch) -> Outcome:
    """Send the manifest as a patch, or create the object from it."""
    name, namespace = name_of(manifest), namespace_of(manifest) or None
    body: Any = manifest
    if kind == Patch.JSON:
        body = manifest.get("patch")
        if not isinstance(body, list):
            message = "a JSON patch needs a manifest with a list called patch"
            raise TriggerError(message, retryable=False)
    try:
        changed = await client.patch(
            resource, name, body, namespace, kind=kind, force=kind == Patch.APPLY
        )
    except NotFound:
        if kind in (Patch.JSON, Patch.APPLY):
            raise
        made = await client.create(resource, manifest)
        return Outcome(detail=described("created", resource, made), resource=made)
    what = "applied" if kind == Patch.APPLY else "patched"
    return Outcome(detail=described(what, resource, changed), resource=changed)


async def _delete(client: Client, resource: Resource, manifest: Object) -> Outcome:
    """Delete the object; one that is not there is no error."""
    try:
        await client.delete(resource, name_of(manifest), namespace_of(manifest) or None)
    except NotFound:
        return Outcome(detail=described("there was no", resource, manifest))
    return Outcome(detail=described("deleted", resource, manifest))


def merged(live: Object, manifest: Object) -> Object:
    """*live* with every value of *manifest* laid over it; lists are replaced as a whole."""
    result = dict(live)
    for key, value in manifest.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result
