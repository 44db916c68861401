"""Reading and writing objects: every rule between a request and the store."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable
from typing import Any

from tiphys.testing.kubernetes import _names as names
from tiphys.testing.kubernetes._answers import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    success,
)
from tiphys.testing.kubernetes._changes import Change, read_patch
from tiphys.testing.kubernetes._decode import checked, clone
from tiphys.testing.kubernetes._defaults import Defaults
from tiphys.testing.kubernetes._kinds import Kind, Kinds
from tiphys.testing.kubernetes._lifecycle import (
    NAMESPACES,
    check_kind,
    check_place,
    check_preconditions,
    count,
    kept,
    lingers,
    marked,
    metadata_of,
    now,
    presented,
    same,
    version_of,
)
from tiphys.testing.kubernetes._managers import Manager, Ownership
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._store import Key, Object, Store
from tiphys.testing.kubernetes._validation import change_problems, problems

GENERATED_TRIES = 8
PODS = "/pods"
IMMORTAL = ("default", "kube-public", "kube-system")  # namespaces
Listener = Callable[[Kind, Object | None, Object | None], None]


class Registry:
    """Creates, changes and deletes objects the way the API server does."""

    def __init__(self, store: Store, kinds: Kinds) -> None:
        self.store = store
        self.kinds = kinds
        self.listeners: list[Listener] = []
        """Called with kind, old and new object after each write."""
        self._defaults = Defaults()

    def get(self, kind: Kind, key: Key) -> Object:
        """One object as *kind* has it.  Raises a 404."""
        return presented(self._stored(kind, key), kind)

    def create(self, request: Request, kind: Kind, body: Any) -> Object:
        """POST of an object."""
        obj = self._decoded(request, kind, body)
        metadata = metadata_of(obj)
        check_place(request, kind, metadata)
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        self._admit(request, kind, metadata)
        return self._create(request, kind, obj)

    def update(self, request: Request, kind: Kind, body: Any) -> Object:
        """PUT of an object or of its status."""
        obj = self._decoded(request, kind, body)
        metadata = metadata_of(obj)
        _check_name(request, metadata)
        check_place(request, kind, metadata)
        old = self.store.get(kind.key, (request.namespace, request.name))
        if old is None:
            if kind.created_by_update and not request.subresource:
                metadata.pop("resourceVersion", None)
                self._admit(request, kind, metadata)
                return self._create(request, kind, obj)
            raise not_found(kind, request.name)
        if not version_of(metadata) and not kind.free:
            text = "must be specified for an update"
            problem = Problem.invalid("metadata.resourceVersion", 0, text)
            raise invalid(dataclasses.replace(kind, kind=kind.plural), request.name, [problem])
        manager = Manager(request.manager, "Update", kind.api_version, request.subresource)
        return self._write(request, kind, old, obj, manager)

    def patch(self, request: Request, kind: Kind, body: Any) -> Object:
        """PATCH of an object or of its status."""
        old = self.store.get(kind.key, (request.namespace, request.name))
        change = read_patch(request, kind, body)
        if old is None:
            if not change.creates:
                raise not_found(kind, request.name)
            return self._apply_new(request, kind, change)
        manager = Manager(request.manager, change.operation, kind.api_version, request.subresource)
        obj = change.carried_out(presented(old, kind), Ownership(old), manager)
        obj = self._patched(request, kind, obj)
        metadata = metadata_of(obj)
        _check_name(request, metadata)
        check_place(request, kind, metadata)
        if metadata.get("uid") != old["metadata"]["uid"]:
            problem = Problem.invalid("metadata.uid", metadata.get("uid"), "field is immutable")
            raise invalid(kind, request.name, [problem])
        return self._write(request, kind, old, obj, manager, change)

    def delete(self, request: Request, kind: Kind, options: Object) -> tuple[Object, bool]:
        """DELETE of an object: the answer, and whether it is gone already."""
        key = (request.namespace, request.name)
        if kind.key == NAMESPACES and request.name in IMMORTAL:
            raise forbidden(kind, request.name, "this namespace may not be deleted")
        old = self._stored(kind, key)
        check_preconditions(kind, old, options.get("preconditions") or {})
        dry = request.dry_run or "All" in (options.get("dryRun") or [])
        going = marked(kind, clone(old), options)
        if going["metadata"].get("finalizers") or lingers(kind, going):
            if going != old and not dry:
                going = self._put(kind, key, going)
            return presented(going, kind), False
        if not dry:
            self._remove(kind, key)
        if kind.returned:
            return presented(going if kind.key == PODS else old, kind), True
        return success(kind, request.name, old["metadata"]["uid"]), True

    def finish(self, kind: Kind, key: Key) -> None:
        """Remove an object whose deletion has nothing left to wait for."""
        self._remove(kind, key)

    def replace(self, kind: Kind, key: Key, obj: Object) -> None:
        """Store what a controller of the server changed."""
        self._put(kind, key, obj)
        self._remove_if_done(kind, key)

    def _create(
        self, request: Request, kind: Kind, obj: Object, change: Change | None = None
    ) -> Object:
        prefix = obj["metadata"].get("generateName", "")
        if prefix and not obj["metadata"].get("name"):
            obj["metadata"]["name"] = self._free_name(request, kind, prefix)
        metadata = obj["metadata"]
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(field, None)
        if kind.namespaced:
            metadata["namespace"] = request.namespace
        if kind.counted:
            metadata["generation"] = 1
        if "status" in kind.subresources:
            obj.pop("status", None)
        self._defaults.fill(kind, obj)
        operation = "Update" if change is None else change.operation
        manager = Manager(request.manager, operation, kind.api_version)
        self._own(request, kind, {}, obj, manager, change)
        if kind.key == PODS:
            self._check_account(kind, request.namespace, obj)
        self._defaults.allocate(kind, obj)
        self._validate(kind, None, obj)
        if self.store.get(kind.key, self._key(kind, request, obj)) is not None:
            raise already_exists(kind, metadata["name"])
        if request.dry_run:
            return presented(obj, kind)
        return presented(self._put(kind, self._key(kind, request, obj), obj), kind)

    def _free_name(self, request: Request, kind: Kind, prefix: str) -> str:
        """A generated name; after some tries one that may be taken."""
        for _ in range(GENERATED_TRIES):
            name = names.generated(prefix)
            if self.store.get(kind.key, (request.namespace, name)) is None:
                break
        return name

    def _apply_new(self, request: Request, kind: Kind, change: Change) -> Object:
        """An apply of an object that is not there creates it."""
        obj = self._checked(request, kind, change.body)
        metadata = metadata_of(obj)
        _check_name(request, metadata)
        check_place(request, kind, metadata)
        if uid := metadata.get("uid"):
            raise conflict(
                kind, request.name,
                f"uid mismatch: the provided object specified uid {uid}, and no existing object "
                "was found",
            )  # fmt: skip
        self._admit(request, kind, metadata)
        return self._create(request, kind, obj, change)

    def _write(
        self,
        request: Request,
        kind: Kind,
        old: Object,
        obj: Object,
        manager: Manager,
        change: Change | None = None,
    ) -> Object:
        """Store *obj* over *old*, unless that says the same."""
        metadata = obj["metadata"]
        name, key = request.name, (request.namespace, request.name)
        uid = metadata.get("uid")
        if uid and uid != old["metadata"]["uid"]:
            raise conflict(
                kind, name,
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                f"{old['metadata']['uid']}",
            )  # fmt: skip
        version = version_of(metadata)
        if version and version != version_of(old["metadata"]):
            raise conflict(kind, name)
        new = kept(request, kind, old, obj)
        self._defaults.fill(kind, new)
        self._defaults.keep(kind, old, new)
        if not request.subresource:
            count(kind, old, new)
        self._validate(kind, old, new)
        self._own(request, kind, old, new, manager, change)
        if same(old, new):
            return presented(old, kind)
        if request.dry_run:
            return presented(new, kind)
        stored = self._put(kind, key, new)
        self._remove_if_done(kind, key)
        return presented(stored, kind)

    def _own(
        self,
        request: Request,
        kind: Kind,
        old: Object,
        new: Object,
        manager: Manager,
        change: Change | None,
    ) -> None:
        ownership = Ownership(old) if request.subresource else Ownership.given(old, new)
        if change is not None and change.fields is not None:
            force = request.query.get("force") == "true"
            change.settle(ownership, manager, old, new, force=force, moment=now())
        else:
            ownership.updated(manager, old, new, kind.type, now())
        _note_managers(new["metadata"], ownership)

    def _decoded(self, request: Request, kind: Kind, body: Any) -> Object:
        if not isinstance(body, dict):
            raise bad_request("the body of the request is no object")
        api_version, name = str(body.get("apiVersion")), str(body.get("kind"))
        check_kind(kind, body, self.kinds.named(api_version, name) is not None)
        return self._checked(request, kind, body)

    def _checked(self, request: Request, kind: Kind, body: Any) -> Object:
        obj, warnings = checked(body, kind, request.validation)
        request.warnings += warnings
        return {**obj, "apiVersion": kind.api_version, "kind": kind.kind}

    def _patched(self, request: Request, kind: Kind, obj: Any) -> Object:
        """What a patch made, as an object of the kind; raises a 422 where it is none."""
        try:
            return self._decoded(request, kind, obj)
        except ApiError as error:
            raise _unfit(obj, str(error)) from error

    def _validate(self, kind: Kind, old: Object | None, new: Object) -> None:
        found = list(problems(kind, new))
        if old is not None:
            found += change_problems(kind, old, new)
        if kind.check is not None:
            found += kind.check(new)
        if found:
            raise invalid(kind, new["metadata"].get("name", ""), found)

    def _admit(self, request: Request, kind: Kind, metadata: Object) -> None:
        """Nothing is created in a namespace that is missing or going."""
        if not kind.namespaced:
            return
        namespaces = self.kinds.find("", "v1", "namespaces")
        assert namespaces is not None
        namespace = self.store.get(NAMESPACES, ("", request.namespace))
        if namespace is None:
            raise not_found(namespaces, request.namespace)
        if namespace["metadata"].get("deletionTimestamp"):
            raise forbidden(
                kind, metadata.get("name", ""),
                f"unable to create new content in namespace {request.namespace} because it is "
                "being terminated",
                [{"reason": "NamespaceTerminating", "field": "metadata.namespace",
                  "message": f"namespace {request.namespace} is being terminated"}],
            )  # fmt: skip

    def _check_account(self, kind: Kind, namespace: str, pod: Object) -> None:
        """A pod needs its service account."""
        name = pod["spec"].get("serviceAccountName") or "default"
        if self.store.get("/serviceaccounts", (namespace, name)) is None:
            raise forbidden(
                kind,
                pod["metadata"]["name"],
                f'error looking up service account {namespace}/{name}: serviceaccount "{name}" '
                "not found",
            )

    def _stored(self, kind: Kind, key: Key) -> Object:
        obj = self.store.get(kind.key, key)
        if obj is None:
            raise not_found(kind, key[1])
        return obj

    def _key(self, kind: Kind, request: Request, obj: Object) -> Key:
        namespace = request.namespace if kind.namespaced else ""
        return (namespace, obj["metadata"].get("name", ""))

    def _put(self, kind: Kind, key: Key, obj: Object) -> Object:
        old = self.store.get(kind.key, key)
        stored = self.store.put(kind.key, key, obj)
        for listener in self.listeners:
            listener(kind, old, stored)
        return stored

    def _remove(self, kind: Kind, key: Key) -> None:
        old = self._stored(kind, key)
        self.store.remove(kind.key, key)
        for listener in self.listeners:
            listener(kind, old, None)

    def _remove_if_done(self, kind: Kind, key: Key) -> None:
        obj = self.store.get(kind.key, key)
        if obj is None or not obj["metadata"].get("deletionTimestamp"):
            return
        if not obj["metadata"].get("finalizers") and not lingers(kind, obj):
            self._remove(kind, key)


def _note_managers(metadata: Object, ownership: Ownership) -> None:
    if entries := ownership.written():
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def _check_name(request: Request, metadata: Object) -> None:
    name = metadata.get("name")
    if not name:
        raise bad_request(
            f"the name of the object ({request.name} based on URL) was undeterminable: name must "
            "be provided"
        )
    if name != request.name:
        raise bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({request.name})"
        )


def _unfit(obj: Any, said: str) -> ApiError:
    text = json.dumps(obj, separators=(",", ":"))
    problem = Problem.invalid("patch", text, said)
    return ApiError(
        422,
        "Invalid",
        f' "" is invalid: patch: {problem.message}',
        {"causes": [dataclasses.asdict(problem)]},
    )
