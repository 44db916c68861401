"""What the server says of itself: version, discovery old and aggregated."""

from __future__ import annotations

import uuid
from typing import Any

from tiphys.testing.kubernetes._kinds import Kind, Kinds

Object = dict[str, Any]
VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+tiphys-testing",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "none",
}
SUBRESOURCE_VERBS = {"status": ["get", "patch", "update"], "log": ["get"], "token": ["create"],
                     "finalize": ["update"]}  # fmt: skip
SUBRESOURCE_KINDS = {
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
REVIEWS = (
    ("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
)


class Catalog:
    """The discovery documents of the kinds that there are."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds

    def groups(self) -> list[str]:
        """The named groups."""
        reviewing = [group for group, _, _ in REVIEWS]
        return list(dict.fromkeys([g for g in self._kinds.groups() if g] + reviewing))

    def versions(self, group: str) -> list[str]:
        """The versions of a group, the preferred one first."""
        return self._kinds.versions(group) or ["v1"]

    def offers(self, group: str, version: str) -> bool:
        """Whether there is this group in this version."""
        return version in (self.versions(group) if group in ["", *self.groups()] else [])

    def core(self, address: str) -> Object:
        """``/api``."""
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        }

    def group_list(self) -> Object:
        """``/apis``."""
        groups = [self.group(group) for group in self.groups()]
        for group in groups:
            del group["kind"], group["apiVersion"]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group(self, group: str) -> Object:
        """``/apis/GROUP``."""
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version}
            for version in self.versions(group)
        ]
        return {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": group,
            "versions": versions,
            "preferredVersion": versions[0],
        }

    def resources(self, group: str, version: str) -> Object:
        """``/api/v1`` and ``/apis/GROUP/VERSION``."""
        entries: list[Object] = []
        for kind in self._of(group, version):
            entries.append(_entry(kind))
            entries += [_subentry(kind, name) for name in kind.subresources]
        for owner, plural, name in REVIEWS:
            if owner == group:
                entries.append(
                    {"name": plural, "singularName": name.lower(), "namespaced": False,
                     "kind": name, "verbs": ["create"]}
                )  # fmt: skip
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": entries,
        }

    def aggregated(self, core: bool, version: str) -> Object:
        """``/api`` or ``/apis`` with everything below."""
        groups = [""] if core else self.groups()
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [
                {
                    "metadata": {"creationTimestamp": None, **({"name": group} if group else {})},
                    "versions": [self._aggregated(group, v) for v in self.versions(group)],
                }
                for group in groups
            ],
        }

    def _of(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self._kinds if (kind.group, kind.version) == (group, version)]

    def _aggregated(self, group: str, version: str) -> Object:
        entries = [
            {
                **_aggregated_entry(kind.plural, group, version, kind.kind, kind.namespaced),
                "singularResource": kind.singular,
                "verbs": list(kind.verbs),
                **({"shortNames": list(kind.short_names)} if kind.short_names else {}),
                **({"categories": list(kind.categories)} if kind.categories else {}),
                **_aggregated_subresources(kind),
            }
            for kind in self._of(group, version)
        ]
        entries += [
            {**_aggregated_entry(plural, group, version, name, False), "verbs": ["create"],
             "singularResource": name.lower()}
            for owner, plural, name in REVIEWS
            if owner == group
        ]  # fmt: skip
        return {"version": version, "resources": entries, "freshness": "Current"}


def _entry(kind: Kind) -> Object:
    entry: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        "storageVersionHash": uuid.uuid5(uuid.NAMESPACE_OID, kind.key).hex[:12],
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry


def _subentry(kind: Kind, name: str) -> Object:
    group, version, what = SUBRESOURCE_KINDS.get(name, ("", "", kind.kind))
    return {
        "name": f"{kind.plural}/{name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": what,
        "verbs": SUBRESOURCE_VERBS.get(name, ["get", "patch", "update"]),
        **({"group": group, "version": version} if group else {}),
    }


def _aggregated_entry(plural: str, group: str, version: str, kind: str, namespaced: bool) -> Object:
    return {
        "resource": plural,
        "responseKind": {"group": group, "version": version, "kind": kind},
        "scope": "Namespaced" if namespaced else "Cluster",
    }


def _aggregated_subresources(kind: Kind) -> Object:
    if not kind.subresources:
        return {}
    entries = []
    for name in kind.subresources:
        group, version, what = SUBRESOURCE_KINDS.get(name, (kind.group, kind.version, kind.kind))
        entries.append(
            {
                "subresource": name,
                "responseKind": {"group": group, "version": version, "kind": what},
                "verbs": SUBRESOURCE_VERBS.get(name, ["get", "patch", "update"]),
            }
        )
    return {"subresources": entries}
