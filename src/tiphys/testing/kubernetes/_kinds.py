"""The kinds that the server offers: built-in ones, and those that definitions add."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._types import Type, object_type

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclasses.dataclass(slots=True, eq=False)
class Kind:
    """
    One kind in one version.

    *counted* objects have a generation; *subresources* are served below the object; *free* ones
    may be updated without a resource version, *created_by_update* ones by PUT; *returned* ones
    answer a deletion with the object.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    type: Type
    namespaced: bool = True
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    subresources: Sequence[str] = ()
    counted: bool = False
    free: bool = True
    created_by_update: bool = False
    returned: bool = False
    list_kind: str = ""
    columns: Sequence[Mapping[str, Any]] = ()
    selectable: Sequence[str] = ()
    custom: bool = False
    check: Callable[[Mapping[str, Any]], Iterable[Problem]] | None = None
    verbs: Sequence[str] = VERBS

    @property
    def key(self) -> str:
        """What the store calls its objects: the same for all versions."""
        return f"{self.group}/{self.plural}"

    @property
    def api_version(self) -> str:
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As messages say it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def name_of_list(self) -> str:
        """The ``kind`` of a list of these."""
        return self.list_kind or f"{self.kind}List"


class Kinds:
    """All kinds by group, version and plural name."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        for kind in _builtin():
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        """Every kind in every version."""
        return iter(list(self._kinds.values()))

    def add(self, kind: Kind) -> None:
        """Offer *kind*."""
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, group: str, plural: str) -> None:
        """Withdraw all versions of a resource."""
        for key in [key for key in self._kinds if key[0] == group and key[2] == plural]:
            del self._kinds[key]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind under a path."""
        return self._kinds.get((group, version, plural))

    def versions(self, group: str) -> list[str]:
        """The versions of a group, the preferred one first."""
        found = dict.fromkeys(kind.version for kind in self if kind.group == group)
        return sorted(found, key=_preference)

    def groups(self) -> list[str]:
        """All groups, the core one first."""
        return list(dict.fromkeys(kind.group for kind in self))

    def named(self, api_version: str, kind: str) -> Kind | None:
        """The kind of objects that say *api_version* and *kind*."""
        for found in self:
            if found.kind == kind and found.api_version == api_version:
                return found
        return None

    def latest(self) -> list[Kind]:
        """Each resource once, in its preferred version."""
        return [kind for kind in self if kind.version == self._preferred(kind)]

    def _preferred(self, kind: Kind) -> str:
        versions = [k.version for k in self if (k.group, k.plural) == (kind.group, kind.plural)]
        return min(versions, key=_preference)


def _preference(version: str) -> tuple[int, int, int]:
    """Stable before beta before alpha, newer before older."""
    text = version.removeprefix("v")
    for rank, word in enumerate(("beta", "alpha"), start=1):
        if word in text:
            major, _, minor = text.partition(word)
            return rank, -_number(major), -_number(minor)
    return (0, -_number(text), 0) if text.isdecimal() else (3, 0, 0)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _builtin() -> Iterator[Kind]:
    status = ("status",)
    without_collection = [verb for verb in VERBS if verb != "deletecollection"]
    rbac, apps, batch = "rbac.authorization.k8s.io", "apps", "batch"
    rows: list[tuple[str, str, str, bool, str, dict[str, Any]]] = [
        ("", "Namespace", "namespaces", False, "ns",
         {"subresources": ("finalize", "status"), "returned": True,
          "verbs": without_collection}),
        ("", "Pod", "pods", True, "po",
         {"subresources": ("log", "status"), "categories": ("all",), "returned": True,
          "counted": True}),
        ("", "Service", "services", True, "svc",
         {"subresources": status, "categories": ("all",), "created_by_update": True,
          "returned": True}),
        ("", "ConfigMap", "configmaps", True, "cm", {}),
        ("", "Secret", "secrets", True, "", {}),
        ("", "ServiceAccount", "serviceaccounts", True, "sa",
         {"subresources": ("token",), "returned": True}),
        ("", "PersistentVolumeClaim", "persistentvolumeclaims", True, "pvc",
         {"subresources": status, "returned": True}),
        ("", "Event", "events", True, "ev", {"created_by_update": True}),
        (apps, "Deployment", "deployments", True, "deploy",
         {"subresources": status, "categories": ("all",), "counted": True}),
        (apps, "StatefulSet", "statefulsets", True, "sts",
         {"subresources": status, "categories": ("all",), "counted": True}),
        (batch, "Job", "jobs", True, "",
         {"subresources": status, "categories": ("all",), "counted": True}),
        (batch, "CronJob", "cronjobs", True, "cj",
         {"subresources": status, "categories": ("all",), "counted": True}),
        (rbac, "Role", "roles", True, "", {"created_by_update": True}),
        (rbac, "RoleBinding", "rolebindings", True, "", {"created_by_update": True}),
        (rbac, "ClusterRole", "clusterroles", False, "", {"created_by_update": True}),
        (rbac, "ClusterRoleBinding", "clusterrolebindings", False, "", {"created_by_update": True}),
        ("coordination.k8s.io", "Lease", "leases", True, "", {"created_by_update": True,
                                                              "free": False}),
        ("networking.k8s.io", "Ingress", "ingresses", True, "ing",
         {"subresources": status, "counted": True}),
        ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", False,
         "crd crds", {"subresources": status, "counted": True, "free": False,
                      "categories": ("api-extensions",)}),
    ]  # fmt: skip
    for group, kind, plural, namespaced, short, extra in rows:
        yield Kind(
            group, "v1", kind, plural, kind.lower(), object_type(kind),
            namespaced=namespaced, short_names=tuple(short.split()), **extra,
        )  # fmt: skip
