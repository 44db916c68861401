"""
The controllers without which an API server is no cluster: garbage collection, the end of
namespaces, and what every namespace has.

Like in a cluster they act a moment after the request that makes them act was answered.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tiphys.testing.kubernetes._access import ADMIN
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._defaults import CLAIM_IN_USE
from tiphys.testing.kubernetes._kinds import Kind, Kinds
from tiphys.testing.kubernetes._lifecycle import NAMESPACES
from tiphys.testing.kubernetes._registry import PODS, Registry
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._store import Key, Object, Store

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
AGENT = "kube-controller-manager/1"
PAUSE = 0.05  # seconds


class Collector:
    """Listens to a registry and cleans up behind it."""

    def __init__(self, registry: Registry, store: Store, kinds: Kinds, authority: str) -> None:
        """*authority* is the certificate of the cluster's authority."""
        self._registry = registry
        self._store = store
        self._kinds = kinds
        self._scheduled: asyncio.Handle | None = None
        self._standard: list[tuple[str, Object]] = [
            ("/serviceaccounts",
             {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}),
            ("/configmaps",
             {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"},
              "data": {"ca.crt": authority}}),
        ]  # fmt: skip
        registry.listeners.append(self._notice)

    def close(self) -> None:
        """Do nothing more."""
        self._registry.listeners.remove(self._notice)
        if self._scheduled is not None:
            self._scheduled.cancel()

    def _notice(self, _kind: Kind, _old: Object | None, _new: Object | None) -> None:
        if self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_later(PAUSE, self.run)

    def run(self) -> None:
        """Do what there is to do now."""
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        kinds = {kind.key: kind for kind in self._kinds.latest()}
        self._complete_namespaces(kinds)
        living = {obj["metadata"]["uid"]: obj for _, _, obj in self._store.everything()}
        for resource, key, obj in self._store.everything():
            kind = kinds.get(resource)
            if kind is None or self._store.get(resource, key) is not obj:
                continue
            if obj["metadata"].get("deletionTimestamp"):
                self._finish(kind, key, obj)
            elif references := obj["metadata"].get("ownerReferences"):
                self._check_owners(kind, key, obj, references, living)

    def _check_owners(
        self, kind: Kind, key: Key, obj: Object, references: list[Any], living: dict[str, Object]
    ) -> None:
        """Delete what has lost all its owners; forget single ones."""
        owners = [reference for reference in references if _owns(living.get(reference["uid"]), obj)]
        waiting = [
            owner
            for owner in owners
            if FOREGROUND in (living[owner["uid"]]["metadata"].get("finalizers") or [])
        ]
        if not owners or len(waiting) == len(owners):
            policy = "Foreground" if waiting else "Background"
            self._delete(kind, key, {"propagationPolicy": policy})
        elif len(owners) < len(references):
            self._rewrite(kind, key, obj, "ownerReferences", owners)

    def _finish(self, kind: Kind, key: Key, obj: Object) -> None:
        """Do for an object that is going what its finalizers ask for."""
        finalizers = obj["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for resource, other_key, other in self._dependents(obj):
                rest = [
                    reference
                    for reference in other["metadata"]["ownerReferences"]
                    if reference["uid"] != obj["metadata"]["uid"]
                ]
                owned = next(k for k in self._kinds.latest() if k.key == resource)
                self._rewrite(owned, other_key, other, "ownerReferences", rest)
            self._without_finalizer(kind, key, ORPHAN)
        elif FOREGROUND in finalizers:
            if not any(_blocks(other, obj) for _, _, other in self._dependents(obj)):
                self._without_finalizer(kind, key, FOREGROUND)
        elif CLAIM_IN_USE in finalizers:
            if not any(_mounts(pod, key[1]) for pod in self._store.items(PODS, key[0])):
                self._without_finalizer(kind, key, CLAIM_IN_USE)
        elif kind.key == NAMESPACES:
            self._empty(key[1], kind, key)

    def _dependents(self, owner: Object) -> list[tuple[str, Key, Object]]:
        uid = owner["metadata"]["uid"]
        return [
            (resource, key, obj)
            for resource, key, obj in self._store.everything()
            if any(r["uid"] == uid for r in obj["metadata"].get("ownerReferences") or [])
        ]

    def _empty(self, namespace: str, kind: Kind, key: Key) -> None:
        """Delete what is in a namespace, then the namespace."""
        inside = [
            (resource, place)
            for resource, place, obj in self._store.everything()
            if place[0] == namespace
        ]
        kinds = {k.key: k for k in self._kinds.latest()}
        for resource, place in inside:
            if resource in kinds:
                self._delete(kinds[resource], place, {"gracePeriodSeconds": 0})
        if not inside:
            self._registry.finish(kind, key)

    def _complete_namespaces(self, kinds: dict[str, Kind]) -> None:
        """Give every namespace its default service account and the cluster's authority."""
        for namespace in self._store.items(NAMESPACES):
            name = namespace["metadata"]["name"]
            if namespace["metadata"].get("deletionTimestamp"):
                continue
            for resource, body in self._standard:
                kind = kinds[resource]
                if self._store.get(resource, (name, body["metadata"]["name"])) is None:
                    self._registry.create(_request("POST", kind, name), kind, clone(body))

    def _delete(self, kind: Kind, key: Key, options: Object) -> None:
        obj = self._store.get(kind.key, key)
        if obj is not None and not obj["metadata"].get("deletionTimestamp"):
            self._registry.delete(_request("DELETE", kind, key[0], key[1]), kind, options)

    def _without_finalizer(self, kind: Kind, key: Key, finalizer: str) -> None:
        obj = self._store.get(kind.key, key)
        if obj is not None:
            rest = [f for f in obj["metadata"].get("finalizers") or [] if f != finalizer]
            self._rewrite(kind, key, obj, "finalizers", rest)

    def _rewrite(self, kind: Kind, key: Key, obj: Object, field: str, value: list[Any]) -> None:
        changed = clone(obj)
        if value:
            changed["metadata"][field] = value
        else:
            changed["metadata"].pop(field, None)
        self._registry.replace(kind, key, changed)


def _owns(owner: Object | None, obj: Object) -> bool:
    """Whether *owner* is there, in the same namespace or in none."""
    if owner is None:
        return False
    place = owner["metadata"].get("namespace")
    return place is None or place == obj["metadata"].get("namespace")


def _mounts(pod: Object, claim: str) -> bool:
    return any(
        (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim
        for volume in pod["spec"].get("volumes") or []
    )


def _blocks(obj: Object, owner: Object) -> bool:
    return any(
        reference["uid"] == owner["metadata"]["uid"] and reference.get("blockOwnerDeletion")
        for reference in obj["metadata"].get("ownerReferences") or []
    )


def _request(method: str, kind: Kind, namespace: str, name: str = "") -> Request:
    return Request(
        method=method, path="", query={}, user=ADMIN, agent=AGENT, namespace=namespace,
        name=name, group=kind.group, version=kind.version, plural=kind.plural,
    )  # fmt: skip
