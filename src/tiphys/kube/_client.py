"""The verbs of the Kubernetes API."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Self

import orjson

from tiphys.errors import Gone, Invalid
from tiphys.kube._cluster import Cluster
from tiphys.kube._discovery import Discovery
from tiphys.kube._failures import Target
from tiphys.kube._resources import PODS, Resource, name_of, namespace_of
from tiphys.kube._transport import Transport
from tiphys.kube._watch import Watch

Object = dict[str, Any]
Propagation = Literal["Background", "Foreground", "Orphan"]
FIELD_MANAGER = "argo-events"
PAGE = 500  # objects


class Patch(enum.StrEnum):
    """The content types of patches."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """Objects of a resource, as they were at one resource version."""

    items: list[Object]
    resource_version: str


class Client:
    """
    Talks to one API server; ``async with`` closes its connections.

    Objects are plain dictionaries.  *namespace* None means the object's own, else the cluster's
    default one, and for lists and watches all namespaces.  Every method raises
    :exc:`KubernetesError` or one of its subclasses.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._transport = Transport(cluster)
        self.discovery = Discovery(self._transport)

    async def __aenter__(self) -> Self:
        """Nothing is sent before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def version(self) -> Mapping[str, Any]:
        """What the server says of itself under ``/version``."""
        answer = await self._transport.read("GET", "/version", Target("read the version"))
        version: Mapping[str, Any] = orjson.loads(answer)
        return version

    async def resource_of(self, obj: Mapping[str, Any]) -> Resource:
        """The resource of an object, from its ``apiVersion`` and ``kind``."""
        return await self.discovery.kind(str(obj.get("apiVersion")), str(obj.get("kind")))

    async def get(
        self, resource: Resource, name: str, namespace: str | None = None, subresource: str = ""
    ) -> Object:
        """One object."""
        return await self._send("GET", self._target("get", resource, namespace, name, subresource))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> Listing:
        """All objects that match the selectors, read page by page."""
        items: list[Object] = []
        version = ""
        async for page in self.pages(resource, namespace, labels=labels, fields=fields):
            items += page.items
            version = version or page.resource_version
        return Listing(items, version)

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        size: int = PAGE,
    ) -> AsyncIterator[Listing]:
        """
        Page after page of *size* objects; 0 means all in one.

        Raises :exc:`Gone` for a reader that takes so long that the next page is gone.
        """
        target = Target("list", resource, namespace if resource.namespaced else None)
        query = _query(labelSelector=labels, fieldSelector=fields, limit=str(size) if size else "")
        following = ""
        while True:
            answer = await self._send("GET", target, query | _query(**{"continue": following}))
            metadata = answer.get("metadata") or {}
            items = answer.get("items") or []
            kind = str(answer.get("kind", "")).removesuffix("List")
            for item in items:  # servers leave both out of the items of a list
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind or kind)
            yield Listing(items, metadata.get("resourceVersion", ""))
            following = metadata.get("continue") or ""
            if not following:
                return

    async def snapshot(
        self, resource: Resource, namespace: str | None, labels: str, fields: str
    ) -> Listing:
        """Like :meth:`list`; in one request where the pages are gone before they are read."""
        try:
            return await self.list(resource, namespace, labels=labels, fields=fields)
        except Gone:
            async for page in self.pages(resource, namespace, labels=labels, fields=fields, size=0):
                return page
            raise

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> Watch:
        """Every object there is, then every change; iterate over it."""
        target = Target("watch", resource, namespace if resource.namespaced else None)

        async def snapshot() -> Listing:
            return await self.snapshot(resource, namespace, labels, fields)

        selectors = _query(labelSelector=labels, fieldSelector=fields)
        return Watch(self._transport, target, selectors, snapshot)

    async def create(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """Create an object; *name* and *subresource* only where a subresource is posted to."""
        place = namespace or namespace_of(body) or None
        target = self._target("create", resource, place, name, subresource)
        return await self._send("POST", target, _writing(dry_run, field_manager), body)

    async def replace(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """
        Replace an object; with ``metadata.resourceVersion`` only if nobody changed it since.

        Raises :exc:`UpdateConflict` if somebody did.
        """
        target = self._target(
            "update", resource, namespace_of(body) or None, name_of(body), subresource
        )
        if not target.name:
            raise Invalid(f"cannot {target}: the object has no metadata.name")
        return await self._send("PUT", target, _writing(dry_run, field_manager), body)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        kind: Patch = Patch.MERGE,
        subresource: str = "",
        dry_run: bool = False,
        field_manager: str = FIELD_MANAGER,
        force: bool = False,
    ) -> Object:
        """
        Change an object; :attr:`Patch.APPLY` creates one that is missing.

        *force* takes fields from other managers, where an apply would otherwise raise
        :exc:`UpdateConflict`.
        """
        target = self._target("patch", resource, namespace, name, subresource)
        query = _writing(dry_run, field_manager) | _query(force="true" if force else "")
        return await self._send("PATCH", target, query, body, kind)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        grace_period: int | None = None,
        uid: str = "",
        resource_version: str = "",
        dry_run: bool = False,
    ) -> Object:
        """
        Delete an object; the answer is the object or a ``Status``.

        *grace_period* is in seconds; *uid* and *resource_version* are preconditions, which raise
        :exc:`UpdateConflict`.
        """
        target = self._target("delete", resource, namespace, name)
        preconditions = _query(uid=uid, resourceVersion=resource_version)
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation is not None:
            options["propagationPolicy"] = propagation
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if preconditions:
            options["preconditions"] = preconditions
        if dry_run:
            options["dryRun"] = ["All"]
        return await self._send("DELETE", target, body=options)

    async def logs(
        self, name: str, namespace: str | None = None, *, container: str = "", lines: int = 0
    ) -> str:
        """What a container of a pod printed; of *lines*, the last ones."""
        target = self._target("get", PODS, namespace, name, "log")
        query = _query(container=container, tailLines=str(lines) if lines else "")
        path = PODS.path(target.namespace, name, "log")
        answer = await self._transport.read("GET", path, target, query=query, accept="*/*")
        return answer.decode(errors="replace")

    def _target(
        self,
        verb: str,
        resource: Resource,
        namespace: str | None,
        name: str = "",
        subresource: str = "",
    ) -> Target:
        place = (namespace or self.cluster.namespace) if resource.namespaced else None
        return Target(verb, resource, place, name, subresource)

    async def _send(
        self,
        method: str,
        target: Target,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Object:
        assert target.resource is not None
        path = target.resource.path(target.namespace, target.name, target.subresource)
        answer: Object = orjson.loads(
            await self._transport.read(
                method, path, target, query=query, body=body, content_type=content_type
            )
        )
        return answer


def _query(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _writing(dry_run: bool, field_manager: str) -> dict[str, str]:
    return _query(dryRun="All" if dry_run else "", fieldManager=field_manager)
