"""What the API server offers: kinds, and the resources under which they are found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from tiphys.errors import Forbidden, NotFound
from tiphys.kube._failures import Target
from tiphys.kube._resources import Resource, group_version, guess
from tiphys.kube._transport import Transport

AGGREGATED = "APIGroupDiscoveryList"
ACCEPT = ",".join(
    [f"application/json;g=apidiscovery.k8s.io;v={v};as={AGGREGATED}" for v in ("v2", "v2beta1")]
    + ["application/json"]
)


class Discovery:
    """
    Remembers what the server offers, and asks again when something is missing.

    Servers that aggregate their discovery are asked twice for everything, others once for each
    ``apiVersion`` that is looked for.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[str, list[Resource]] = {}
        self._complete = False

    async def kind(self, api_version: str, kind: str) -> Resource:
        """
        The resource of the objects with *api_version* and *kind*.

        Where the server does not tell, the plural is guessed.  Raises :exc:`NotFound`.
        """
        try:
            if (found := await self._find(api_version, kind=kind)) is not None:
                return found
        except Forbidden:
            return guess(api_version, kind)
        raise NotFound(self._unknown(api_version, "kind", kind), status=404, reason="NotFound")

    async def plural(self, api_version: str, plural: str) -> Resource:
        """The resource called *plural*, such as ``pods``.  Raises :exc:`NotFound`."""
        if (found := await self._find(api_version, plural=plural)) is not None:
            return found
        raise NotFound(
            self._unknown(api_version, "resource", plural), status=404, reason="NotFound"
        )

    async def resources(self, api_version: str) -> list[Resource]:
        """All resources of an ``apiVersion``; none where the server does not offer it."""
        if api_version not in self._known:
            await self._load(api_version)
        return self._known.get(api_version, [])

    async def _find(self, api_version: str, *, kind: str = "", plural: str = "") -> Resource | None:
        for again in (False, True):
            if again:
                await self._load(api_version)
            for resource in self._known.get(api_version, ()):
                if resource.kind == kind or resource.plural == plural:
                    return resource
        return None

    async def _load(self, api_version: str) -> None:
        if not self._known or self._complete:
            await self._load_aggregated()
        if not self._complete:
            await self._load_version(api_version)

    async def _load_aggregated(self) -> None:
        known: dict[str, list[Resource]] = {}
        for root in ("/api", "/apis"):
            answer = orjson.loads(
                await self._transport.read("GET", root, Target(f"read {root}"), accept=ACCEPT)
            )
            if answer.get("kind") != AGGREGATED:
                return
            known |= _aggregated(answer)
        self._known, self._complete = known, True

    async def _load_version(self, api_version: str) -> None:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            answer = await self._transport.read("GET", path, Target(f"read {path}"))
        except NotFound:
            self._known.pop(api_version, None)
            return
        self._known[api_version] = _listed(api_version, orjson.loads(answer))

    def _unknown(self, api_version: str, what: str, name: str) -> str:
        """What to say of a *name* that is not offered, with the nearest one that is."""
        here = self._known.get(api_version)
        if here is None:
            known = difflib.get_close_matches(api_version, self._known, n=1)
            hint = f"; did you mean {known[0]!r}?" if known else ""
            message = f"the cluster has no API version {api_version!r}, so no {what} {name!r}"
            return f"{message}; are its definitions (CRDs) installed?{hint}"
        names = {r.kind if what == "kind" else r.plural for r in here}
        elsewhere = sorted(
            version
            for version, resources in self._known.items()
            for resource in resources
            if name == (resource.kind if what == "kind" else resource.plural)
        )
        message = f"the cluster has no {what} {name!r} in {api_version}"
        if elsewhere:
            return f"{message}, but in {', '.join(elsewhere)}"
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        return f"{message}; did you mean {near[0]!r}?" if near else message


def _aggregated(answer: Mapping[str, Any]) -> dict[str, list[Resource]]:
    known: dict[str, list[Resource]] = {}
    for item in answer.get("items") or []:
        group = (item.get("metadata") or {}).get("name") or ""
        for version in item.get("versions") or []:
            resources = [
                Resource(
                    group,
                    version["version"],
                    entry["resource"],
                    (entry.get("responseKind") or {}).get("kind") or "",
                    entry.get("scope") == "Namespaced",
                    frozenset(entry.get("verbs") or []),
                    frozenset(sub["subresource"] for sub in entry.get("subresources") or []),
                    entry.get("singularResource") or "",
                    tuple(entry.get("shortNames") or []),
                )
                for entry in version.get("resources") or []
            ]
            known[f"{group}/{version['version']}" if group else version["version"]] = resources
    return known


def _listed(api_version: str, answer: Mapping[str, Any]) -> list[Resource]:
    entries: Iterable[Mapping[str, Any]] = answer.get("resources") or []
    subresources: dict[str, set[str]] = {}
    for entry in entries:
        plural, slash, subresource = entry["name"].partition("/")
        if slash:
            subresources.setdefault(plural, set()).add(subresource)
    group, version = group_version(api_version)
    return [
        Resource(
            group,
            version,
            entry["name"],
            entry["kind"],
            entry["namespaced"],
            frozenset(entry.get("verbs") or []),
            frozenset(subresources.get(entry["name"], ())),
            entry.get("singularName") or "",
            tuple(entry.get("shortNames") or []),
        )
        for entry in entries
        if "/" not in entry["name"]
    ]
