"""Objects of a Kubernetes cluster, for the triggers that make and change them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tiphys.aio import Clock
from tiphys.errors import (
    AlreadyExists,
    ClusterNotConfigured,
    Invalid,
    KubernetesError,
    NotFound,
    TriggerError,
)
from tiphys.kube import Client, Resource, find_cluster, name_of, namespace_of
from tiphys.triggers._base import Firing, Outcome, TriggerContext

Object = dict[str, Any]
SENSOR = "events.argoproj.io/sensor"
TRIGGER = "events.argoproj.io/trigger"
TIMESTAMP = "events.argoproj.io/action-timestamp"  # milliseconds since 1970
ACTION = "events.argoproj.io/action-id"
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # of generated names; spells no words
SUFFIX = 8  # characters
LONGEST = 63 - SUFFIX  # characters before the suffix; the kinds with the shortest names take 63
TRIES = 5  # names that are tried, should others have them already
HOPELESS = (400, 405, 406, 413, 415, 422)  # status codes that another try does not mend


@contextlib.contextmanager
def acting() -> Iterator[None]:
    """Turn what the API server refuses into a :exc:`TriggerError`."""
    try:
        yield
    except KubernetesError as error:
        hopeless = isinstance(error, Invalid | AlreadyExists) or error.status in HOPELESS
        raise TriggerError(str(error), retryable=not hopeless) from error


async def connect(ctx: TriggerContext) -> Client:
    """
    A client of the cluster that the environment names, closed with the sensor.

    Sends nothing.  Raises :exc:`ClusterNotConfigured` where there is none.
    """
    try:
        cluster = await asyncio.to_thread(find_cluster)
    except ClusterNotConfigured as error:
        raise ClusterNotConfigured(f"this trigger acts on a Kubernetes cluster: {error}") from error
    return await ctx.enter(Client(cluster))


def manifest_of(firing: Firing[Any]) -> Object:
    """
    The object to act with.

    Raises :exc:`TriggerError` when it is none.
    """
    manifest = orjson.loads(firing.resource or b"null")
    if not isinstance(manifest, dict):
        raise TriggerError("the manifest is not an object", retryable=False)
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            raise TriggerError(f"the manifest has no {key}", retryable=False)
    if not isinstance(manifest.setdefault("metadata", {}), dict):
        raise TriggerError("metadata of the manifest is not an object", retryable=False)
    return manifest


def settle(manifest: Object, resource: Resource, namespace: str) -> None:
    """Give the manifest the namespace where its object belongs: its own, else *namespace*."""
    if resource.namespaced:
        manifest["metadata"]["namespace"] = namespace_of(manifest) or namespace
    else:
        manifest["metadata"].pop("namespace", None)


def add_labels(manifest: Object, firing: Firing[Any], clock: Clock) -> None:
    """Say on the object which sensor and trigger made it, and when (spec: triggers 4.3)."""
    labels = manifest["metadata"].get("labels") or {}
    manifest["metadata"]["labels"] = labels | {
        SENSOR: firing.sensor,
        TRIGGER: firing.trigger,
        TIMESTAMP: str(int(clock.now().timestamp() * 1000)),
    }


async def create_once(
    client: Client, resource: Resource, manifest: Object, firing: Firing[Any]
) -> tuple[Object, bool]:
    """
    The object of this action, and whether it was created now.

    A name for ``generateName`` derives from the action, which an annotation carries as well, so
    that a repetition of the action finds what was created already instead of creating it again.
    An object that the policy refused does not count.  Raises :exc:`KubernetesError`.
    """
    metadata = manifest["metadata"]
    action = firing.action_id + (f"-{firing.refused}" if firing.refused else "")
    metadata["annotations"] = (metadata.get("annotations") or {}) | {ACTION: action}
    prefix = metadata.get("generateName") if not name_of(manifest) else None
    for number in range(TRIES):
        if prefix:
            metadata["name"] = f"{prefix[:LONGEST]}{_suffix(action, number)}"
        try:
            return await client.create(resource, manifest), True
        except AlreadyExists:
            found = await client.get(resource, name_of(manifest), namespace_of(manifest) or None)
            if (found["metadata"].get("annotations") or {}).get(ACTION) == action:
                return found, False
            if not prefix or number == TRIES - 1:
                raise
    raise AssertionError(prefix)


async def current(client: Client, outcome: Outcome) -> Object | None:
    """The object of *outcome* as it is now.  Raises :exc:`KubernetesError`."""
    if outcome.resource is None:
        return None
    resource = await client.resource_of(outcome.resource)
    place = namespace_of(outcome.resource) or None
    return await client.get(resource, name_of(outcome.resource), place)


async def found(
    client: Client, resource: Resource, name: str, namespace: str | None
) -> Object | None:
    """The object of that name; None where there is none."""
    try:
        return await client.get(resource, name, namespace)
    except NotFound:
        return None


def described(what: str, resource: Resource, obj: Mapping[str, Any]) -> str:
    """``created jobs.batch build-x in namespace ci``."""
    place = f" in namespace {namespace_of(obj)}" if namespace_of(obj) else ""
    return f"{what} {resource} {name_of(obj)}{place}"


def _suffix(action: str, number: int) -> str:
    value = int.from_bytes(hashlib.sha256(f"{action}/{number}".encode()).digest())
    characters = []
    for _ in range(SUFFIX):
        value, digit = divmod(value, len(ALPHABET))
        characters.append(ALPHABET[digit])
    return "".join(characters)
