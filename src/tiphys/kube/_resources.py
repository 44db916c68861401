"""Resources of the API: where the objects of a kind are found, and the names in objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tiphys.errors import Invalid

CLUSTER_KINDS = frozenset(
    ["Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding"]
)


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one version of an API group; the core group is called ``""``."""

    group: str
    version: str
    plural: str
    kind: str = ""
    namespaced: bool = True
    verbs: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()
    singular: str = ""
    short_names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """``pods`` or ``workflows.argoproj.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """``v1`` or ``argoproj.io/v1alpha1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """
        The path below the server's address; *namespace* None means all, or none at all.

        Raises :exc:`Invalid` for names that would lead somewhere else.
        """
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if self.namespaced and namespace is not None:
            parts += ["namespaces", _segment("namespace", namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment("name", name))
        if subresource:
            parts += [_segment("subresource", part) for part in subresource.split("/")]
        return "/" + "/".join(parts)


CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")


def group_version(api_version: str) -> tuple[str, str]:
    """Group and version of an ``apiVersion``."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)


def guess(api_version: str, kind: str) -> Resource:
    """
    The resource of a kind by the rules of English, for servers that tell nothing.

    Wrong for kinds with irregular plurals (``Endpoints``) and for cluster-scoped kinds other
    than the five best known.
    """
    group, version = group_version(api_version)
    return Resource(group, version, _plural(kind.lower()), kind, kind not in CLUSTER_KINDS)


def name_of(obj: Mapping[str, Any]) -> str:
    """``metadata.name``; empty where it is absent."""
    return _metadata_text(obj, "name")


def namespace_of(obj: Mapping[str, Any]) -> str:
    """``metadata.namespace``; empty where it is absent."""
    return _metadata_text(obj, "namespace")


def _metadata_text(obj: Mapping[str, Any], key: str) -> str:
    metadata = obj.get("metadata")
    value = metadata.get(key) if isinstance(metadata, Mapping) else None
    return value if isinstance(value, str) else ""


def _plural(word: str) -> str:
    if len(word) < 2 or word == "eventbus":
        return word
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith("fe"):
        return word[:-2] + "ves"
    return word[:-1] + "ves" if word.endswith("f") else word + "s"


def _segment(what: str, text: str) -> str:
    if text in (".", "..") or not text or "/" in text or "%" in text:
        raise Invalid(f"{text!r} cannot be the {what} of an object")
    return text
